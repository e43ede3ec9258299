"""How the newest signed drill went in time: its steps, the outage beside them, and what it measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.drill.record import DrillRecord, NotARecord, parse
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.plots import Timeline
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.target import Target

ITEM = "operations.maintenance.rollback"


@dataclass(frozen=True)
class DrillTimes:
    """The newest drill. rto_s, rpo_s, outage_s: measured, in seconds; None where it did not come so far."""

    drill: str
    rto_s: float | None
    rpo_s: float | None
    outage_s: float
    timeline: Timeline


@probe(facts=DrillTimes, deadline=10, safety="S0")
def drill_times(target: Target, evidence_facts: EvidenceFacts) -> DrillTimes:
    """Draw the newest signed drill as a timeline."""
    found = [one for one in evidence_facts.files if one.item == ITEM and one.kind == "record"]
    if not found:
        raise CannotLook(
            Reason.NO_EVIDENCE, f"no signed record of {ITEM}; run pytest suites/rollback --drill, and sign it"
        )
    newest = max(found, key=lambda one: one.produced_at)
    try:
        record = parse(newest.facts)
        return DrillTimes(
            drill=record.id,
            rto_s=record.rto_s,
            rpo_s=record.rpo_s,
            outage_s=record.outage.outage_s,
            timeline=timeline(record, target.limits.drill_rto_s),
        )
    except (NotARecord, ValueError) as why:
        raise CannotLook(Reason.UNPARSEABLE, f"{newest.name} is no record of a drill: {why}") from None


def timeline(record: DrillRecord, limit: float) -> Timeline:
    """Return the steps of a drill and the outage that users saw; limit: the RTO in seconds."""
    start = record.started_at
    rows = [
        (
            f"{step.name}{'' if step.state == 'done' else ' FAILED'}",
            _since(step.start, start),
            _since(step.end, start),
        )
        for step in record.steps
        if step.started_at and step.ended_at
    ]
    # The prober starts a moment after the drill.
    rows += [("users away", begun, begun + took) for begun, took in record.outage.stretches]
    if not rows:
        raise ValueError("no step of it was begun")
    measured = ", ".join(
        f"{name} {value:.1f} s" if value is not None else f"{name} not measured"
        for name, value in (("RTO", record.rto_s), ("RPO", record.rpo_s))
    )
    return Timeline(
        title=f"Drill {record.id}: {measured}, users away for {record.outage.outage_s:.1f} s",
        start=start.isoformat(),
        rows=tuple(rows),
        limit=limit,
        limited="resume",
    )


def _since(at: datetime, start: datetime) -> float:
    return round(max(0.0, (at - start).total_seconds()), 3)
