"""The check of item 51 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.plots import Bars
from pytest_deploycheck.probes.db_stats import DbStatsFacts, Replica, Statement, Table
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_performance.py")
LIMITS = Limits()

BARS = Bars("", "", ())


STATEMENT = Statement(
    text="SELECT * FROM orders WHERE id = $1",
    role="app",
    calls=5000,
    total_s=10.0,
    mean_s=0.002,
    stddev_s=0.004,
    max_s=3.0,  # once in five thousand
    recent_calls=40,
    recent_mean_s=0.002,
)
DATABASE = DbStatsFacts(
    database="shop",
    server_version="16.4",
    stats_age_s=86400.0,
    interval_s=20.0,
    statements=(STATEMENT,),
    n_statements=1,
    blocks_hit=10_000_000,
    blocks_read=1000,
    tables=(Table("public.orders", 2_000_000, 100_000, 0, "2026-11-24T09:00:00Z"),),
    longest_tx_s=0.2,
    longest_tx_by="app",
    longest_lock_wait_s=0.0,
    longest_lock_wait_for="",
    connections=20,
    connections_max=97,
    deadlocks=1,
    temp_bytes=0,
    recent_temp_bytes_per_s=0.0,
    replicas=(Replica("standby", "streaming", 0.01),),
    archiver_failing=False,
    unused_indexes=(),
    means=BARS,
)


def database(**changes: Any) -> DbStatsFacts:
    """Return the healthy database with something changed."""
    return replace(DATABASE, **changes)


def statement(**changes: Any) -> DbStatsFacts:
    """Return the healthy database with another statement."""
    return database(statements=(replace(STATEMENT, **changes),))


@pytest.mark.parametrize("check", ["test_db_statements", "test_db_bounds"])
@pytest.mark.parametrize(
    "facts",
    [
        DATABASE,
        statement(recent_calls=0, recent_mean_s=None),
        database(
            statements=(STATEMENT, replace(STATEMENT, calls=3, mean_s=9.0, recent_calls=1, recent_mean_s=9.0))
        ),
        database(replicas=(Replica("standby", "streaming", None),), archiver_failing=None),
        database(blocks_hit=10, blocks_read=90),  # too few to tell
        database(tables=(Table("public.small", 50, 5000, 900, None),)),
        database(replicas=(), tables=()),
    ],
    ids=["plain", "quiet just now", "rare report", "no archive", "cold cache", "small table", "alone"],
)
def test_sound_databases_pass(check: str, facts: DbStatsFacts) -> None:
    """Rare statements, small tables and servers without standby or archive are not accused."""
    CHECKS[check](facts, LIMITS)


@pytest.mark.parametrize(
    ("check", "facts", "words"),
    [
        ("test_db_statements", statement(mean_s=0.11), "on average 5000 calls are slow: SELECT"),
        ("test_db_statements", statement(stddev_s=0.4), "slow too often"),
        ("test_db_statements", statement(recent_mean_s=0.3), "slow in the last seconds"),
        (
            "test_db_bounds",
            database(longest_lock_wait_s=6.0, longest_lock_wait_for="Lock orders"),
            "Lock orders",
        ),
        ("test_db_bounds", database(longest_tx_s=301.0), "a transaction stays open: app"),
        ("test_db_bounds", database(connections=80), "80 of 97 connections are taken"),
        ("test_db_bounds", database(blocks_read=200_000), "not found in the cache"),
        ("test_db_bounds", database(tables=(Table("t", 20_000, 6000, 0, None),)), "last vacuumed None"),
        ("test_db_bounds", database(tables=(Table("t", 200_000, 0, 9, None),)), "read from end to end"),
        ("test_db_bounds", database(deadlocks=30), "30 deadlocks"),
        ("test_db_bounds", database(recent_temp_bytes_per_s=2e7), "queries spill to disk"),
        (
            "test_db_bounds",
            database(replicas=(Replica("standby", "streaming", 31.0),)),
            "standby standby lags",
        ),
        ("test_db_bounds", database(archiver_failing=True), "archive WAL failed"),
    ],
)
def test_ailing_databases_fail(check: str, facts: DbStatsFacts, words: str) -> None:
    """Each bound is compared, and what crosses it is named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        CHECKS[check](facts, LIMITS)


@pytest.mark.parametrize(
    ("check", "facts", "reason"),
    [
        ("test_db_statements", database(stats_age_s=60.0), Reason.NO_EVIDENCE),
        ("test_db_bounds", database(stats_age_s=60.0), Reason.NO_EVIDENCE),
        ("test_db_statements", database(statements=(), n_statements=0), Reason.NO_TRAFFIC),
        ("test_db_statements", statement(calls=49), Reason.NO_TRAFFIC),
    ],
)
def test_forgotten_statistics_prove_nothing(check: str, facts: DbStatsFacts, reason: Reason) -> None:
    """Statistics of a minute, or of nobody's work, look perfect and are no proof."""
    with pytest.raises(Unproven) as why:
        CHECKS[check](facts, LIMITS)
    assert why.value.reason is reason
