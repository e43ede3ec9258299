"""Maintenance Procedures: the rollback was rehearsed lately, whole and in time, and is possible today (item 75)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import drills
from pytest_deploycheck.drill import STEPS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.drill.record import DrillRecord
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.drill import DrillFacts
    from pytest_deploycheck.probes.drill_times import DrillTimes
    from pytest_deploycheck.probes.evidence import EvidenceFacts

ITEM = "operations.maintenance.rollback"
TEXT = "Rollback procedures tested"


def newest(evidence: EvidenceFacts, facts: DrillFacts, limits: Limits, now: datetime) -> DrillRecord:
    """Return the newest drill that counts."""
    return drills.newest(
        evidence.files, now=now, max_age_d=limits.drill_max_age_d, migrations=facts.migrations
    )


@pytest.mark.checklist(ITEM, text=TEXT)
def test_rehearsed(
    evidence_facts: EvidenceFacts,
    drill_facts: DrillFacts,
    drill_times_facts: DrillTimes,
    limits: Limits,
    now: datetime,
) -> None:
    """All seven steps were done, in their order, none of them overlapping, in less time than was promised."""
    record = newest(evidence_facts, drill_facts, limits, now)
    assert drill_times_facts.drill == record.id, (
        f"what is drawn is {drill_times_facts.drill}, not {record.id}"
    )
    names = tuple(step.name for step in record.steps)
    assert names == STEPS, f"{record.id} tells of the steps {', '.join(names)}"
    for step in record.steps:
        assert step.state == "done", (
            f"{record.id}: step {step.name} {step.state}: {step.why or 'a step before it failed'}"
        )
    for one, following in pairwise(record.steps):
        assert one.end <= following.start, f"{record.id}: {following.name} began before {one.name} ended"
    assert not record.aborted, f"{record.id} was given up: {record.aborted}"
    if record.rto_s is None:
        unproven(Reason.NO_EVIDENCE, f"{record.id} does not tell how long it took")
    assert record.rto_s <= limits.drill_rto_s, f"{record.id} took {record.rto_s / 60:.0f} minutes"
    assert record.forward is not False, f"{record.id}: the release that ran did not come back afterwards"


@pytest.mark.checklist(ITEM, text=TEXT)
def test_possible_today(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """The way back is open now: commands, images, the database's way and the contract's are all named and there."""
    newest(evidence_facts, drill_facts, limits, now)
    if drill_facts.problem:
        unproven(Reason.NO_CONFIG, drill_facts.problem)
    if not drill_facts.db_rollback:
        unproven(
            Reason.NO_CONFIG, "no release.db_rollback in the target file; say none, downgrade or restore"
        )
    wanted = [
        one for one in drill_facts.commands if one.name != "restore_cmd" or drill_facts.db_rollback != "none"
    ]
    for command in wanted:
        if not command.given:
            unproven(Reason.NO_CONFIG, f"no rollback.{command.name} in the target file; add it")
        assert command.there is not False, f"rollback.{command.name}: {command.program} is not there"
    for image in drill_facts.images:
        if image.where is None:
            unproven(Reason.NO_ACCESS, f"whether the image of {image.service} is still there: {image.why}")
        assert image.where, (
            f"{image.service}: {image.digest} of the release before is not in the registry any more"
        )
    if drill_facts.contract:
        assert drill_facts.contract_plan, "rollback.contract_plan does not say what becomes of the contract"
