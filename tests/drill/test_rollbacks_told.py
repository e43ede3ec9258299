"""A rollback that the ledger of the reference deployment tells of, and what people sign about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.records.drill import account, countersign, recorded
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import Judged, judge_all, look
from tests.faults.ledgers import path_of, rolled_back

ITEM = "rollback.procedure.postmortem"
AGO = timedelta(days=21)
HOUR = timedelta(hours=1)
Healthy = tuple[Run, dict[str, Observation]]


def judged(demo: Deployment, healthy: Healthy, *, after: timedelta, by: str, **changes: Any) -> Judged:
    """Sign an account of a rollback of three weeks ago, so long after it; return what the item is then.

    by: the role that signs beside the technical lead.  changes: of the account's facts; None takes one away.
    """
    people = People(demo.world)
    with rolled_back(demo, AGO) as run:
        at = datetime.now(UTC) - AGO
        facts = account(recorded(demo.world, at - HOUR)) | {"event": run, "trigger": "purchases failed"}
        facts |= {"detected_at": (at - 2 * HOUR).isoformat(), "impact": {"outage_s": 840}}
        facts = {key: value for key, value in (facts | changes).items() if value is not None}
        path = people.record(ITEM, "techlead", "What the rollback taught us.", facts, ago=AGO - after)
        countersign(people, path, by)
        try:
            return judge_all(*look(load(demo.target), ("rollbacks", "evidence"), healthy[1]))[ITEM]
        finally:
            for one in path.parent.glob(f"{path.name}*"):
                one.unlink()


@pytest.mark.parametrize(
    ("after", "by", "changes", "verdict", "words"),
    [
        (timedelta(days=2), "operations", {}, "passed", ""),
        (timedelta(days=9), "operations", {}, "failed", "too late"),
        (timedelta(days=2), "qa", {}, "failed", "not countersigned"),
        (timedelta(days=2), "operations", {"event": "drill-1"}, "failed", "has no account"),
        (timedelta(days=2), "operations", {"root_causes": ["Human error."]}, "failed", "names somebody"),
        (timedelta(days=2), "operations", {"detected_at": None}, "unproven", "detected_at"),
        (timedelta(days=2), "operations", {"impact": {}}, "failed", "how long users were away"),
    ],
    ids=["told", "too late", "one signature", "of another event", "blame", "no detection", "no impact"],
)
def test_the_account_of_a_rollback(
    demo: Deployment,
    healthy: Healthy,
    after: timedelta,
    by: str,
    changes: dict[str, Any],
    verdict: str,
    words: str,
) -> None:
    """It is green with an account that was signed by both in time and tells what there is to tell, and only so."""
    found = judged(demo, healthy, after=after, by=by, **changes)
    assert (found.verdict, words in found.message) == (Verdict(verdict), True), found


def test_an_account_that_is_not_due_yet(demo: Deployment, healthy: Healthy) -> None:
    """After a rollback of today nobody has had the time to write; the item waits for it, and is not green."""
    with rolled_back(demo, HOUR) as run:
        found = judge_all(*look(load(demo.target), ("rollbacks", "evidence"), healthy[1]))[ITEM]
    assert (found.verdict, run in found.message) == (Verdict.PENDING, True), found


def test_a_ledger_that_was_changed_tells_nothing(demo: Deployment, healthy: Healthy) -> None:
    """Behind a broken link of the chain there may be a rollback that nobody sees."""
    with rolled_back(demo, AGO):
        path = path_of(demo)
        path.write_bytes(path.read_bytes().replace(b'"GO"', b'"NO"', 1))
        found = judge_all(*look(load(demo.target), ("rollbacks", "evidence"), healthy[1]))[ITEM]
    assert (found.verdict, "ledger" in found.message) == (Verdict.UNPROVEN, True), found
