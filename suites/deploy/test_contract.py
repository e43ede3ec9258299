"""Deployment, Smart Contract Deployment: items 31 and 33 of the default checklist."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.contract import Code, ContractFacts
    from pytest_deploycheck.probes.testnet import TestnetFacts
    from pytest_deploycheck.rules.bytecode import Comparison

TESTNET = "Testnet deployment tested"
MAINNET = "Mainnet deployment executed"
ADMINS = "DEFAULT_ADMIN_ROLE"


def _assert_equal(found: Comparison, where: str) -> None:
    """Assert that the program is the build's, and what the deployment filled into it is what was expected."""
    assert found.equal, f"the code at {where} is not the build's: {found.why}"
    for value in found.immutables:
        assert value.consistent, f"immutable {value.name} has different values in the code at {where}"
        assert value.agrees is not False, (
            f"immutable {value.name} is 0x{value.value} at {where}, expected 0x{value.expected}"
        )
    for library in found.libraries:
        assert library.agrees is not False, (
            f"library {library.name} is {library.address} at {where}, expected {library.expected}"
        )


def _code(facts: ContractFacts) -> tuple[Code, Comparison]:
    """Return what stands at the contract's address, or behind its proxy, and how it compares."""
    if facts.at is None or facts.main is None or facts.code is None:
        unproven(Reason.NO_EVIDENCE, "no block is final yet on the reference node")
    assert facts.code.bytes, (
        f"there is no code at {facts.address} in block {facts.at.number}, the newest that is final"
    )
    assert not facts.code.delegated_to, (
        f"{facts.address} is an account that acts by the code of {facts.code.delegated_to}, no contract"
    )
    if facts.main.comparison is None:
        unproven(Reason.NO_CONFIG, facts.main.why)
    return facts.main, facts.main.comparison


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet(contract_facts: ContractFacts) -> None:
    """On the right chain, in a final block, the code at the address is the release's build, byte by byte."""
    facts = contract_facts
    assert facts.reference_chain_id == facts.chain_id, (
        f"rpc.url is on chain {facts.reference_chain_id}, the contract on {facts.chain_id}"
    )
    main, found = _code(facts)
    _assert_equal(found, main.address)
    assert not main.bare_libraries, f"no code at the addresses of libraries: {', '.join(main.bare_libraries)}"
    if facts.code is not None and facts.code is not main and facts.code.comparison is not None:
        _assert_equal(facts.code.comparison, facts.address)


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet_deployment(contract_facts: ContractFacts) -> None:
    """The transaction of the deployment created this very contract from the build, for good, as it was meant."""
    facts, made = contract_facts, contract_facts.deployment
    if not made.transaction:
        unproven(
            Reason.NO_CONFIG, "no contract.deploy_tx in the target file; add the deployment's transaction"
        )
    where = f"transaction {made.transaction}"
    assert made.known, f"the chain has no {where}: it never was, or a reorganisation took it away"
    assert made.succeeded, f"{where} failed"
    assert made.of(facts.address), (
        f"{where} created {made.created or 'nothing there'}, contract.address is {facts.address}"
    )
    assert made.canonical is not False, f"the block of {where} is not on the chain any more"
    assert made.block is not None, f"{where} is in no block yet"
    if facts.at is None:
        unproven(Reason.NO_EVIDENCE, "no block is final yet on the reference node")
    assert made.block <= facts.at.number, (
        f"{where} is in block {made.block}, and only block {facts.at.number} is final"
    )
    assert made.created_by_build is not False, (
        f"{where} did not send the build's creation code: {made.difference}"
    )
    assert made.arguments_agree is not False, (
        f"the constructor was given {made.arguments}, contract.constructor_args says {made.arguments_expected}"
    )
    assert not facts.deployer or made.sender.lower() == facts.deployer.lower(), (
        f"{where} was sent by {made.sender}, contract.deployer is {facts.deployer}"
    )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet_proxy(contract_facts: ContractFacts) -> None:
    """Calls end up where they are declared to, nobody else can change that, and nobody can initialise again."""
    facts, proxy = contract_facts, contract_facts.proxy
    _code(facts)
    assert proxy is not None
    if proxy.kind == "none":
        for name, found in (("implementation", proxy.implementation), ("beacon", proxy.beacon)):
            assert not found, f"{facts.address} is a proxy with the {name} {found}; contract.proxy says none"
        assert not proxy.minimal, (
            f"{facts.address} is a minimal proxy of {proxy.minimal}; contract.proxy says none"
        )
        return
    assert proxy.effective, f"{facts.address} holds no implementation; contract.proxy says {proxy.kind}"
    if not proxy.expected_implementation:
        unproven(Reason.NO_CONFIG, f"no contract.implementation; the proxy's is {proxy.effective}")
    assert proxy.effective.lower() == proxy.expected_implementation.lower(), (
        f"the implementation of {facts.address} is {proxy.effective}, expected {proxy.expected_implementation}"
    )
    if proxy.kind == "eip1967":
        assert proxy.admin.lower() == proxy.expected_admin.lower(), (
            f"the proxy's admin is {proxy.admin or 'nobody'}, "
            f"contract.proxy_admin says {proxy.expected_admin or 'nobody'}"
        )
    if proxy.kind == "beacon":
        if not proxy.expected_beacon:
            unproven(Reason.NO_CONFIG, f"no contract.beacon; the proxy's is {proxy.beacon}")
        assert proxy.beacon.lower() == proxy.expected_beacon.lower(), (
            f"the proxy's beacon is {proxy.beacon}, expected {proxy.expected_beacon}"
        )
    for sealed in proxy.sealed:
        assert sealed.proven is not False, f"anybody can initialise {sealed.address}"
    unknown = [sealed.address for sealed in proxy.sealed if sealed.proven is None]
    if unknown:
        unproven(
            Reason.NO_CONFIG,
            f"nothing shows that {', '.join(unknown)} cannot be initialised; name it in contract.initializer",
        )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet_rulers(contract_facts: ContractFacts) -> None:
    """Whoever rules the contract is declared and more than one key, and the deployer rules it no more."""
    facts, owner = contract_facts, contract_facts.owner
    _code(facts)
    rulers = set()
    if owner is not None and (owner.address or owner.expected):
        if not owner.expected:
            unproven(Reason.NO_CONFIG, f"no contract.owner; {owner.call} is {owner.address}")
        assert owner.address.lower() == owner.expected.lower(), (
            f"{owner.call} is {owner.address or 'nobody'}, contract.owner says {owner.expected}"
        )
        assert facts.account_may_own or (owner.code_bytes and not owner.delegated), (
            f"the owner {owner.address} is an account that one key controls; contract.owner_is_account accepts that"
        )
        assert owner.pending in ("", owner.address), f"{owner.pending} may take over the contract at any time"
        rulers.add(owner.address.lower())
    for role in facts.roles:
        rulers |= _holders(facts, role.name)
    deployer = (facts.deployment.sender or facts.deployer).lower()
    assert not deployer or deployer not in rulers or facts.account_may_own, (
        f"the deployer {deployer} still rules the contract"
    )


