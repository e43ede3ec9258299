"""Rollback Procedure, the last two steps (items 114 and 115): users are back, and it is written down."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.claims import drills, evidence
from pytest_deploycheck.claims.drills import fact
from pytest_deploycheck.claims.signatures import Status
from pytest_deploycheck.drill.record import STEPS, DrillRecord
from pytest_deploycheck.probes.drill import DrillFacts, Event
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts

RESUME = "rollback.procedure.resume"
POSTMORTEM = "rollback.procedure.postmortem"
BLAME = re.compile(r"^\W*(human|operator|user|people)?\s*(error|mistake|failure|fault)\W*$", re.IGNORECASE)
"""A root cause in these words only names somebody."""


def newest(evidence: EvidenceFacts, facts: DrillFacts, limits: Limits, now: datetime) -> DrillRecord:
    """Return the newest drill that counts."""
    return drills.newest(
        evidence.files, now=now, max_age_d=limits.drill_max_age_d, migrations=facts.migrations
    )


@pytest.mark.checklist(RESUME, text="Resume normal operations")
def test_resumed(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Users were back within the time that was promised, on every route, and it stayed so."""
    left = [f"{one.id} in step {one.step}" for one in drill_facts.unfinished]
    assert not left, (
        f"a drill was begun and did not end: {', '.join(left)}; the door may still be closed: give --drill again"
    )
    record = newest(evidence_facts, drill_facts, limits, now)
    step = drills.step(record, "resume")
    took = fact(step, "open_after_s", (int, float))
    assert took <= limits.drill_open_max_s, f"the door was open after {took:.0f} s"
    routes = fact(step, "routes", list)
    assert routes, "the drill asked no public route"
    for one in routes:
        assert one["status"] not in (0, 502, 503, 504), (
            f"after the maintenance, {one['url']} answers {one['status']}"
        )
    watched = fact(step, "stable_s", (int, float))
    assert watched >= limits.drill_stable_s, f"the drill watched the routes for {watched:.0f} s only"
    assert fact(step, "stable_asked", int) > 0, "nobody asked after the maintenance"
    assert fact(step, "stable_wrong", int) == 0, (
        f"{step.after['stable_wrong']} answers were wrong after the maintenance"
    )
    if record.rto_s is None:
        unproven(Reason.NO_EVIDENCE, "the record does not tell how long users were away")
    assert record.rto_s <= limits.drill_rto_s, f"users were away for {record.rto_s / 60:.0f} minutes"
    outage = record.outage
    assert outage.samples > 0, "no prober saw how long users were away"
    assert outage.refused > 0, "the prober saw no outage: it asked something that was never closed"
    assert outage.outage_s <= limits.drill_rto_s, (
        f"the prober saw an outage of {outage.outage_s / 60:.0f} minutes"
    )


