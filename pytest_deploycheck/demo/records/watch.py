"""The scheduled runs that a demo which has lived would have had, and the review of its first week: made up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from pytest_deploycheck import ledger
from pytest_deploycheck.checklist import default
from pytest_deploycheck.demo.people import People, release
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.record import Record

EACH = timedelta(minutes=5)
REVIEWED_AFTER = timedelta(days=7)
"""From go-live to the run that the review of the first week is about."""
TRENDS = "post_go_live.first_week.trends"


def write(world: World, people: People) -> None:
    """Write the ledger of the days that the demo has lived, and sign what was found after the first week."""
    if not world.lived:
        return
    go_live = datetime.fromisoformat(world.release.deployed_at)
    reviewed = go_live + REVIEWED_AFTER
    evidence = people.home / "first-week.json"
    evidence.write_text(json.dumps({"made up": "stands for the evidence.json of the run that was reviewed"}))
    digest = hashlib.sha256(evidence.read_bytes()).hexdigest()
    path = world.dir / "ledger.jsonl"
    if not path.exists():
        with path.open("wb") as file:
            file.writelines(ledger.chained(runs(world, people.now, reviewed, digest)))
    if reviewed + timedelta(hours=1) > people.now:
        return
    people.record(
        TRENDS,
        "backend",
        "The first week was looked through.",
        {
            "run": name(reviewed),
            "evidence": digest,
            "p95_s": 0.22,
            "error_ratio": 0.0002,
            "findings": [{"what": "afternoons are three times as busy as nights", "decision": "no action"}],
        },
        files=[evidence],
        ago=people.now - reviewed - timedelta(hours=1),
    )


def name(at: datetime) -> str:
    """Return the id of the run of a time."""
    return f"{at:%Y%m%dT%H%M%SZ}-made-up"


def runs(world: World, until: datetime, reviewed: datetime, evidence: str) -> Iterator[tuple[Record, str]]:
    """Yield a run each five minutes, all of which found the items of after the go-live passed."""
    checklist = default()
    items = [{"item": one.id, "verdict": "passed"} for one in checklist.items if one.phase == "post_go_live"]
    released = release(world).model_dump()
    at = datetime.fromisoformat(world.release.deployed_at) + EACH
    while at < until:
        record = Record(
            tool={"name": "pytest-deploycheck", "version": "made up"},
            run={"id": name(at), "finished_at": at.isoformat()},
            target={"name": "demo", "environment": "demo", "config_digest": "made up"},
            release=released,
            checklist={"digest": checklist.digest},
            selection=(),
            decision={"decision": "GO"},
            items=items,
        )
        yield record, evidence if at == reviewed else ""
        at += EACH
