"""Faults of the first day's new groups of errors: nobody took one up, or nobody can see whether."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.tools import stopped
from tests.faults.triggers_bugs import reported

ITEM = "post_go_live.first_day.errors"
NEEDS = ("prometheus", "people", "bugsink")


@fault(ITEM, "untriaged issue", probes=("window_issues",), needs=NEEDS, lived=True)
@contextmanager
def untriaged(demo: Deployment) -> Iterator[None]:
    """Report an error that nobody takes up, as of an hour after the go-live."""
    with reported(demo, 1, lambda number: None):
        first = datetime.fromisoformat(demo.world.release.deployed_at) + timedelta(hours=1)
        database = demo.world.path("bugsink", "db.sqlite3")
        with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            connection.execute("UPDATE issues_issue SET first_seen = ?", (f"{first:%Y-%m-%d %H:%M:%S}",))
        yield


@fault(
    ITEM,
    "an error tracker that does not answer",
    probes=("window_issues",),
    needs=NEEDS,
    lived=True,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def away(demo: Deployment) -> Iterator[None]:
    """Stop the tracker."""
    with stopped(demo, "bugsink"):
        yield
