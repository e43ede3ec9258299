"""Post Go-Live, First Week (item 98): what real usage showed, and what was done about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.claims import reviews
from pytest_deploycheck.claims.evidence import fact
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_stats import DbStatsFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.review_files import ReviewFilesFacts

TUNING = "post_go_live.first_week.tuning"
ALIKE = 60
"""Characters by which a statement of a record is known again."""
VERBS = ("select", "insert", "update", "delete", "with", "merge", "copy", "call")


@pytest.mark.checklist(TUNING, text="Optimize based on real usage")
def test_tuning(
    evidence_facts: EvidenceFacts,
    db_stats_facts: DbStatsFacts,
    review_files_facts: ReviewFilesFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """The top findings of real usage each led to a change with numbers before and after, or to a reason for none.

    A change is a commit that the repository has, made after the go-live. As long as the record is young, the
    statements that take most of the database's time are among its findings.
    """
    if not review_files_facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    live = datetime.fromisoformat(review_files_facts.go_live_at)
    opens = live + timedelta(days=limits.review_opens_d)
    due = live + timedelta(days=limits.tuning_due_d)
    if review_files_facts.tuned_in:
        # What takes most time is another thing by now.
        assert now > due, f"run {review_files_facts.tuned_in} found it good, and it is not due before {due}"
        return
    if now < opens:
        pending(opens, f"there is enough usage to judge by from {opens.date()} on")
    file = reviews.within(evidence_facts.files, TUNING, opens=opens, due=due, now=now)
    if file is None:
        if now <= due:
            pending(due, f"nobody has signed it yet; due until {due.date()}: deploycheck attest {TUNING}")
        unproven(Reason.NO_EVIDENCE, f"nobody signed what was tuned until {due.date()}, when it was due")
    findings = reviews.tables(file, fact(file, "findings", list), "findings", "what", "action")
    top = db_stats_facts.statements
    wanted = min(limits.tuning_findings_min, len(top) + len(db_stats_facts.unused_indexes))
    assert wanted, "the database has counted no statement: there is no real usage"
    assert len(findings) >= wanted, f"{file.name} handles {len(findings)} findings of at least {wanted}"
    for one in findings:
        _handled(file.name, one, live, review_files_facts)
    if now - file.produced <= timedelta(days=limits.tuning_compare_max_d):
        _real(file.name, findings, db_stats_facts, limits)


def _real(name: str, findings: Sequence[Mapping[str, Any]], facts: DbStatsFacts, limits: Limits) -> None:
    """Fail unless the statements among the findings are the database's, and those that take most of its time."""
    texts = [text for one in findings if (text := _alike(str(one["what"]))).startswith(VERBS)]
    seen = [text for text in texts if any(_same(_alike(each.text), text) for each in facts.statements)]
    assert not texts or len(seen) >= limits.tuning_known_min * len(texts), (
        f"{name} names {len(texts)} statements, of which the database knows {len(seen)}"
    )
    if facts.stats_age_s < limits.tuning_stats_min_d * 86_400:
        return  # what takes most time since this morning is not what took most time in the week
    busiest = sorted(facts.statements, key=lambda each: -each.total_s)[: limits.tuning_findings_min]
    missed = [each for each in busiest if not any(_same(_alike(each.text), text) for text in texts)]
    assert len(busiest) - len(missed) >= limits.tuning_known_min * len(busiest), (
        f"{name} knows {len(busiest) - len(missed)} of the {len(busiest)} statements that take most time, "
        f"not: {'; '.join(each.text[:60] for each in missed)}"
    )


def _handled(name: str, one: Mapping[str, Any], live: datetime, files: ReviewFilesFacts) -> None:
    what = str(one["what"])[:60]
    if one["action"] == "none":
        assert len(str(one.get("reason", "")).split()) >= 3, f"{name}: {what}: no reason for doing nothing"
        return
    assert one["action"] == "change", f"{name}: {what}: action {one['action']!r} is neither change nor none"
    before, after = one.get("before"), one.get("after")
    for number in (before, after):
        assert isinstance(number, int | float) and not isinstance(number, bool), (
            f"{name}: {what}: no numbers from before and after the change"
        )
    assert before is not None
    assert after is not None
    better = after > before if one.get("better") == "higher" else after < before
    assert better, f"{name}: {what}: {before:g} became {after:g}, which is no better"
    assert one.get("unit"), f"{name}: {what}: numbers without a unit"
    commit = str(one.get("commit", ""))
    if not files.clone:
        unproven(
            Reason.NO_ACCESS, f"no clone with the released commit at {files.clone_at} to look for {commit}"
        )
    found = files.commit(commit)
    assert found is not None, f"{name}: {what}: the repository has no commit {commit[:12] or '(none)'}"
    assert datetime.fromisoformat(found.committed_at) > live, (
        f"{name}: {what}: commit {commit[:12]} is from before the go-live"
    )


def _alike(text: str) -> str:
    return " ".join(text.lower().split())[:ALIKE]


def _same(one: str, other: str) -> bool:
    return bool(one) and bool(other) and (one.startswith(other) or other.startswith(one)) and len(other) >= 12
