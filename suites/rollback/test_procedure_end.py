"""Rollback Procedure, the last two steps (items 114 and 115): users are back, and it is written down."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.claims import accounts, drills, evidence
from pytest_deploycheck.claims.drills import fact
from pytest_deploycheck.claims.signatures import Status
from pytest_deploycheck.drill import STEPS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.drill.record import DrillRecord
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.drill import DrillFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.rollbacks import Rollback, RollbacksFacts

RESUME = "rollback.procedure.resume"
POSTMORTEM = "rollback.procedure.postmortem"


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
    drilled = {one.id: datetime.fromisoformat(one.ended_at) for one in drill_facts.events if one.ended_at}
    drilled.setdefault(record.id, record.ended_at)
    written = accounts.by_event(evidence_facts)
    for event, ended in drilled.items():
        due = accounts.business_days(ended, limits.postmortem_max_d)
        file = written.get(event)
        if file is None:
            assert now <= due, f"drill {event} has no account, which was due {due:%Y-%m-%d}"
            if event == record.id:
                pending(due, f"drill {event} has no signed account; it is due {due:%Y-%m-%d}")
            continue
        accounts.in_time(file, due)
        if event == record.id:
            evidence.require_counts(file, now=now, max_age_d=limits.drill_max_age_d + 30, this_release=False)
            accounts.countersigned(evidence_facts, file)


@pytest.mark.checklist(POSTMORTEM, text="Investigate and document issues")
def test_it_taught_something(
    evidence_facts: EvidenceFacts, drill_facts: DrillFacts, limits: Limits, now: datetime
) -> None:
    """Every account says what happened when, why, what it cost and what is done about it by whom; nothing is overdue."""
    record = newest(evidence_facts, drill_facts, limits, now)
    written = accounts.by_event(evidence_facts)
    file = written.get(record.id)
    if file is None:
        due = accounts.business_days(record.ended_at, limits.postmortem_max_d)
        assert now <= due, f"drill {record.id} has no account, which was due {due:%Y-%m-%d}"
        pending(due, f"drill {record.id} has no signed account; it is due {due:%Y-%m-%d}")
    accounts.timeline(file, len(STEPS))
    told, seen = accounts.away_s(file), record.outage.outage_s
    assert abs(told - seen) <= max(1.0, 0.05 * seen), (
        f"{file.name} tells of {told} s away, and the prober saw {seen} s"
    )
    accounts.lessons(file)
    for account in written.values():
        accounts.actions(account, limits, now)


@pytest.mark.checklist(POSTMORTEM, text="Investigate and document issues")
def test_every_rollback_has_its_account(
    rollbacks_facts: RollbacksFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Every rollback that the ledger knows has an account by the rules of a drill's, and it says when it was detected.

    A rollback is a release that is back after a newer one, as the runs against this target say that looked at what
    runs; see `returns` for what is none: a redeploy, two stages that are judged in turn, a drill. A return that was
    planned is one, too, as a planned drill is: its account says so. Without a ledger nobody remembers rollbacks, and
    the item is unproven; an empty one knows of none.
    """
    written = accounts.by_event(evidence_facts)
    dues = {
        one.run: accounts.business_days(datetime.fromisoformat(one.at), limits.postmortem_max_d)
        for one in rollbacks_facts.found
    }
    late = [one for one in rollbacks_facts.found if one.run not in written and now > dues[one.run]]
    assert not late, (
        f"release {late[0].release[:12]} was back after {late[0].left[:12]} in run {late[0].run}, and this rollback "
        f"has no account, which was due {dues[late[0].run]:%Y-%m-%d}"
    )
    for one in rollbacks_facts.found:
        file = written.get(one.run)
        if file is not None:
            _tells_of(file, one, dues[one.run], evidence_facts, limits, now)
    waiting = [one.run for one in rollbacks_facts.found if one.run not in written]
    if waiting:
        pending(
            dues[waiting[0]],
            f"the rollback seen by run {waiting[0]} has no account; it is due {dues[waiting[0]]:%Y-%m-%d}",
        )
    if rollbacks_facts.broken:
        unproven(Reason.UNPARSEABLE, f"the ledger does not hold at {rollbacks_facts.broken}")


def _tells_of(
    file: SignedFile, event: Rollback, due: datetime, facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Judge a rollback's account; whose word it is, only while a drill's would count."""
    accounts.in_time(file, due)
    at = datetime.fromisoformat(event.at)
    if now - at <= timedelta(days=limits.drill_max_age_d + 30):
        if file.principal not in facts.holders("techlead") or file.signatures[0].status != Status.OK:
            unproven(Reason.UNSIGNED, f"{file.name} does not count: {'; '.join(file.problems[:3])}")
        accounts.countersigned(facts, file)
    begun = accounts.timeline(file, 2)[0]
    assert begun <= at, f"{file.name}: its timeline begins after the rollback was seen, at {event.at}"
    detected = evidence.moment(file, "detected_at")
    assert detected <= at, f"{file.name}: detected_at is after the rollback was seen, at {event.at}"
    assert accounts.away_s(file) >= 0, f"{file.name}: users cannot be away for less than no time"
    accounts.lessons(file)
    accounts.actions(file, limits, now)
