"""Rollback Plan, Rollback Triggers: corrupt data would be seen, and there is none (item 106)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims.evidence import fact, moment, newest
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.integrity import IntegrityFacts
    from pytest_deploycheck.probes.page_errors import PageErrorsFacts

CORRUPTION = "Data corruption detected"
ITEM = "rollback.triggers.corruption"
DECIDE = "rollback decision needed"


@pytest.mark.checklist(ITEM, text=CORRUPTION)
def test_checksums(integrity_facts: IntegrityFacts) -> None:
    """Pages have checksums, the server minds them, and none was wrong: a count of nothing is no zero."""
    facts = integrity_facts
    assert facts.checksums, (
        "data_checksums is off: broken pages are read as if they were whole, and nobody counts them "
        "(pg_checksums --enable, with the server stopped)"
    )
    assert not facts.ignored, "ignore_checksum_failure is on: the server goes on with broken pages"
    assert facts.failures, "pg_stat_database has no row"
    for database, failures in facts.failures:
        if failures is None:
            unproven(Reason.NO_EVIDENCE, f"nobody counts failed checksums of {database}")
        assert failures == 0, f"{DECIDE}: {failures} pages of {database} did not match their checksum"


@pytest.mark.checklist(ITEM, text=CORRUPTION)
def test_invariants(integrity_facts: IntegrityFacts) -> None:
    """What must always be true of the business's data is, all of it in one snapshot."""
    if not integrity_facts.invariants:
        unproven(Reason.NO_CONFIG, "triggers.invariants names none; say what is always true of the data")
    unread = [one for one in integrity_facts.invariants if one.value is None]
    if unread:
        one = min(unread, key=lambda other: other.problem.startswith("not read"))
        unproven(Reason.UNPARSEABLE, f"invariant {one.name!r} could not be read: {one.problem}")
    for one in integrity_facts.invariants:
        assert one.holds, f"{DECIDE}: invariant {one.name!r} is {one.value}, not {one.expected}"


@pytest.mark.checklist(ITEM, text=CORRUPTION)
def test_supply(integrity_facts: IntegrityFacts) -> None:
    """The database knows exactly as many tokens as the contract, at one block."""
    supply = integrity_facts.supply
    if supply is None:
        if integrity_facts.contract:
            unproven(Reason.NO_CONFIG, "no triggers.supply_sql; say how many tokens the database knows")
        assert integrity_facts.invariants, "neither a contract nor an invariant is declared"
        return
    if supply.booked is None or supply.on_chain is None:
        unproven(Reason.NO_EVIDENCE, f"the supply could not be compared: {supply.problem}")
    assert supply.booked == supply.on_chain, (
        f"{DECIDE}: the database knows {supply.booked} tokens, the contract {supply.on_chain} at block {supply.block}"
    )


@pytest.mark.checklist(ITEM, text=CORRUPTION)
def test_pages_in_the_log(page_errors_facts: PageErrorsFacts) -> None:
    """PostgreSQL's log, which has lines, has none of a broken page, file or index."""
    facts = page_errors_facts
    if not facts.lines:
        unproven(Reason.NO_EVIDENCE, f"the log of {facts.service!r} has no line")
    if not facts.english:
        unproven(
            Reason.UNPARSEABLE, f"the log of {facts.service!r} has no English level; set lc_messages = 'C'"
        )
    assert not facts.found, f"{DECIDE}: {facts.service} logged " + "; ".join(
        f"{one.pattern!r} {one.count} times (line {one.line_sha256})" for one in facts.found
    )


@pytest.mark.checklist(ITEM, text=CORRUPTION)
def test_amcheck(evidence_facts: EvidenceFacts, limits: Limits, now: datetime) -> None:
    """Tables and indexes were read through lately by amcheck, and nothing was wrong."""
    record = newest(
        evidence_facts.files, ITEM, now=now, max_age_d=limits.amcheck_max_age_d, this_release=False
    )
    ended = moment(record, "ended_at")
    assert ended <= now + timedelta(minutes=5), f"{record.name} ended in the future: {ended.isoformat()}"
    if now - ended > timedelta(days=limits.amcheck_max_age_d):
        unproven(Reason.STALE, f"{record.name}: amcheck ended {(now - ended).days} days ago")
    for what in ("tables", "indexes"):
        count = fact(record, what, int)
        assert count > 0, f"{record.name}: amcheck looked at no {what}"
    errors = fact(record, "errors", int)
    assert errors == 0, f"{DECIDE}: amcheck found {errors} errors ({record.name})"
