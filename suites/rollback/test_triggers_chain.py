"""Rollback Plan, Rollback Triggers: nothing unexpected was done to the contract (items 104 and 107)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.admin_events import AdminEventsFacts

VULN = "Critical security vulnerability discovered"
CHAIN = "Blockchain integration failures"
DECIDE = "rollback decision needed"


@pytest.mark.checklist("rollback.triggers.vuln", text=VULN)
def test_vuln_contract_untouched(admin_events_facts: AdminEventsFacts) -> None:
    """Nobody took the contract over since the release, where the product has one."""
    if not admin_events_facts.enabled:
        address = admin_events_facts.address
        assert not address, f"contract.enabled is false, and contract.address names {address}"
        return
    _untouched(admin_events_facts)


@pytest.mark.checklist("rollback.triggers.chain", text=CHAIN)
def test_chain_contract_untouched(admin_events_facts: AdminEventsFacts) -> None:
    """Since the release nobody paused, upgraded, took over or gave roles of the contract but as was planned."""
    if not admin_events_facts.enabled:
        unproven(Reason.NO_CONFIG, "contract.enabled is false; declare the item not applicable")
    _untouched(admin_events_facts)


def _untouched(facts: AdminEventsFacts) -> None:
    assert facts.watched, "triggers.admin_events names no event"
    if facts.events is None or facts.first_block is None:
        unproven(
            Reason.NO_EVIDENCE,
            "the node does not give the contract's events since the release; name release.deployed_at, and "
            "another node as rpc.url if it refuses eth_getLogs",
        )
    assert facts.first_block <= facts.last_block, (
        f"the release's first block {facts.first_block} is none yet; the newest is {facts.last_block}"
    )
    unexpected = [one for one in facts.events if not one.expected]
    assert not unexpected, f"{DECIDE}: {facts.address} saw " + "; ".join(
        f"{one.name.partition('(')[0]} in block {one.block} ({one.transaction})" for one in unexpected[:5]
    )


@pytest.mark.checklist("rollback.triggers.chain", text=CHAIN)
def test_chain_is_the_one(admin_events_facts: AdminEventsFacts) -> None:
    """The node is on the contract's chain, and the contract serves."""
    facts = admin_events_facts
    if not facts.enabled:
        unproven(Reason.NO_CONFIG, "contract.enabled is false; declare the item not applicable")
    assert facts.chain_id == facts.expected_chain_id, (
        f"{DECIDE}: the node is on chain {facts.chain_id}, the contract on {facts.expected_chain_id}"
    )
    assert facts.last_block > 0, "the chain has no block"
    assert not facts.paused, f"{DECIDE}: the contract is paused"
