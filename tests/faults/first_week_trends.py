"""Faults of the first week: worse numbers than before, and reviews that are none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.past import Past
from pytest_deploycheck.verdict import Verdict
from tests.faults.first_day import NEEDS, TRENDS, day
from tests.faults.harness import fault
from tests.faults.tools import signed_again

WEEK_PIECES = ("day", "after")


def slower_week(made: Past) -> None:
    """Let a third of the requests that were answered within 0.25 s take up to half a second, from go-live on."""
    for series in made.named("http_request_duration_seconds_bucket"):
        if float(dict(series[1])["le"]) <= 0.25:
            for n in made.between(0, 24 * 7):
                made.counters[series][n] *= 0.9


def filling_week(made: Past) -> None:
    """Let the disk fill slowly: in three weeks from go-live on."""
    (free,) = made.named("node_filesystem_avail_bytes")
    for n in made.between(0, 24 * 8):
        made.gauges[free][n] = 60 * 2.0**30 - (made.times[n] - made.go_live) / 86_400 * 2.9 * 2**30


for name, change in (
    ("p95 rose by a third, and no action is named", slower_week),
    ("the disk is full in two weeks, and no action is named", filling_week),
):
    fault(TRENDS, name, probes=("window",), needs=NEEDS, lived=True)(day(change, *WEEK_PIECES))


def said(change: Callable[[dict[str, Any]], object], *, sign: bool = True) -> Any:
    """Return an injection that changes what was signed about the first week."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return signed_again(demo, TRENDS, change, sign=sign)

    return inject


def facts(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Return a change of some facts."""
    return lambda values: values["facts"].update(changes)


def earlier(values: dict[str, Any]) -> None:
    """Let the review have been signed three days after go-live, before there was a week to review."""
    at = datetime.fromisoformat(values["produced_at"]) - timedelta(days=4, hours=1)
    values["produced_at"] = at.isoformat()


for name, said_, becomes in (
    ("a review before there was a week", earlier, Verdict.FAILED),
    ("the review cites other evidence", facts(evidence="0" * 64), Verdict.FAILED),
    ("the review is about a run that nobody knows", facts(run="20261101T000000Z-none"), Verdict.FAILED),
    ("the review's p95 is not the week's", facts(p95_s=0.1), Verdict.FAILED),
    ("the review finds nothing", facts(findings=[]), Verdict.FAILED),
    ("a finding without a decision", facts(findings=[{"what": "slow", "decision": ""}]), Verdict.FAILED),
    ("a template without numbers", lambda values: values["facts"].pop("p95_s"), Verdict.UNPROVEN),
):
    fault(TRENDS, name, probes=("evidence",), needs=NEEDS, lived=True, becomes=becomes)(said(said_))

fault(TRENDS, "changed after it was signed", probes=("evidence",), needs=NEEDS, lived=True)(
    said(facts(error_ratio=0.0003), sign=False)
)
