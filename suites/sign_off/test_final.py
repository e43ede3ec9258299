"""Sign-off, Final Approval (items 123 to 125): technical lead, project manager and, last, the CTO."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import sign_off
from pytest_deploycheck.claims.evidence import fact, moment

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts


@pytest.mark.checklist("sign_off.final.techlead", text="**Technical Lead**: All technical requirements met")
def test_techlead(
    evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime
) -> None:
    """The technical lead signed for everything technical, soon after the four roles."""
    for condition in sign_off.conditions_of("techlead", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence


@pytest.mark.checklist("sign_off.final.pm", text="**Project Manager**: Project ready for production")
def test_pm(evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime) -> None:
    """The project manager signed after all others, and the paperwork is true."""
    for condition in sign_off.conditions_of("pm", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
    file = sign_off.signed("pm", evidence_facts)
    stated = moment(file, "go_live_at").isoformat()
    assert stated == evidence_facts.go_live_at, (
        f"{file.name} says go-live at {stated}, not {evidence_facts.go_live_at}"
    )
    deployer = fact(file, "deployed_by", str)
    assert deployer == evidence_facts.deployed_by, f"{file.name} says that {deployer} deployed"


@pytest.mark.checklist("sign_off.final.cto", text="**CTO/Technical Director**: Final approval for go-live")
def test_cto(evidence_facts: EvidenceFacts, ledger_facts: LedgerFacts, limits: Limits, now: datetime) -> None:
    """The last signature says go, is over all the others, and is not of who wrote or deployed the release."""
    for condition in sign_off.conditions_of("cto", evidence_facts, ledger_facts, limits, now):
        assert condition.seen == condition.wanted, condition.sentence
