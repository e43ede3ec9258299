"""Runs in the demo's ledger that nobody ran: for what is judged from earlier runs."""

from __future__ import annotations

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


def green_run(demo: Deployment, *, ago: timedelta = timedelta(), **verdicts: str) -> None:
    """Enter a run in which everything but the sign-offs passed, with exceptions by item id."""
    target, checklist = load(demo.target), default()
    items = {item.id: "passed" for item in checklist.items if item.phase != "sign_off"} | verdicts
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
        release=of_target.release(target).model_dump(),
        checklist={"digest": checklist.digest},
        selection=(),
        decision={"decision": "GO"},
        items=[{"item": item, "verdict": verdict} for item, verdict in items.items()],
    )
    ledger.append(path_of(demo), record)
