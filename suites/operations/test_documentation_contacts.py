"""Operational Readiness, Documentation (item 67): who is called, and whom finders of weaknesses write to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact, moment, moment_of

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.communication import CommunicationFacts
    from pytest_deploycheck.probes.contacts import ContactsFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.security_txt import SecurityTxtFacts

CONTACTS = "operations.documentation.contacts"
TEXT = "Contact information updated"


@pytest.mark.checklist(CONTACTS, text=TEXT)
def test_contacts(contacts_facts: ContactsFacts) -> None:
    """Every role has two different people who can be reached, and says who comes after them."""
    facts = contacts_facts
    assert not facts.problem, facts.problem
    assert facts.roles, f"{facts.path} names no role"
    listed = {role.role.lower() for role in facts.roles}
    for wanted in facts.wanted:
        assert wanted.lower() in listed, f"{facts.path} has nobody for {wanted}"
    for role in facts.roles:
        people = {}
        for place, key in (("primary", role.primary), ("secondary", role.secondary)):
            assert key, f"{facts.path}: {role.role} has no {place}"
            person = facts.person(key)
            assert person is not None, f"{facts.path}: {role.role}: {place} {key!r} is nobody of its people"
            people[place] = person
        assert people["primary"].name.lower() != people["secondary"].name.lower(), (
            f"{facts.path}: {role.role}: primary and secondary are one person"
        )
        assert role.escalation, f"{facts.path}: {role.role} says not who is called after whom"
    for person in facts.people:
        assert not person.wrong, f"{facts.path}: {person.key} {'; '.join(person.wrong)}"
        assert person.takes_mail is not False, f"{facts.path}: no server takes mail for {person.mail_domain}"


@pytest.mark.checklist(CONTACTS, text=TEXT)
def test_contacts_on_duty(
    contacts_facts: ContactsFacts, communication_facts: CommunicationFacts, now: datetime
) -> None:
    """Who is on call now or next can be looked up; without a roster there is nothing to compare with."""
    assert not contacts_facts.problem, contacts_facts.problem
    assert contacts_facts.people, f"{contacts_facts.path} names nobody"
    for shift in communication_facts.shifts:
        if moment_of(shift.end, "a shift's end") > now and shift.who:
            assert contacts_facts.person(shift.who), (
                f"{shift.who} is {shift.level} on call until {shift.end} and not in {contacts_facts.path}"
            )


@pytest.mark.checklist(CONTACTS, text=TEXT)
def test_contacts_reviewed(
    contacts_facts: ContactsFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Operations read the list as it is now, not long ago."""
    age = limits.contacts_review_max_age_d
    file = evidence.newest(evidence_facts.files, CONTACTS, now=now, max_age_d=age, this_release=False)
    at = moment(file, "reviewed_at")
    assert now - at <= timedelta(days=age), f"the review is {(now - at).days} days old"
    assert contacts_facts.digest, contacts_facts.problem or f"{contacts_facts.path} is empty"
    assert fact(file, "contacts_sha256", str).lower() == contacts_facts.digest, (
        f"{file.name} is about another text of {contacts_facts.path}: it was changed after the review"
    )


@pytest.mark.checklist(CONTACTS, text=TEXT)
def test_contacts_security(security_txt_facts: SecurityTxtFacts, limits: Limits, now: datetime) -> None:
    """security.txt is served over https, names a way to write to us, and expires neither soon nor late (RFC 9116)."""
    facts = security_txt_facts
    if not facts.wanted:
        assert facts.status == 0, "a product that is not public was asked for security.txt"
        return
    assert facts.status == 200, f"{facts.url} answers {facts.status}"
    assert facts.url.startswith("https://"), f"{facts.url} is not served over https"
    assert facts.media_type == "text/plain", (
        f"{facts.url} is {facts.media_type or 'of no type'}, not text/plain"
    )
    assert facts.contacts, f"{facts.url} names no Contact"
    assert not facts.unreachable, (
        f"{facts.url}: Contact is neither https, mailto nor tel: {facts.unreachable[0]}"
    )
    assert len(facts.expires) == 1, f"{facts.url} has {len(facts.expires)} Expires; there must be one"
    until = _expires(facts)
    assert until > now, f"{facts.url} expired at {until.isoformat()}"
    assert until - now >= timedelta(days=limits.security_txt_min_d), (
        f"{facts.url} expires at {until.isoformat()}"
    )
    assert until - now <= timedelta(days=limits.security_txt_max_d), (
        f"{facts.url} expires at {until.isoformat()}, in more than a year"
    )
    assert not facts.canonical or facts.url in facts.canonical, (
        f"{facts.url} says that its place is {facts.canonical[0]}"
    )


def _expires(facts: SecurityTxtFacts) -> datetime:
    try:
        found = datetime.fromisoformat(facts.expires[0])
    except ValueError:
        found = None
    assert found is not None and found.tzinfo is not None, (
        f"{facts.url}: Expires is no time with a zone (RFC 3339)"
    )
    return found
