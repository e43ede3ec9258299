"""Sign-off, Technical (items 116 to 119): four roles vouch for what the runs before them proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import sign_off
from pytest_deploycheck.claims.evidence import fact

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts


@pytest.mark.checklist(
    "sign_off.technical.devops", text="**DevOps Engineer**: Infrastructure and deployment verified"
)
def test_devops(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """DevOps signed for exactly this release, on runs that were green and still are."""
    for condition in sign_off.conditions_of("devops", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence


@pytest.mark.checklist(
    "sign_off.technical.backend", text="**Backend Developer**: Application functionality verified"
)
def test_backend(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """The backend developer signed for exactly this release, on runs that were green and still are."""
    for condition in sign_off.conditions_of("backend", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence


@pytest.mark.checklist(
    "sign_off.technical.security", text="**Security Engineer**: Security configuration verified"
)
def test_security(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """Security signed, and is not who wrote the release."""
    for condition in sign_off.conditions_of("security", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence


@pytest.mark.checklist("sign_off.technical.qa", text="**QA Engineer**: Testing completed successfully")
def test_qa(evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime) -> None:
    """QA signed; its plan was executed, and nothing serious is open."""
    for condition in sign_off.conditions_of("qa", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
    file = sign_off.signed("qa", evidence_facts)
    executed = fact(file, "plan_executed", (int, float))
    assert executed >= limits.qa_plan_executed_min, f"{executed:.0%} of the test plan was executed"
    for severity in ("p0", "p1"):
        found = fact(file, f"open_defects.{severity}", int)
        assert found == 0, f"{found} defects of severity {severity} are open"