def _holders(facts: ContractFacts, name: str) -> set[str]:
    """Check a role's holders against the declared ones; return those that administer."""
    role = next(one for one in facts.roles if one.name == name)
    owner = facts.owner.address.lower() if facts.owner else ""
    holders = set(role.holders)
    if role.expected is not None:
        assert holders == set(role.expected), (
            f"{name} is held by {', '.join(sorted(holders)) or 'nobody'}, "
            f"contract.roles says {', '.join(role.expected) or 'nobody'}"
        )
    elif holders - {owner}:
        more = ", ".join(sorted(holders - {owner}))
        assert facts.deployment.sender.lower() not in holders, f"the deployer holds {name}"
        unproven(Reason.NO_CONFIG, f"contract.roles does not name {name}, which {more} holds")
    if role.granted is None:
        unproven(Reason.NO_ACCESS, f"the node gives no logs that show to whom {name} was granted")
    return holders if name == ADMINS else set()


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet_state(contract_facts: ContractFacts) -> None:
    """The contract is open for business, and its values are the declared ones."""
    facts = contract_facts
    _code(facts)
    assert facts.paused is not True, f"the contract {facts.address} is paused"
    for value in facts.state:
        assert value.agrees, f"{value.call} is {value.value or 'refused'}, expected {value.expected}"
    if facts.paused is None and not facts.state:
        unproven(Reason.NO_CONFIG, "the contract has no paused(), and contract.expected_state names no value")


