"""What a check does with the newest signed record of a drill: take it, or end, and take facts out of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.check import blocked, unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.drill import STEPS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.drill.record import DrillRecord, Step

ITEM = "operations.maintenance.rollback"
"""The item whose signed record holds a drill."""


def newest(files: Iterable[SignedFile], *, now: datetime, max_age_d: float, migrations: str) -> DrillRecord:
    """Return the newest signed drill, or end the check: there is none, it does not count, or it is of another style.

    migrations: the tool that the target migrates its schema with now; a drill with another one proves nothing about
    this one.  Its age is that of the drill, not of the signature.
    """
    from pytest_deploycheck.drill.record import NotARecord, parse  # pydantic's models, for a look only

    file = evidence.newest(files, ITEM, now=now, max_age_d=max_age_d, this_release=False)
    try:
        record = parse(file.facts)
    except NotARecord as why:
        unproven(Reason.UNPARSEABLE, f"{file.name} is no record of a drill: {why}")
    age = now - record.ended_at
    assert age > -timedelta(minutes=5), f"{file.name}: the drill ended in the future, at {record.ended_at}"
    if age > timedelta(days=max_age_d):
        unproven(Reason.STALE, f"{file.name}: the drill is {age.days} days old")
    if record.migrations != migrations:
        unproven(
            Reason.STALE,
            f"{file.name}: the drill was of migrations by {record.migrations or 'nothing'}, and now they are by "
            f"{migrations or 'nothing'}",
        )
    return record


def step(record: DrillRecord, name: str) -> Step:
    """Return a step that was done, or end the check: blocked behind the one that failed, failed, or not told of."""
    found = record.step(name)
    number = STEPS.index(name)
    if found is None:
        unproven(Reason.NO_EVIDENCE, f"{record.id} does not tell of step {number + 1}, {name}")
    for earlier in STEPS[:number]:
        before = record.step(earlier)
        if before is None or before.state != "done":
            why = before.why if before is not None and before.why else "it was not done"
            blocked("drill", f"step {STEPS.index(earlier) + 1}, {earlier}, of {record.id}: {why}")
    assert found.state == "done", f"{record.id}: step {number + 1}, {name}, {found.state}: {found.why}"
    assert found.started_at and found.ended_at, f"{record.id}: step {name} has no times"
    if number:
        before = record.step(STEPS[number - 1])
        assert before is not None
        assert before.end <= found.start, (
            f"{record.id}: step {name} began at {found.started_at}, before {before.name} ended at {before.ended_at}"
        )
    assert found.start <= found.end, f"{record.id}: step {name} ended before it began"
    return found


def fact(found: Step, key: str, kind: type | tuple[type, ...] = object, *, part: str = "after") -> Any:
    """Return a fact of a step by its dotted name; unproven where the record does not tell it."""
    value: Any = getattr(found, part)
    for word in key.split("."):
        if not isinstance(value, Mapping) or word not in value:
            unproven(Reason.NO_EVIDENCE, f"step {found.name} of the drill does not tell {key}")
        value = value[word]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, float, (int, float))):
        unproven(
            Reason.NO_EVIDENCE, f"step {found.name} of the drill does not tell {key}: it is {value!r}"[:200]
        )
    return value


def at(found: Step, key: str) -> datetime:
    """Return a time of a step."""
    return evidence.moment_of(str(fact(found, key, str)), f"step {found.name}: {key}")
