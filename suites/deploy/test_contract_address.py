"""Deployment Process, Smart Contract Deployment: the contract's address in the configuration (item 35)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.contract_address import ContractAddressFacts

ADDRESS = "Contract address updated in environment variables"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.address", text=ADDRESS)
def test_address(contract_address_facts: ContractAddressFacts) -> None:
    """The environment file and every container name the contract that was released, which is on the chain."""
    facts = contract_address_facts
    assert not facts.zero, "contract.address is the zero address"
    assert facts.checksummed, f"contract.address {facts.address} has a wrong checksum: a digit is mistyped"
    assert not facts.is_testnet, f"contract.address {facts.address} is the test network's (testnet.address)"
    assert facts.has_code, f"there is no code at {facts.address} on the chain"
    inside = [place for place in facts.places if place.kind in ("environment", "container")]
    for place in inside:
        assert not place.testnet, f"{place.kind} {place.name} has the test network's contract"
        assert not place.misspelt, f"{place.kind} {place.name} has a wrong checksum: a digit is mistyped"
        if place.problem:
            continue
        assert place.found, f"{place.kind}: {place.name} is not set"
        assert place.matches, f"{place.kind} {place.name} has {place.found[0]}, not {facts.address}"
    seen = [place for place in inside if not place.problem]
    if not any(place.kind == "environment" for place in seen):
        why = "; ".join(place.problem for place in inside) or "env.contract_keys is empty"
        unproven(Reason.NO_CONFIG, f"the environment file was not seen: {why}")
    unread = [place.problem for place in inside if place.problem]
    if unread:
        unproven(Reason.NO_ACCESS, f"the containers were not seen: {'; '.join(unread)}")


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.address", text=ADDRESS)
def test_address_elsewhere(contract_address_facts: ContractAddressFacts) -> None:
    """The record of the deployment, the API and everything that is served name the same contract."""
    facts = contract_address_facts
    outside = [place for place in facts.places if place.kind not in ("environment", "container")]
    for place in outside:
        assert not place.testnet, f"{place.kind} {place.name} has the test network's contract"
        assert not place.misspelt, f"{place.kind} {place.name}: wrong checksum of {place.misspelt[0]}"
        if place.problem:
            continue
        assert place.matches, f"{place.kind} {place.name} does not name {facts.address}" + (
            f" but {', '.join(place.found)}" if place.found else ""
        )
        if place.kind == "API":
            assert place.only, f"{place.kind} {place.name} names {', '.join(place.found)}"
    unread = [place.problem for place in outside if place.problem]
    if unread:
        unproven(Reason.NO_EVIDENCE, f"not every place was seen: {'; '.join(unread)}")
    if not outside:
        unproven(
            Reason.NO_CONFIG,
            f"nothing outside the server was compared; add {', '.join(facts.unset)} where the product has one",
        )
