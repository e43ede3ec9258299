"""Post Go-Live Monitoring, First Week: item 94 of the default checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.check import pending, provisional, unproven
from pytest_deploycheck.claims.evidence import fact, newest
from pytest_deploycheck.rules.baseline import compared, slope
from pytest_deploycheck.verdict import Reason
from pytest_deploycheck.windows import kept, measured

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.window import WindowFacts
    from pytest_deploycheck.probes.window_runs import WindowRunsFacts

TRENDS = "post_go_live.first_week.trends"
_DAY_S = 86_400
TOLD_WITHIN = 0.2
"""A number of the review is that of the week within so much: it may have been read days before the week's end."""


@pytest.mark.checklist(TRENDS, text="Review performance trends")
def test_trends(
    window_facts: WindowFacts,
    window_runs_facts: WindowRunsFacts,
    evidence_facts: EvidenceFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Somebody looked at the first week's numbers, as a run in the ledger has them, and decided what to do.

    What got worse than the week before, or will run out within weeks, has an action. The chance that a week without
    a rise of p95 needs one is 1 in 100; that a rise of a fifth passes as steady is 1 in 20.
    """
    opens = window_facts.go_live + timedelta(days=limits.trends_opens_d)
    closes = window_facts.go_live + timedelta(days=limits.trends_closes_d)
    week = window_facts.week
    if now < opens or week is None:
        pending(opens, f"the first week is reviewed from {opens.isoformat()} on")
    if now < closes:
        provisional(closes)
    elif final := kept(window_runs_facts, TRENDS, week):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its time was over"
        )
        return
    told = [one for one in evidence_facts.files if (one.item, one.kind) == (TRENDS, "record")]
    if not told and now < closes:
        pending(
            closes, f"nobody has signed a review of the first week yet; it is due until {closes.isoformat()}"
        )
    age = (now - window_facts.go_live) / timedelta(days=1) + 1
    file = newest(evidence_facts.files, TRENDS, now=now, max_age_d=age)
    assert opens <= file.produced <= closes, (
        f"{file.name} was signed at {file.produced_at}, not between {opens.isoformat()} and {closes.isoformat()}"
    )
    cited = fact(file, "run", str)
    known = {run: (at, digest) for run, at, digest in window_runs_facts.evidence}
    assert cited in known, (
        f"{file.name} is about run {cited!r}, which wrote no evidence in the time of the review"
    )
    at, digest = known[cited]
    assert fact(file, "evidence", str) == digest, f"{file.name} cites other evidence than run {cited} wrote"
    assert datetime.fromisoformat(at) <= file.produced, f"{file.name} was signed before run {cited} had ended"

    times = sorted(value for _, value in measured(week, "p95", seen_min=limits.window_judged_min))
    ratios = sorted(value for _, value in week.error_ratio)
    _told_truly(file, "p95_s", times[len(times) // 2], 0.01)
    if ratios:
        _told_truly(file, "error_ratio", ratios[len(ratios) // 2], 1 - limits.window_objective)
    findings = fact(file, "findings", list)
    assert findings, f"{file.name} found nothing at all, not even that nothing is to be done"
    for one in findings:
        assert isinstance(one, dict) and one.get("what") and one.get("decision"), (
            f"{file.name}: a finding says what it is and what was decided, not {one!r}"
        )
    if window_facts.before is not None and window_facts.before.points("p95"):
        start, earlier = window_facts.go_live.timestamp(), window_facts.before
        change = compared(
            [(start + at_s, value) for at_s, value in week.points("p95")],
            [(start - 7 * _DAY_S + at_s, value) for at_s, value in earlier.points("p95")],
            limits.trends_rise_max,
        )
        about = f"p95 is {change.ratio:.2f} times that of the week before (from {change.low:.2f} to {change.high:.2f})"
        if change.decision == "rise":
            assert _answered(findings, "p95", "action"), f"{about}, and {file.name} names no action about p95"
        elif change.decision == "unclear":
            assert _answered(findings, "p95", "decision"), f"{about}, and {file.name} says nothing about p95"
    disk = week.points("disk")
    if not disk:
        unproven(
            Reason.NO_EVIDENCE, "nobody measures the disks; scrape node_exporter or give watch.queries.disk"
        )
    per_day = slope(disk) * _DAY_S
    left = (1 - disk[-1][1]) / per_day if per_day > 0 else float("inf")
    if left < limits.trends_disk_days_min:
        assert _answered(findings, "disk", "action"), (
            f"the fullest disk is full in {left:.0f} days, and {file.name} names no action about disk"
        )


def _told_truly(file: SignedFile, name: str, seen: float, slack: float) -> None:
    """Hold a number of the review against the week's median of it."""
    said = fact(file, name, (int, float))
    assert abs(said - seen) <= max(TOLD_WITHIN * seen, slack), (
        f"{file.name} says {name} = {said:g}; over the week it was {seen:g}"
    )


def _answered(findings: list[Any], about: str, key: str) -> bool:
    """Whether one of the findings is about something and gives an answer."""
    return any(one.get("about") == about and str(one.get(key, "")).strip() for one in findings)