@pytest.mark.smoke
@pytest.mark.checklist("deploy.contract.mainnet", text=MAINNET)
def test_mainnet_second_opinion(contract_facts: ContractFacts) -> None:
    """Another node has the very same block, and answers everything that was asked in the same way."""
    facts, second = contract_facts, contract_facts.second
    if not second.node:
        unproven(Reason.NO_CONFIG, f"no second node to ask: {second.why}")
    if second.why or facts.at is None:
        unproven(Reason.NO_ACCESS, f"the second node tells nothing: {second.why}")
    assert second.same_block, f"block {facts.at.number} is another one on the {second.node} node: a fork"
    assert not second.differing, f"the {second.node} node answers differently: {', '.join(second.differing)}"


@pytest.mark.checklist("deploy.contract.testnet", text=TESTNET)
def test_testnet(testnet_facts: TestnetFacts, limits: Limits) -> None:
    """On a test network that is alive, the code is the same build that goes to production."""
    facts = testnet_facts
    assert facts.reported_chain_id == facts.chain_id, (
        f"{facts.place} is on chain {facts.reported_chain_id}, testnet.chain_id is {facts.chain_id}"
    )
    assert facts.chain_id in facts.allowed_chains, (
        f"chain {facts.chain_id} is none of testnet.allowed_chains: {facts.allowed_chains}"
    )
    assert facts.chain_id != facts.production_chain_id, f"chain {facts.chain_id} is the production's own"
    assert facts.head_age_s <= limits.testnet_max_head_age_s, (
        f"the newest block of {facts.place} is {facts.head_age_s:.0f} s old: the network stands still"
    )
    assert facts.comparison is not None, f"there is no code at {facts.address} on chain {facts.chain_id}"
    _assert_equal(facts.comparison, f"{facts.address} on chain {facts.chain_id}")
    made = facts.deployment
    if made.transaction:
        assert made.known, f"chain {facts.chain_id} has no transaction {made.transaction}"
        assert made.succeeded, f"the deployment {made.transaction} failed on chain {facts.chain_id}"
        assert made.of(facts.address), f"{made.transaction} created {made.created}, not {facts.address}"


@pytest.mark.checklist("deploy.contract.testnet", text=TESTNET)
def test_testnet_used(testnet_facts: TestnetFacts) -> None:
    """Every function that users call has succeeded there at least once."""
    facts = testnet_facts
    assert facts.used, "testnet.required_functions is empty: no function's use would be proven"
    unused = [one.function for one in facts.used if not one.calls]
    if unused and not facts.complete:
        unproven(
            Reason.NO_ACCESS,
            f"the node gives no logs to find calls of {', '.join(unused)} by; name some in testnet.transactions",
        )
    assert not unused, (
        f"no successful call of {', '.join(unused)} in {facts.looked} transactions of {facts.address}"
    )


@pytest.mark.checklist("deploy.contract.testnet", text=TESTNET)
def test_testnet_run(testnet_facts: TestnetFacts, limits: Limits, now: datetime) -> None:
    """The integration tests ran against that deployment, for the released commit, lately, and passed."""
    facts, run = testnet_facts, testnet_facts.rehearsal
    if run.why:
        unproven(Reason.NO_CONFIG, run.why)
    assert run.tests, f"{run.path} holds no test"
    assert not run.bad, f"{run.bad} of {run.tests} tests in {run.path} failed: {', '.join(run.failed)}"
    assert run.skipped < run.tests, f"every test in {run.path} was skipped"
    assert run.address == facts.address.lower(), (
        f"{run.path} is about {run.address or 'no address'}, testnet.address is {facts.address}"
    )
    assert run.chain_id == str(facts.chain_id), f"{run.path} is about chain {run.chain_id or 'nowhere'}"
    if not facts.commit:
        unproven(Reason.NO_CONFIG, f"no release.commit to compare {run.path} with; add it")
    assert facts.commit in run.commits, (
        f"{run.path} is about commit {', '.join(run.commits) or 'none'}, release.commit is {facts.commit}"
    )
    if not run.started_at:
        unproven(Reason.NO_EVIDENCE, f"{run.path} does not say when it ran")
    age = (now - datetime.fromisoformat(run.started_at)).total_seconds() / 86_400
    assert -1 <= age <= limits.testnet_report_max_age_days, f"the run in {run.path} is {age:.0f} days old"
