"""Go-Live, Communication (items 82 to 85): who was told, briefed and given what, and who answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.communication import CommunicationFacts, Shift
    from pytest_deploycheck.probes.evidence import EvidenceFacts

STAKEHOLDERS = "go_live.communication.stakeholders"
SUPPORT = "go_live.communication.support"
DOCS = "go_live.communication.docs"
EMERGENCY = "go_live.communication.emergency"


@pytest.mark.checklist(STAKEHOLDERS, text="Stakeholders notified of go-live")
def test_stakeholders(
    evidence_facts: EvidenceFacts, communication_facts: CommunicationFacts, limits: Limits, now: datetime
) -> None:
    """A message with the right time went to every group, in time, and nobody's objection is open."""
    go_live = _go_live(communication_facts)
    file = evidence.newest(evidence_facts.files, STAKEHOLDERS, now=now, max_age_d=limits.comms_earliest_d + 7)
    audience = set(fact(file, "audience", list))
    assert communication_facts.stakeholder_groups, "comms.stakeholder_groups names nobody"
    for group in communication_facts.stakeholder_groups:
        assert group in audience, f"{file.name}: {group} was not told"
    sent = moment(file, "sent_at")
    assert sent >= go_live - timedelta(days=limits.comms_earliest_d), f"{file.name} was sent long before"
    assert sent <= go_live - timedelta(hours=limits.comms_latest_h), f"{file.name} was sent too late: {sent}"
    assert moment(file, "go_live_at") == go_live, f"{file.name} tells another time than {go_live.isoformat()}"
    assert fact(file, "delivery", str), f"{file.name} names no message that can be looked up"
    assert file.artifacts, f"{file.name} holds no copy of the message"
    objections = fact(file, "open_objections", int)
    assert objections == 0, f"{objections} objections are open"


@pytest.mark.checklist(SUPPORT, text="Support team briefed")
def test_support(
    evidence_facts: EvidenceFacts, communication_facts: CommunicationFacts, limits: Limits, now: datetime
) -> None:
    """Nearly all of the support team, and all its leads, heard of this release and tried their access."""
    go_live = _go_live(communication_facts)
    file = evidence.newest(evidence_facts.files, SUPPORT, now=now, max_age_d=limits.briefing_max_age_d + 7)
    came = set(fact(file, "attendees", list))
    roster = set(communication_facts.support_roster)
    assert roster, "comms.support_roster names nobody"
    share = len(roster & came) / len(roster)
    assert share >= limits.briefing_attendance_min, f"{share:.0%} of the support team was briefed"
    for lead in communication_facts.support_leads:
        assert lead in came, f"{lead} leads the support and was not briefed"
    held = moment(file, "held_at")
    age = go_live - held
    assert age <= timedelta(days=limits.briefing_max_age_d), f"the briefing was {age.days} days before"
    assert fact(file, "version", str) == communication_facts.version, f"{file.name} is about another version"
    for topic in ("features", "known issues", "escalation", "rollback"):
        assert topic in fact(file, "topics", list), f"the briefing did not speak of {topic}"
    assert fact(file, "access_tested", bool) is True, "nobody tried whether support has access"


@pytest.mark.checklist(DOCS, text="Documentation shared with relevant teams")
def test_docs(
    evidence_facts: EvidenceFacts, communication_facts: CommunicationFacts, limits: Limits, now: datetime
) -> None:
    """Every document opens, and every team said that it has read it."""
    assert communication_facts.documents, "comms.documents names none"
    assert communication_facts.teams, "comms.teams names none"
    for document in communication_facts.documents:
        assert document.opened is not False, f"{document.name}: {document.where} {document.why}"
    file = evidence.newest(evidence_facts.files, DOCS, now=now, max_age_d=limits.docs_shared_max_age_d)
    read = fact(file, "acknowledged", dict)
    for document in communication_facts.documents:
        for team in communication_facts.teams:
            assert team in read.get(document.name, ()), f"team {team} has not acknowledged {document.name}"
    assert fact(file, "version", str) == communication_facts.version, f"{file.name} is about another version"
    for document in communication_facts.documents:
        if document.opened is None:
            unproven(Reason.NOT_ALLOWED, f"{document.name}: {document.where}: {document.why}")


@pytest.mark.checklist(EMERGENCY, text="Emergency contacts available")
def test_emergency(communication_facts: CommunicationFacts, limits: Limits, now: datetime) -> None:
    """Now and for the next days somebody is on duty at every level, two people are, and providers can be called."""
    if communication_facts.roster_problem:
        unproven(Reason.NO_CONFIG, communication_facts.roster_problem)
    assert communication_facts.levels, "comms.levels names none"
    end = now + timedelta(hours=limits.oncall_horizon_h)
    for level in communication_facts.levels:
        gap = first_gap(communication_facts.shifts, level, now, end)
        assert gap is None, f"nobody is {level} on call at {gap.isoformat() if gap else ''}"
    for moment_ in starts(communication_facts.shifts, now, end):
        people = [on_duty(communication_facts.shifts, level, moment_) for level in communication_facts.levels]
        assert len(set(people)) == len(people), (
            f"at {moment_.isoformat()} one person is on call twice: {people}"
        )
    contacts = dict(communication_facts.contacts)
    for provider in communication_facts.providers:
        assert contacts.get(provider), f"the roster has no contact of provider {provider!r}"


@pytest.mark.checklist(EMERGENCY, text="Emergency contacts available")
def test_emergency_answers(
    evidence_facts: EvidenceFacts, communication_facts: CommunicationFacts, limits: Limits, now: datetime
) -> None:
    """A test page was acknowledged at every level within minutes, and emergency access was tried."""
    file = evidence.newest(
        evidence_facts.files, EMERGENCY, now=now, max_age_d=limits.page_test_max_age_d, this_release=False
    )
    assert communication_facts.levels, "comms.levels names none"
    age = now - moment(file, "paged_at")
    assert age <= timedelta(days=limits.page_test_max_age_d), f"the newest test page is {age.days} days old"
    for level in communication_facts.levels:
        took = fact(file, f"acknowledged_s.{level}", (int, float))
        assert took <= limits.page_ack_max_s, f"{level} acknowledged after {took:.0f} s"
    tried = now - moment(file, "break_glass_tested_at")
    assert tried <= timedelta(days=limits.break_glass_max_age_d), (
        f"emergency access was tried {tried.days} days ago"
    )


def _go_live(facts: CommunicationFacts) -> datetime:
    if not facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    return datetime.fromisoformat(facts.go_live_at)


def on_duty(shifts: tuple[Shift, ...], level: str, at: datetime) -> str | None:
    """Return who is on duty at a level at a time."""
    return next(
        (
            one.who
            for one in shifts
            if one.level == level
            and datetime.fromisoformat(one.start) <= at < datetime.fromisoformat(one.end)
        ),
        None,
    )


def starts(shifts: tuple[Shift, ...], start: datetime, end: datetime) -> list[datetime]:
    """Return the moments between two times at which the duty can change, the first of them included."""
    return [start, *(at for one in shifts if start < (at := datetime.fromisoformat(one.start)) < end)]


def first_gap(shifts: tuple[Shift, ...], level: str, start: datetime, end: datetime) -> datetime | None:
    """Return the first moment between two times at which nobody is on duty at a level; None without a gap."""
    at = start
    while at < end:
        covering = [
            datetime.fromisoformat(one.end)
            for one in shifts
            if one.level == level
            and one.who
            and datetime.fromisoformat(one.start) <= at < datetime.fromisoformat(one.end)
        ]
        if not covering:
            return at
        at = max(covering)
    return None
