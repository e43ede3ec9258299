"""Sign-off, Business (items 120 to 122): product, operations and compliance, after the technical roles."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import sign_off
from pytest_deploycheck.claims.evidence import fact, moment_of

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts


@pytest.mark.checklist("sign_off.business.product", text="**Product Manager**: Features working as expected")
def test_product(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """Product signed after the technical roles, and every criterion of its acceptance list is met."""
    for condition in sign_off.conditions_of("product", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
    accepted = fact(sign_off.signed("product", evidence_facts), "acceptance", list)
    assert accepted, "the acceptance list is empty"
    for entry in accepted:
        assert entry.get("result") == "met", (
            f"{entry.get('feature')}: {entry.get('criterion')} is {entry.get('result')}"
        )


@pytest.mark.checklist(
    "sign_off.business.operations", text="**Operations Manager**: Monitoring and support ready"
)
def test_operations(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """Operations signed, and somebody is on duty all through the go-live week."""
    for condition in sign_off.conditions_of("operations", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
    roster = fact(sign_off.signed("operations", evidence_facts), "roster", list)
    assert roster, "the roster of the go-live week is empty"
    shifts = sorted((moment_of(one["from"]), moment_of(one["until"])) for one in roster)
    for (_, until), (start, _) in pairwise(shifts):
        assert start <= until, f"nobody is on duty from {until.isoformat()} to {start.isoformat()}"


@pytest.mark.checklist(
    "sign_off.business.compliance", text="**Compliance Officer**: Regulatory requirements met"
)
def test_compliance(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """Compliance signed, and every obligation is answered, owned and reviewed."""
    for condition in sign_off.conditions_of("compliance", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
    obligations = fact(sign_off.signed("compliance", evidence_facts), "obligations", list)
    assert obligations, "the register of obligations is empty"
    for one in obligations:
        name = one.get("name")
        assert one.get("status") in ("met", "not applicable"), f"{name} is {one.get('status')}"
        assert one.get("owner"), f"{name} has no owner"
        age = now - moment_of(str(one.get("reviewed_at")))
        assert age <= timedelta(days=limits.compliance_review_max_d), (
            f"{name} was reviewed {age.days} days ago"
        )
