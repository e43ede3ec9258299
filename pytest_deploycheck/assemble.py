"""From what was seen and what the tests said to the record: no pytest, no clock, no I/O.

The same function makes the record at the end of a run and, from the journal, after a run that was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import record as records
from pytest_deploycheck.decision import DeadGate, decide
from pytest_deploycheck.gates import GATES
from pytest_deploycheck.record import Record, jsonable
from pytest_deploycheck.verdict import Claim, Comparison, ItemVerdict, LimitUse, Outcome, Verdict, judge

if TYPE_CHECKING:
    from pytest_deploycheck.checklist import Checklist


@dataclass
class Seen:
    """Everything a run brings together; `header` holds the sections known before the first test.

    header keys: tool, run, target, release, standins, selection, coverage.  observations: the record's
    entries by probe.
    """

    header: dict[str, Any]
    claims: list[Claim] = field(default_factory=list)
    observations: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    finished_at: str = ""


def assemble(seen: Seen, checklist: Checklist, *, now: datetime) -> Record:
    """Judge every selected item and return the record; `now` decides which claims still count."""
    selection = [item for item in seen.header["selection"] if item in checklist.by_id]
    verdicts = judge(selection, seen.outcomes, seen.claims, now=now)
    claims = _with_unused(seen.claims, verdicts)
    gates = dead_gates(seen.observations.values())
    ruling = decide(
        verdicts,
        kinds={item.id: item.kind for item in checklist.items},
        dead_gates=gates,
        interrupted=seen.interrupted,
    )
    run = {**seen.header["run"], "interrupted": seen.interrupted, "finished_at": seen.finished_at}
    if seen.finished_at:
        began = datetime.fromisoformat(run["started_at"])
        run["duration_s"] = round((datetime.fromisoformat(seen.finished_at) - began).total_seconds(), 3)
    return Record(
        tool=seen.header["tool"],
        run=run,
        target=seen.header["target"],
        release=seen.header["release"],
        checklist={
            "path": checklist.path,
            "title": checklist.title,
            "digest": checklist.digest,
            "items": jsonable(checklist.items),
        },
        selection=selection,
        decision=records.decision_section(ruling),
        items=records.item_sections(verdicts),
        observations=list(seen.observations.values()),
        gates=records.gate_sections(gates),
        claims=records.claim_sections(claims),
        coverage=seen.header["coverage"],
        requests=seen.requests,
        standins=seen.header["standins"],
        baseline={"state": "none", "sentence": "No earlier run was given (--baseline)."},
    )


def _with_unused(claims: Sequence[Claim], verdicts: Sequence[ItemVerdict]) -> list[Claim]:
    """Say of each claim that was not needed that it was not; of items that were not judged nothing is known."""
    used = {id(verdict.claim) for verdict in verdicts if verdict.claim is not None}
    judged = {verdict.item: verdict for verdict in verdicts}
    found = []
    for claim in claims:
        if not claim.problem and id(claim) not in used and claim.item in judged:
            words = judged[claim.item].verdict.value.replace("_", " ")
            claim = replace(claim, problem=f"not used: the item is {words} without it; delete it")
        found.append(claim)
    return found


def dead_gates(observations: Sequence[Mapping[str, Any]] | Any) -> list[DeadGate]:
    """Return each gate that refused, once, with the item that owns it."""
    found: dict[str, DeadGate] = {}
    for seen in observations:
        if seen["state"] == "dead" and seen["gate"] not in found:
            gate = GATES.get(seen["gate"])
            found[seen["gate"]] = DeadGate(seen["gate"], gate.owner if gate else "", seen["detail"])
    return list(found.values())


def outcome_from_json(values: Mapping[str, Any]) -> Outcome:
    """Read an outcome back from plain JSON, as it comes from a worker process or the journal."""
    kept = dict(values)
    kept["verdict"] = Verdict(kept["verdict"])
    kept["comparisons"] = tuple(Comparison(**entry) for entry in kept["comparisons"])
    kept["limits"] = tuple(LimitUse(**entry) for entry in kept["limits"])
    for name in ("items", "observations", "attempts"):
        kept[name] = tuple(kept[name])
    return Outcome(**kept)


def claim_from_json(values: Mapping[str, Any]) -> Claim:
    """Read a claim back from plain JSON."""
    until = values.get("until")
    return Claim(**{**values, "until": datetime.fromisoformat(until) if until else None})
