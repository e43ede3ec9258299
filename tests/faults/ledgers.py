"""Runs in the demo's ledger that nobody ran: for what is judged from earlier runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_deploycheck import ledger
from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims import of_target
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.record import Record, digest
from pytest_deploycheck.target import load


def path_of(demo: Deployment) -> Path:
    """Return the ledger's file."""
    target = load(demo.target)
    return target.file(target.ledger.path)


def green_run(
    demo: Deployment, *, ago: timedelta = timedelta(), version: str | None = None, **verdicts: str
) -> str:
    """Enter a run in which everything but the sign-offs passed, with exceptions by item id; return its id.

    version: of another release than the target's.
    """
    target, checklist = load(demo.target), default()
    items = {item.id: "passed" for item in checklist.items if item.phase != "sign_off"} | verdicts
    released = of_target.release(target).model_dump() | ({} if version is None else {"version": version})
    record = Record(
        tool={"name": "pytest-deploycheck", "version": "made up"},
        run={
            "id": f"made-up-{datetime.now(UTC):%H%M%S%f}",
            "finished_at": (datetime.now(UTC) - ago).isoformat(),
        },
        target={
            "name": target.name,
            "environment": target.target.environment,
            "config_digest": digest(target.model_dump(mode="json")),
        },
        release=released,
        checklist={"digest": checklist.digest},
        selection=(),
        decision={"decision": "GO"},
        items=[{"item": item, "verdict": verdict} for item, verdict in items.items()],
    )
    return ledger.append(path_of(demo), record).run


@contextmanager
def rolled_back(demo: Deployment, ago: timedelta) -> Iterator[str]:
    """Let a newer release have been there for a day, and this one be back since then; yield the run that saw it."""
    path = path_of(demo)
    before = path.read_bytes()
    green_run(demo, ago=ago + timedelta(days=1), version="9.0.0")
    run = green_run(demo, ago=ago)
    try:
        yield run
    finally:
        path.write_bytes(before)
