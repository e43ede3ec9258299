"""Tools that change what a CI left of the release: a report, and the envelope around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck import envelope
from pytest_deploycheck.demo import code_reports
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.repository import checkout, git


@contextmanager
def reported(demo: Deployment, name: str, change: Callable[[str], str], **said: Any) -> Iterator[None]:
    """Change a report below DIR/reports, and write its envelope around what it is then; put both back."""
    path = demo.world.path("reports", *name.split("/"))
    beside = envelope.path_of(path)
    before = path.read_text(), beside.read_text()
    path.write_text(change(before[0]))
    code_reports.seal(demo.world, path, **said)
    try:
        yield
    finally:
        path.write_text(before[0])
        beside.write_text(before[1])


def replaced(old: str, new: str, count: int = -1) -> Callable[[str], str]:
    """Return a change of a report's text; what is replaced must occur."""

    def change(text: str) -> str:
        assert old in text, f"{old!r} does not occur in the report; the fault would break nothing"
        return text.replace(old, new, count)

    return change


def rewritten(change: Callable[[Any], None]) -> Callable[[str], str]:
    """Return a change of a report's JSON."""

    def change_text(text: str) -> str:
        document = json.loads(text)
        change(document)
        return json.dumps(document)

    return change_text


def ago(**parts: float) -> str:
    """Return a moment so long ago."""
    return (datetime.now(UTC) - timedelta(**parts)).isoformat(timespec="seconds")


def parent(demo: Deployment) -> str:
    """Return the commit before the released one."""
    return git(checkout(demo.world), "rev-parse", "HEAD^")
