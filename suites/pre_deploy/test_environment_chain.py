"""Pre-Deployment, Environment Configuration: items 11 and 12 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.rpc import NodeFacts, RpcFacts
    from pytest_deploycheck.probes.signer import SignerFacts

RPC = "Ethereum RPC URL configured (Infura/Alchemy)"
SIGNER = "Ethereum private key set (with sufficient ETH for gas)"


def _application(facts: RpcFacts) -> NodeFacts:
    """Return the application's node; without knowing its URL nothing about it is proven."""
    node = facts.node("application")
    if node is None:
        unproven(Reason.NO_CONFIG, dict(facts.missing).get("application", "rpc.application is not known"))
    assert not node.why, f"the application's node does not answer: {node.why}"
    return node


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url(rpc_facts: RpcFacts) -> None:
    """The application's URL leads to the right chain, safely, at a provider that is meant, with a key of our own."""
    _application(rpc_facts)
    for node in rpc_facts.nodes:
        where, url = f"the {node.name}'s URL at {node.address.place}", node.address
        if node.chain_id is not None:
            assert node.chain_id == rpc_facts.chain_id, (
                f"{where} is on chain {node.chain_id}, the contract on {rpc_facts.chain_id}"
            )
        if node.name == "reference":
            continue
        assert url.hosted or url.own, f"{where} is on neither rpc.allowed_hosts nor rpc.own_hosts"
        assert url.scheme in ("https", "wss") or (url.own and url.private), (
            f"{where} is not encrypted, and crosses the Internet"
        )
        assert url.key == "present" or (url.own and url.key == "none"), (
            f"{where} holds {'a placeholder for a key' if url.key == 'placeholder' else 'no key'}"
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url_is_alive(rpc_facts: RpcFacts, limits: Limits) -> None:
    """Every node's head is new and its finality moves: what it says of syncing alone proves nothing."""
    _application(rpc_facts)
    for node in rpc_facts.distinct:
        where = f"the {node.name} node at {node.address.place}"
        assert node.syncing is not True, f"{where} says that it is still syncing"
        assert node.head_age_s is not None, f"{where} gives no newest block"
        assert node.head_age_s <= limits.rpc_max_head_age_s, (
            f"the newest block of {where} is {node.head_age_s:.0f} s old"
        )
        assert node.finalized_age_s is not None, f"{where} knows no final block"
        assert node.finalized_age_s <= limits.rpc_max_finalized_age_s, (
            f"the newest final block of {where} is {node.finalized_age_s:.0f} s old"
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url_has_a_second_opinion(rpc_facts: RpcFacts, limits: Limits) -> None:
    """Two different endpoints are on one chain: the same final block, and heads near each other."""
    nodes = rpc_facts.distinct
    if len(nodes) < 2:
        why = "; ".join(f"{name}: {reason}" for name, reason in rpc_facts.missing)
        same = [f"{one.name} is the same endpoint as {one.same_as}" for one in rpc_facts.nodes if one.same_as]
        dead = [f"{one.name}: {one.why}" for one in rpc_facts.nodes if one.why]
        unproven(
            Reason.NO_CONFIG, "only one endpoint answers: " + "; ".join(filter(None, [why, *same, *dead]))
        )
    hashes = {node.name: node.common_hash for node in nodes}
    assert rpc_facts.common_block is not None, "no block is final for all nodes"
    assert all(hashes.values()), f"not every node has block {rpc_facts.common_block}: {hashes}"
    assert len(set(hashes.values())) == 1, (
        f"the nodes are on different chains: block {rpc_facts.common_block} is {hashes}"
    )
    heads = {node.name: node.head for node in nodes if node.head is not None}
    assert max(heads.values()) - min(heads.values()) <= limits.rpc_max_head_delta_blocks, (
        f"the nodes' heads are apart: {heads}"
    )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url_serves(rpc_facts: RpcFacts, limits: Limits) -> None:
    """Single calls of the application are answered quickly, and none is refused, as by a quota that is used up."""
    _application(rpc_facts)
    for node in (rpc_facts.node("application"), rpc_facts.node("fallback")):
        if node is None or node.why:
            continue
        where = f"the {node.name} node at {node.address.place}"
        assert node.calls, f"{where} was never asked; limits.rpc_calls is 0"
        assert not node.limited, f"{where} refuses {node.limited} of {node.calls} calls for being too many"
        refused = ", ".join(f"{what} ({count} times)" for what, count in node.refused)
        assert not node.refused, f"{where} refuses calls: {refused}"
        assert node.p95_s is not None, f"{where} answered none of {node.calls} calls"
        assert node.p95_s <= limits.rpc_p95_s, f"{where} takes {node.p95_s:.2f} s at the 95th percentile"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url_has_a_fallback(rpc_facts: RpcFacts) -> None:
    """There is a second node that does not fail together with the first: another provider's, and it answers."""
    first, second = _application(rpc_facts), rpc_facts.node("fallback")
    if second is None:
        unproven(Reason.NO_CONFIG, dict(rpc_facts.missing).get("fallback", "rpc.fallback is not given"))
    assert not second.why, f"the fallback does not answer: {second.why}"
    assert second.address.provider != first.address.provider, (
        f"the fallback is at the same provider as the application's node: {first.address.provider}"
    )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.rpc_url", text=RPC)
def test_rpc_url_stays_private(rpc_facts: RpcFacts) -> None:
    """No page or script that the site serves to everybody holds a node's key."""
    assert not rpc_facts.key_served, (
        f"a node's key is served to everybody in {', '.join(rpc_facts.key_served)}"
    )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.signer_key", text=SIGNER)
def test_signer_key(signer_facts: SignerFacts) -> None:
    """The product's key is the declared account's, and nobody else knows it."""
    facts, key = signer_facts, signer_facts.key
    if not facts.declared:
        unproven(Reason.NO_CONFIG, f"no signer.address to compare {facts.address} with; add it")
    if key is not None:
        if key.why:
            unproven(Reason.NO_CONFIG, f"no private key was seen: {key.why}")
        assert key.address, f"the value of {key.name} is no key of the curve secp256k1"
        assert key.address.lower() == facts.declared.lower(), (
            f"the key in {key.name} controls {key.address}, signer.address is {facts.declared}"
        )
        assert not key.well_known, f"everybody knows the key in {key.name}: it comes from {key.well_known}"
    assert facts.address.lower() == facts.declared.lower(), f"{facts.address} was looked at"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.signer_key", text=SIGNER)
def test_signer_key_is_funded(signer_facts: SignerFacts, limits: Limits) -> None:
    """The account pays for the coming transactions at the fee to offer: as many as lately, or a minimum."""
    facts = signer_facts
    failing = {one.function: one.reason for one in facts.estimates if one.gas is None}
    assert not failing, f"calls would fail now, so that their price is not known: {failing}"
    cost = facts.transaction_wei
    if not cost:
        unproven(
            Reason.NO_EVIDENCE, "no call's gas could be estimated; name the product's calls in gas.calls"
        )
    # Of a chain that is younger than a day nothing follows for a week.
    scale = limits.signer_runway_days / facts.observed_days if facts.observed_days >= 1 else 1.0
    pace = (facts.observed_tx or 0) * max(scale, 1.0)
    runway = max(limits.signer_runway_tx, pace)
    assert facts.balance_wei >= runway * cost, (
        f"{facts.address} holds {facts.balance_wei} wei, {runway:.0f} transactions cost {runway * cost:.0f} wei"
    )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.signer_key", text=SIGNER)
def test_signer_key_is_a_plain_account(signer_facts: SignerFacts) -> None:
    """No transaction of it is stuck, and no code acts for it that nobody allowed (EIP-7702)."""
    facts = signer_facts
    assert facts.moved or facts.pending <= facts.nonce, (
        f"{facts.pending - facts.nonce} transactions of {facts.address} wait, and none got into a block "
        f"within {facts.waited_s:.0f} s"
    )
    if facts.delegated_to:
        assert facts.delegated_to.lower() in facts.allowed_delegates, (
            f"{facts.address} is delegated to {facts.delegated_to}, which signer.allowed_delegates does not name"
        )
    else:
        assert facts.code_bytes == 0, f"there is code at {facts.address}: it is no account with a key"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.environment.signer_key", text=SIGNER)
def test_signer_key_has_no_more_rights_than_it_needs(signer_facts: SignerFacts) -> None:
    """It holds the roles that the product needs, and neither owns, administers nor deployed the contract."""
    facts = signer_facts
    for role in facts.roles:
        assert role.holds is not None, f"the contract does not tell who holds {role.name}"
        assert role.holds, f"{facts.address} does not hold {role.name}, which signer.roles says it needs"
    assert facts.owns is not True, f"{facts.address}, whose key is online, owns the contract"
    assert facts.administers is not True, f"{facts.address}, whose key is online, administers the contract"
    assert facts.deployed is not True, f"{facts.address}, whose key is online, deployed the contract"