@pytest.mark.checklist(RESUME, text="Resume normal operations")
def test_work_goes_on(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """A transaction went through, once although it was asked for twice; workers work, and nothing waits or is silent."""
    step = drills.step(newest(evidence_facts, drill_facts, limits, now), "resume")
    canary = step.after.get("canary")
    if canary is None:
        unproven(Reason.NO_CONFIG, "no rollback.canary_cmd in the target file; add it")
    assert canary.get("same") is True, (
        "the canary's transaction was asked for twice with one key, and done twice"
    )
    if drill_facts.workers:
        moves = fact(step, "worker_moves_after_s", (int, float, type(None)))
        assert moves is not None, "after the maintenance, the workers did not work"
    if drill_facts.queue:
        drained = fact(step, "drained_after_s", (int, float, type(None)))
        assert drained is not None, f"after the maintenance, {step.after.get('backlog')} jobs still waited"
        assert drained <= limits.drill_backlog_max_s, f"jobs waited for {drained:.0f} s"
    before, after = step.before.get("duplicates"), step.after.get("duplicates")
    if before is not None:
        assert after == before, f"jobs were done twice: {after} after the maintenance, {before} before"
    quiet = step.after.get("silences")
    if drill_facts.silences and quiet is None:
        unproven(Reason.NO_EVIDENCE, "the drill did not see which silences were left")
    known = {one["id"] for one in _before_maintenance(newest(evidence_facts, drill_facts, limits, now))}
    left = [one["comment"] or one["id"] for one in quiet or () if one["id"] not in known]
    assert not left, f"after the maintenance, alerts were still silent: {left[0]}"


def _before_maintenance(record: DrillRecord) -> list[dict[str, str]]:
    first = record.step("maintenance")
    return list(first.before.get("silences") or ()) if first else []


@pytest.mark.checklist(POSTMORTEM, text="Investigate and document issues")
def test_every_event_has_its_account(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Every drill has an account, signed by both who led it and who answers for it, within a week of work."""
    record = newest(evidence_facts, drill_facts, limits, now)
    events = {one.id: one for one in drill_facts.events if one.ended_at}
    events.setdefault(record.id, Event(record.id, record.ended_at.isoformat(), "postmortem"))
    accounts = _accounts(evidence_facts)
    for event in events.values():
        ended = datetime.fromisoformat(event.ended_at)
        due = _business_days(ended, limits.postmortem_max_d)
        file = accounts.get(event.id)
        if file is None:
            assert now <= due, f"drill {event.id} has no account, which was due {due:%Y-%m-%d}"
            if event.id == record.id:
                pending(due, f"drill {event.id} has no signed account; it is due {due:%Y-%m-%d}")
            continue
        assert not file.tampered, f"{file.name} was changed after it was signed: {'; '.join(file.problems)}"
        assert file.produced <= due, f"{file.name} was written after {due:%Y-%m-%d}, too late"
        if event.id == record.id:
            evidence.require_counts(file, now=now, max_age_d=limits.drill_max_age_d + 30, this_release=False)
            _countersigned(evidence_facts, file)


def _countersigned(facts: EvidenceFacts, file: SignedFile) -> None:
    good = {one.principal for one in file.signatures if one.status == Status.OK}
    assert file.role == "techlead", f"{file.name} is signed as {file.role}, not by the technical lead"
    leads = set(facts.holders("operations")) | set(facts.holders("devops"))
    assert (good - {file.principal}) & leads, (
        f"{file.name} is not countersigned by who led the drill (operations or devops)"
    )


@pytest.mark.checklist(POSTMORTEM, text="Investigate and document issues")
def test_it_taught_something(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Every account says what happened when, why, what it cost and what is done about it by whom; nothing is overdue."""
    record = newest(evidence_facts, drill_facts, limits, now)
    accounts = _accounts(evidence_facts)
    file = accounts.get(record.id)
    if file is None:
        due = _business_days(record.ended_at, limits.postmortem_max_d)
        assert now <= due, f"drill {record.id} has no account, which was due {due:%Y-%m-%d}"
        pending(due, f"drill {record.id} has no signed account; it is due {due:%Y-%m-%d}")
    assert evidence.fact(file, "trigger", str).strip(), f"{file.name} does not say what set it off"
    timeline = evidence.fact(file, "timeline", list)
    times = [evidence.moment_of(str(one.get("at", "")), f"{file.name}: timeline") for one in timeline]
    assert len(times) >= len(STEPS), f"{file.name}: its timeline has {len(times)} entries only"
    assert times == sorted(times), f"{file.name}: its timeline is not in order"
    impact = evidence.fact(file, "impact", dict)
    seen = record.outage.outage_s
    told = impact.get("outage_s")
    assert isinstance(told, int | float), (
        f"{file.name} does not say how long users were away (impact.outage_s)"
    )
    assert abs(told - seen) <= max(1.0, 0.05 * seen), (
        f"{file.name} tells of {told} s away, and the prober saw {seen} s"
    )
    causes = evidence.fact(file, "root_causes", list)
    assert causes, f"{file.name} names no cause"
    for cause in causes:
        assert not BLAME.match(str(cause)), f"{file.name}: {cause!r} names somebody, and no cause"
    for name in ("what_helped", "decisions", "runbook_updates"):
        assert evidence.fact(file, name, list), f"{file.name}: {name} is empty"
    for account in accounts.values():
        _actions(account, limits, now)


def _actions(file: SignedFile, limits: Limits, now: datetime) -> None:
    """Have actions with an owner, a date and a place to follow them, none of them long overdue."""
    actions = evidence.fact(file, "actions", list)
    assert actions, f"{file.name} leads to no action"
    for one in actions:
        what = str(one.get("what", ""))
        for key in ("what", "owner", "due", "tracker"):
            assert one.get(key), f"{file.name}: an action has no {key}: {what}"
        due = evidence.moment_of(_midnight(str(one["due"])), f"{file.name}: due of {what}")
        late = (now - due) / timedelta(days=1)
        assert one.get("done") or late <= limits.postmortem_overdue_max_d, (
            f"{file.name}: {what} is {late:.0f} days late"
        )


def _midnight(text: str) -> str:
    return f"{text}T00:00:00+00:00" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text


def _accounts(facts: EvidenceFacts) -> dict[str, SignedFile]:
    """Return the newest account of each event."""
    found = [file for file in facts.files if file.item == POSTMORTEM and file.kind == "record"]
    return {str(file.facts.get("event", "")): file for file in sorted(found, key=lambda one: one.produced_at)}


def _business_days(start: datetime, days: float) -> datetime:
    """Return the end of a number of days of work, Saturdays and Sundays left out."""
    at = start
    left = days
    while left > 0:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at
