"""Deployment, Smart Contract Deployment: item 34 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.explorer import UNKNOWN, UNVERIFIED, VERIFIED, ExplorerFacts
from pytest_deploycheck.verdict import Reason

VERIFIED_ON = "Contract verified on Etherscan"


@pytest.mark.checklist("deploy.contract.verified", text=VERIFIED_ON)
def test_verified(explorer_facts: ExplorerFacts) -> None:
    """An explorer shows our source for the contract, and for the implementation behind it; none shows another."""
    facts = explorer_facts
    for one in facts.published:
        where = f"{one.service} on the {one.what} {one.address}"
        assert one.state != UNVERIFIED, f"not verified by {where}: {one.why}"
        if one.state == UNKNOWN:
            continue
        assert not one.similar, f"{where} shows the source of a twin, {one.similar}: ours was never verified"
        assert not one.differences, f"{where} says otherwise: {'; '.join(one.differences)}"
        assert one.sources is not False, f"{where} shows another source than the build's"
        if one.implementation and facts.effective != facts.address and one.what == "proxy":
            assert one.implementation.lower() == facts.effective.lower(), (
                f"{where} says the implementation is {one.implementation}, on the chain it is {facts.effective}"
            )
    for place in dict.fromkeys(one.address for one in facts.published):
        asked = [one for one in facts.published if one.address == place]
        if not any(one.state == VERIFIED for one in asked):
            unproven(
                next((Reason(one.reason) for one in asked if one.reason), Reason.NO_EVIDENCE),
                f"nobody tells about {place}: " + "; ".join(f"{one.service}: {one.why}" for one in asked),
            )
