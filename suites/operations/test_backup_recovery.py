"""Operational Readiness, Backup and Recovery: restore, plan and exercise (items 70 to 72)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence, recoveries, restores, reviews
from pytest_deploycheck.claims.documents import reviewed, sound
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.claims.signatures import Status
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.dr_plan import DrPlanFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

RESTORE = restores.RESTORE
PLAN = "operations.backup.dr_plan"
RECOVERY = "operations.backup.recovery"
PLAN_TEXT = "Disaster recovery plan documented"


@pytest.mark.checklist(RESTORE, text="Backup restoration tested")
def test_restore(
    evidence_facts: EvidenceFacts, backup_facts: BackupFacts, limits: Limits, now: datetime
) -> None:
    """A recent backup off the host was restored elsewhere, and what came out is what was noted when it was made."""
    file, chosen = restores.proof(evidence_facts.files, backup_facts, limits, now)
    assert file.facts and chosen.label


@pytest.mark.checklist(PLAN, text=PLAN_TEXT)
def test_plan(dr_plan_facts: DrPlanFacts, limits: Limits) -> None:
    """The plan speaks of all that may be lost, who does what in which order, and promises what is promised elsewhere."""
    facts = dr_plan_facts
    if facts.document is None:
        unproven(Reason.NO_CONFIG, "no dr.plan in the target file; add it")
    sound(facts.document, limits)
    name = facts.document.path
    assert not facts.lacks, f"{name} has nothing on {', '.join(facts.lacks)}"
    assert not facts.unforeseen, f"{name} does not foresee {', '.join(facts.unforeseen)}"
    if facts.document.source != "repository" and not facts.stored:
        unproven(
            Reason.NO_CONFIG,
            f"{name} is not in the repository; dr.stored: where can it be read when the host is lost?",
        )
    for key, value in (("rpo_h", facts.rpo_h), ("rto_h", facts.rto_h)):
        said = facts.said(key)
        assert said, f"the front matter of {name} has no {key}"
        if value is None:
            unproven(Reason.NO_CONFIG, f"no backup.{key} in the target file; add what {name} promises")
        assert recoveries.number(said) == value, f"{name} promises {key} {said}, backup.{key} is {value:g}"


@pytest.mark.checklist(PLAN, text=PLAN_TEXT)
def test_plan_can_be_kept(
    dr_plan_facts: DrPlanFacts,
    backup_facts: BackupFacts,
    evidence_facts: EvidenceFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """What the plan promises is no less than what backups lose and what a restore took when it was last tried."""
    facts = dr_plan_facts
    if facts.document is None or facts.rpo_h is None or facts.rto_h is None:
        unproven(Reason.NO_CONFIG, "no dr.plan, backup.rpo_h or backup.rto_h in the target file; add them")
    # Continuous archives lose less; whether they work is for the item of the schedule.
    if backup_facts.tool != "pgbackrest":
        assert facts.rpo_h >= backup_facts.interval_h, (
            f"{facts.document.path} promises to lose {facts.rpo_h:g} h at most; backups are made every "
            f"{backup_facts.interval_h:g} h"
        )
    found = [one for one in reviews.counting(evidence_facts.files, RESTORE) if one.produced <= now]
    if not found:
        unproven(
            Reason.NO_EVIDENCE, "how long a restore takes, nobody has measured: there is no record of one"
        )
    took = fact(found[-1], "duration_s", (int, float))
    assert took <= facts.rto_h * 3600, (
        f"the last restore took {took / 3600:.1f} h, {facts.document.path} promises {facts.rto_h:g} h for everything"
    )


@pytest.mark.checklist(PLAN, text=PLAN_TEXT)
def test_plan_reviewed(
    dr_plan_facts: DrPlanFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Operations and the technical lead both stand by the plan as it is now."""
    age = limits.dr_plan_review_max_age_d
    file = evidence.newest(evidence_facts.files, PLAN, now=now, max_age_d=age, this_release=False)
    if dr_plan_facts.document is None:
        unproven(Reason.NO_CONFIG, "no dr.plan in the target file; add it")
    reviewed(fact(file, "documents", dict), [dr_plan_facts.document], file.name)
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"
    _both(evidence_facts, file)


def _both(facts: EvidenceFacts, file: SignedFile) -> None:
    """Assert that a record is signed by operations and by the technical lead, who are two people."""
    good = {one.principal for one in file.signatures if one.status == Status.OK}
    other = "techlead" if file.role == "operations" else "operations"
    assert (good - {file.principal}) & set(facts.holders(other)), (
        f"{file.name} is not countersigned by {other}"
    )


@pytest.mark.checklist(RECOVERY, text="Recovery procedures tested")
def test_recovery(
    evidence_facts: EvidenceFacts, dr_plan_facts: DrPlanFacts, limits: Limits, now: datetime
) -> None:
    """Everything was rebuilt on a clean host from what is off the lost one, in time, and the suites passed on it."""
    file = evidence.newest(
        evidence_facts.files, RECOVERY, now=now, max_age_d=limits.dr_exercise_max_age_d, this_release=False
    )
    kind = fact(file, "kind", str)
    assert kind == "full rebuild", f"{file.name} is of a {kind}: that rebuilds no service"
    recoveries.rebuilt(file)
    recoveries.measured(file, dr_plan_facts, now=now, max_age_d=limits.dr_exercise_max_age_d)
    recoveries.smoked(file, dr_plan_facts)
    recoveries.attended(file)
    steps = fact(file, "chain_steps", list)
    assert any("pause" in str(step) for step in steps), f"{file.name}: pausing the contract was not rehearsed"
    for one in reviews.tables(file, fact(file, "deviations", list), "deviations", "what"):
        assert one.get("ticket"), f"{file.name}: {one['what']!r} went otherwise, and has no ticket"
    _both(evidence_facts, file)
