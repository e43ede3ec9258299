"""Post Go-Live, Ongoing Operations: recovery is tested each quarter (item 101)."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.claims import recoveries, reviews
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.dr_plan import DrPlanFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

DR_TEST = "post_go_live.ongoing.dr_test"
TEXT = "Quarterly disaster recovery tests"
REAL = ("full rebuild", "restore", "key compromise", "provider loss")
KINDS = (*REAL, "tabletop")
YEAR = timedelta(days=365)


@pytest.mark.checklist(DR_TEST, text=TEXT)
def test_quarterly(
    evidence_facts: EvidenceFacts, dr_plan_facts: DrPlanFacts, limits: Limits, now: datetime
) -> None:
    """Since the go-live there was a test each quarter, real ones among them, of every kind within a year."""
    live = _live(dr_plan_facts)
    longest = timedelta(days=limits.dr_test_every_d + limits.dr_test_grace_d)
    files = reviews.counting(evidence_facts.files, DR_TEST)
    if not files:
        if now <= live + longest:
            pending(live + longest, "the first quarterly test is not due yet")
        unproven(Reason.NO_EVIDENCE, f"no signed record of a test; deploycheck attest {DR_TEST}")
    held = [max(live, _held(file, now)) for file in files]
    for before, after in itertools.pairwise([live, *sorted(held)]):
        if after > now - YEAR:
            assert after - before <= longest, (
                f"no test for {(after - before).days} days after {before.date()}"
            )
    since = now - max(held)
    assert since <= longest, f"the newest test was {since.days} days ago"
    recent = [_kind(file) for file, at in zip(files, held, strict=True) if at > now - YEAR]
    real = [kind for kind in recent if kind in REAL]
    assert real, "all tests of the last year were talks at a table"
    if now - live >= YEAR:
        assert len(real) >= limits.dr_test_real_min, (
            f"{len(real)} real tests within a year: {Counter(recent)}"
        )
        missing = [kind for kind in REAL if kind not in recent]
        assert not missing, f"within a year there was no test of the kind {', '.join(missing)}"


@pytest.mark.checklist(DR_TEST, text=TEXT)
def test_measured(
    evidence_facts: EvidenceFacts, dr_plan_facts: DrPlanFacts, limits: Limits, now: datetime
) -> None:
    """The newest real test was measured and within the promise, the suites passed, and what it showed is mended."""
    live = _live(dr_plan_facts)
    files = reviews.counting(evidence_facts.files, DR_TEST)
    first = live + timedelta(days=limits.dr_test_every_d + limits.dr_test_grace_d)
    if not files:
        if now <= first:
            pending(first, "the first quarterly test is not due yet")
        unproven(Reason.NO_EVIDENCE, f"no signed record of a test; deploycheck attest {DR_TEST}")
    real = [file for file in files if _kind(file) in REAL]
    assert real, "all tests were talks at a table"
    file = real[-1]
    longest = limits.dr_test_every_d + limits.dr_test_grace_d
    recoveries.measured(file, dr_plan_facts, now=now, max_age_d=4 * longest)
    recoveries.smoked(file, dr_plan_facts)
    for one in files:
        actions = reviews.tables(one, fact(one, "actions", list), "actions", "what", "opened_at")
        late = reviews.open_too_long(one, actions, timedelta(days=limits.dr_action_max_d), now)
        assert not late, (
            f"{one.name}: open for more than {limits.dr_action_max_d:g} days: {', '.join(late[:3])}"
        )


def _held(file: SignedFile, now: datetime) -> datetime:
    at = moment(file, "users_back_at") if _kind(file) in REAL else moment(file, "held_at")
    assert at <= file.produced + timedelta(minutes=1), f"{file.name} was signed before the test was over"
    assert at <= now + timedelta(minutes=5), f"{file.name} is of a test in the future"
    return at


def _kind(file: SignedFile) -> str:
    kind = str(fact(file, "kind", str))
    assert kind in KINDS, f"{file.name}: kind {kind!r} is none of {', '.join(KINDS)}"
    return kind


def _live(facts: DrPlanFacts) -> datetime:
    if not facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    return datetime.fromisoformat(facts.go_live_at)
