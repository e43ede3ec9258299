"""Faults that only a chain can show: each turns the deployment's item red, and metadata alone does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, keccak
from pytest_deploycheck.rules.bytecode import word
from pytest_deploycheck.rules.proxies import ADMIN_SLOT, BEACON_SLOT, IMPLEMENTATION_SLOT, INITIALIZABLE_SLOT
from pytest_deploycheck.verdict import Verdict
from tests.chain.build import CONTRACTS, PRICE, artifact
from tests.chain.pair import DEPLOYER, TREASURY, USER, Pair
from tests.chain.test_healthy import proxied
from tests.probes.service import Asked, Reply, serving

STRANGER = "0x00000000000000000000000000000000000000AA"
ROLE = "0x" + "0" * 64
TAG2 = "0x" + keccak(b"Vault2")[:4].hex()


def failed(pair: Pair, contract: dict[str, Any], words: str, **sections: Any) -> None:
    """Make everything final, look, and expect the item to fail with these words."""
    pair.settle()
    found = pair.judge(contract, **sections)
    assert found.verdict is Verdict.FAILED, found
    assert words in found.message, found.message


def set_code(pair: Pair, name: str, code: bytes) -> None:
    """Write code to where a contract is."""
    pair.one.call("anvil_setCode", pair.addresses[name], "0x" + code.hex())


def as_account(pair: Pair, account: str, to: str, data: str) -> None:
    """Send a transaction as an account whose key nobody has."""
    pair.one.call("anvil_setBalance", account, hex(10**20))
    pair.one.call("anvil_impersonateAccount", account)
    call = {"from": account, "to": to, "data": data, "gas": hex(200_000)}
    signing.wait(pair.one, pair.one.call("eth_sendTransaction", call))


def test_one_opcode(pair: Pair) -> None:
    """A byte that differs in the middle of the program."""
    code = bytearray(pair.code("Vault"))
    code[40] ^= 1
    set_code(pair, "Vault", bytes(code))
    failed(pair, pair.vault(), "1 bytes differ from Vault, the first at offset 40")


def test_metadata_only(pair: Pair) -> None:
    """The same program built from a source with another comment passes."""
    pair.deploy("Vault", PRICE, TREASURY, pair.addresses["Beacon"], "Vault", file="commented.json")
    pair.settle()
    found = pair.judge(pair.vault())
    assert found.verdict is Verdict.PASSED, found


def test_another_artifact(pair: Pair) -> None:
    """Another contract of the same project at the address."""
    set_code(pair, "Vault", pair.code("Upgradeable"))
    failed(pair, pair.vault(), "the code at")


def test_nothing_there(pair: Pair) -> None:
    """An address without code kills the gate, which this item owns."""
    failed(pair, pair.vault(address=STRANGER), "there is no code at")


def test_destroyed(pair: Pair) -> None:
    """A contract that was there once."""
    set_code(pair, "Vault", b"")
    failed(pair, pair.vault(), "there is no code at")


def test_a_delegated_account(pair: Pair) -> None:
    """An account that acts by the contract's code (EIP-7702) answers like the contract."""
    set_code(pair, "Vault", b"\xef\x01\x00" + bytes.fromhex(pair.addresses["Upgradeable"][2:]))
    failed(pair, pair.vault(), "acts by the code of")


def test_wrong_immutable(pair: Pair) -> None:
    """A price in the code that is not the one which the constructor was given."""
    code = bytearray(pair.code("Vault"))
    for span in next(one for one in artifact("Vault").immutables if one.name == "price").spans:
        code[span.start : span.start + 32] = bytes.fromhex(word(PRICE + 1))
    set_code(pair, "Vault", bytes(code))
    failed(pair, pair.vault(expected_state=[]), "immutable price is 0x")


def test_wrong_immutable_by_name(pair: Pair) -> None:
    """A declared value of an immutable is compared without any constructor's arguments."""
    contract = pair.vault(immutables={"treasury": STRANGER})
    del contract["constructor_args"]
    failed(pair, contract, "immutable treasury is 0x")


def test_wrong_constructor_argument(pair: Pair) -> None:
    """A deployment with another treasury than was decided."""
    pair.deploy("Vault", PRICE, STRANGER, pair.addresses["Beacon"], "Vault")
    failed(pair, pair.vault(), TREASURY[2:])


def test_wrong_constructor_argument_of_no_immutable(pair: Pair) -> None:
    """An argument that leaves no trace in the code is read from the transaction."""
    pair.deploy("Vault", PRICE, TREASURY, pair.addresses["Beacon"], "Vault2")
    contract = pair.vault(constructor_args=[PRICE, TREASURY, pair.addresses["Beacon"], "Vault2x"])
    failed(pair, {**contract, "immutables": {"tag": TAG2}, "expected_state": []}, "the constructor was given")


def test_unlinked_library(pair: Pair) -> None:
    """A build that was deployed with the library's address left at zero."""
    pair.addresses["Prices"] = "0x" + "0" * 40
    pair.deploy("Vault", PRICE, TREASURY, pair.addresses["Beacon"], "Vault")
    failed(pair, pair.vault(), "no code at the addresses of libraries")


def test_another_library(pair: Pair) -> None:
    """A build that was linked with another library than was decided."""
    contract = pair.vault(libraries={"Prices": pair.addresses["Cloner"]})
    failed(pair, contract, "library Vault.sol:Prices is")


def test_paused(pair: Pair) -> None:
    """A contract that takes no orders."""
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], abi.call("pause()"))
    failed(pair, pair.vault(), "is paused")


def test_state(pair: Pair) -> None:
    """A value that is not the declared one."""
    failed(pair, pair.vault(expected_state=[{"call": "totalSupply()", "equals": 5}]), "totalSupply() is 0")


def test_owner_is_an_account(pair: Pair) -> None:
    """An owner that is one key, unless that is accepted."""
    account = address_of(USER)
    pair.deploy("Vault", PRICE, TREASURY, account, "Vault")
    args = [PRICE, TREASURY, account, "Vault"]
    roles = {"DEFAULT_ADMIN_ROLE": [account]}
    contract = pair.vault(owner=account, constructor_args=args, roles=roles)
    failed(pair, contract, "an account that one key controls")
    accepted = pair.judge({**contract, "owner_is_account": True})
    assert accepted.verdict is Verdict.PASSED, accepted


def test_owner_is_a_delegated_account(pair: Pair) -> None:
    """An owner with code that is still one key (EIP-7702)."""
    set_code(pair, "Beacon", b"\xef\x01\x00" + bytes.fromhex(pair.addresses["Cloner"][2:]))
    failed(pair, pair.vault(), "an account that one key controls")


def test_another_owner(pair: Pair) -> None:
    """An owner that nobody decided."""
    failed(pair, pair.vault(owner=pair.addresses["Cloner"]), "contract.owner says")


def test_pending_owner(pair: Pair) -> None:
    """Somebody who may take the contract over at any time."""
    data = abi.call("transferOwnership(address)", STRANGER)
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    failed(pair, pair.vault(), "may take over the contract")


@pytest.mark.parametrize("role", ["DEFAULT_ADMIN_ROLE", "PAUSER_ROLE"])
def test_a_role_too_many(pair: Pair, role: str) -> None:
    """A holder of a role that nobody declared is found by the events."""
    identifier = ROLE if role == "DEFAULT_ADMIN_ROLE" else "0x" + keccak(role.encode()).hex()
    data = abi.call("grantRole(bytes32,address)", int(identifier, 16), STRANGER)
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    failed(pair, pair.vault(), f"{role} is held by")


def test_deployer_keeps_a_role(pair: Pair) -> None:
    """The deployer administers still, and the target file does not speak of roles."""
    data = abi.call("grantRole(bytes32,address)", int(ROLE, 16), address_of(DEPLOYER))
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    failed(pair, pair.vault(roles={}), "the deployer holds DEFAULT_ADMIN_ROLE")


def test_receipt_failed(pair: Pair) -> None:
    """A deployment's transaction that failed."""
    pair.one.call("anvil_setBalance", address_of(USER), hex(10**20))
    nonce = int(pair.one.call("eth_getTransactionCount", address_of(USER), "latest"), 16)
    fees = signing.Fees.suggested(pair.one)
    bad = {"chain_id": 31337, "nonce": nonce, "gas": 200_000, "fees": fees, "to": None, "value": 0}
    digest = pair.one.call("eth_sendRawTransaction", signing.sign(USER, **bad, data="0xfe"))
    failed(pair, pair.vault(deploy_tx=digest), "failed")


def test_receipt_of_another_contract(pair: Pair) -> None:
    """The transaction of a deployment, but not of this one."""
    failed(pair, pair.vault(deploy_tx=pair.transactions["Prices"]), "contract.address is")


def test_receipt_of_a_call(pair: Pair) -> None:
    """A transaction that mentions the contract without creating it."""
    data = abi.call("grantRole(bytes32,address)", 7, STRANGER)
    as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    block = pair.one.call("eth_getBlockByNumber", "latest", False)
    failed(pair, pair.vault(deploy_tx=block["transactions"][0]), "created nothing there")


def test_unknown_transaction(pair: Pair) -> None:
    """A hash that the chain never saw."""
    failed(pair, pair.vault(deploy_tx="0x" + "12" * 32), "the chain has no transaction")


def test_another_deployer(pair: Pair) -> None:
    """A deployment that somebody else sent."""
    failed(pair, pair.vault(deployer=STRANGER), "contract.deployer is")


def test_not_final(pair: Pair) -> None:
    """A deployment of a moment ago, in a block that may still go away."""
    pair.deploy("Vault", PRICE, TREASURY, pair.addresses["Beacon"], "Vault")
    pair.catch_up()
    found = pair.judge(pair.vault())
    assert found.verdict is Verdict.FAILED, found
    assert "the newest that is final" in found.message or "is final" in found.message, found


def test_reorganised(pair: Pair) -> None:
    """A deployment that a reorganisation took away, although its code was seen by somebody."""
    pair.deploy("Vault", PRICE, TREASURY, pair.addresses["Beacon"], "Vault")
    kept = pair.code("Vault")
    pair.one.call("anvil_reorg", 1, [])
    set_code(pair, "Vault", kept)
    failed(pair, pair.vault(expected_state=[], owner=""), "the chain has no transaction")


def test_wrong_chain(pair: Pair) -> None:
    """A contract that is right, on a chain that is not."""
    failed(pair, pair.vault(chain_id=1), "rpc.url is on chain 31337, the contract on 1")


def test_second_node_on_a_fork(pair: Pair) -> None:
    """Another node with other blocks, of which it is just as sure."""
    pair.settle()
    for _ in range(4):
        pair.two.call("evm_increaseTime", 1)
        pair.two.call("evm_mine")
    pair.mine(4)
    found = pair.judge(pair.vault())
    assert found.verdict is Verdict.FAILED, found
    assert "a fork" in found.message, found


def test_second_node_lies(pair: Pair) -> None:
    """Another node that has the very same blocks, and says that other code is in them."""
    pair.settle()

    def forward(asked: Asked) -> Reply:
        answers = [
            {"jsonrpc": "2.0", "id": one["id"], "result": pair.one.call(one["method"], *one["params"])}
            for one in (asked.json if isinstance(asked.json, list) else [asked.json])
        ]
        for answer in answers:
            if isinstance(answer["result"], str) and len(answer["result"]) > 1000:
                answer["result"] = answer["result"][:-1] + "0"
        return Reply(body=answers if isinstance(asked.json, list) else answers[0])

    with serving(forward) as base:
        (pair.folder / "liar").write_text(base)
        found = pair.judge(pair.vault(), rpc={"application": {"file": "liar"}})
    assert found.verdict is Verdict.FAILED, found
    assert f"answers differently: code of {pair.addresses['Vault'].lower()}" in found.message, found


def test_second_node_far_behind(pair: Pair) -> None:
    """Another node that stands still says nothing about the contract: unproven, and not red."""
    pair.settle()
    pair.one.call("anvil_mine", hex(100))
    found = pair.judge(pair.vault())
    assert found.verdict is Verdict.UNPROVEN, found
    assert "blocks behind" in found.message, found


def test_no_second_node(pair: Pair) -> None:
    """One node alone is no second opinion, twice the same neither."""
    pair.settle()
    found = pair.judge(pair.vault(), rpc={"application": {"file": "one"}})
    assert found.verdict is Verdict.UNPROVEN, found
    assert "the same endpoint as the reference" in found.message, found


@pytest.mark.parametrize("missing", ["artifact", "deploy_tx", "owner", "roles"])
def test_what_is_not_declared_is_unproven(pair: Pair, missing: str) -> None:
    """Without something to compare with, the item is not proven, and the message names the key."""
    contract = pair.vault()
    del contract[missing]
    if missing == "roles":
        data = abi.call("grantRole(bytes32,address)", int(ROLE, 16), STRANGER)
        as_account(pair, pair.addresses["Beacon"], pair.addresses["Vault"], data)
    pair.settle()
    found = pair.judge(contract)
    assert found.verdict is Verdict.UNPROVEN, found
    assert missing in found.message, found


# Proxies


def test_implementation_slot(pair: Pair) -> None:
    """A proxy that was upgraded to other code."""
    other = pair.deploy("UpgradeableOld", True, as_="Other")
    pair.slot("Proxy", IMPLEMENTATION_SLOT, other)
    failed(pair, proxied(pair, "eip1967"), "the code at")


def test_implementation_slot_to_a_copy(pair: Pair) -> None:
    """A proxy that points to the same code at an address which nobody decided."""
    other = pair.deploy("Upgradeable", True, as_="Copy")
    pair.slot("Proxy", IMPLEMENTATION_SLOT, other)
    failed(pair, proxied(pair, "eip1967"), "the implementation of")


def test_admin_slot(pair: Pair) -> None:
    """Somebody else may upgrade the proxy."""
    pair.slot("Proxy", ADMIN_SLOT, STRANGER)
    failed(pair, proxied(pair, "eip1967"), "the proxy's admin is")


def test_beacon_slot(pair: Pair) -> None:
    """A proxy that asks another beacon, which names the same code for now."""
    other = pair.deploy("Beacon", pair.addresses["Upgradeable"], STRANGER, as_="Other")
    pair.slot("BeaconProxy", BEACON_SLOT, other)
    failed(pair, proxied(pair, "beacon"), "the proxy's beacon is")


def test_beacon_upgraded(pair: Pair) -> None:
    """A beacon that names other code."""
    other = pair.deploy("UpgradeableOld", True, as_="Other")
    pair.slot("Beacon", "0x0", other)
    failed(pair, proxied(pair, "beacon"), "the code at")


def test_clone_of_something_else(pair: Pair) -> None:
    """A minimal proxy of other code."""
    code = (
        pair.code("Clone")
        .hex()
        .replace(pair.addresses["Upgradeable"][2:].lower(), pair.addresses["UpgradeableOld"][2:].lower())
    )
    set_code(pair, "Clone", bytes.fromhex(code))
    failed(pair, proxied(pair, "minimal"), "the code at")


def test_changed_proxy(pair: Pair) -> None:
    """A proxy whose own code is not its build's, before the right implementation."""
    code = bytearray(pair.code("Proxy"))
    code[20] ^= 1
    set_code(pair, "Proxy", bytes(code))
    failed(pair, proxied(pair, "eip1967"), "")


def test_uninitialised_implementation(pair: Pair) -> None:
    """An implementation that anybody may initialise, behind a proxy that is."""
    open_one = pair.deploy("Upgradeable", False, as_="Open")
    pair.slot("Proxy", IMPLEMENTATION_SLOT, open_one)
    failed(pair, proxied(pair, "eip1967", implementation=open_one), f"anybody can initialise {open_one}")


def test_uninitialised_proxy(pair: Pair) -> None:
    """A proxy that waits for the first to come."""
    safe = pair.addresses["Beacon"]
    made = pair.deploy("Proxy", pair.addresses["Upgradeable"], safe, b"")
    failed(pair, proxied(pair, "eip1967", owner="", expected_state=[]), f"anybody can initialise {made}")


def test_uninitialised_without_the_standard_marker(pair: Pair) -> None:
    """Older code with a flag of its own: the initializer is tried out, beside the same code without storage."""
    safe = pair.addresses["Beacon"]
    data = bytes.fromhex(abi.call("initialize(address,uint256)", safe, PRICE)[2:])
    for locked, verdict in ((True, Verdict.PASSED), (False, Verdict.FAILED)):
        made = pair.deploy("UpgradeableOld", locked, as_="Old")
        pair.deploy("Proxy", made, safe, data)
        pair.settle()
        contract = proxied(pair, "eip1967", implementation=made, name="UpgradeableOld")
        found = pair.judge(contract)
        assert found.verdict is verdict, found
    del contract["initializer"]
    assert pair.judge(contract).verdict is Verdict.UNPROVEN


def test_a_marker_that_was_wiped(pair: Pair) -> None:
    """A proxy whose marker was set back can be initialised again."""
    pair.slot("Proxy", INITIALIZABLE_SLOT, "0x0")
    failed(pair, proxied(pair, "eip1967"), "anybody can initialise")


def test_an_undeclared_proxy(pair: Pair) -> None:
    """A proxy where a contract of its own was declared."""
    pair.slot("Vault", IMPLEMENTATION_SLOT, pair.addresses["Upgradeable"])
    failed(pair, pair.vault(), "contract.proxy says none")


def test_an_artifact_of_another_tool(pair: Pair) -> None:
    """A Foundry artifact proves the same, and finds the same."""
    made = json.loads((CONTRACTS / "compiled.json").read_text())["contracts"]["Vault.sol"]["Vault"]
    evm = made["evm"]
    shape = {
        "abi": made["abi"],
        "bytecode": evm["bytecode"],
        "deployedBytecode": evm["deployedBytecode"],
        "rawMetadata": made["metadata"],
    }
    (pair.folder / "Vault.json").write_text(json.dumps(shape))
    pair.settle()
    contract = pair.vault(artifact="Vault.json", name="", immutables={})
    assert pair.judge(contract).verdict is Verdict.PASSED, pair.judge(contract)
    failed(pair, {**contract, "libraries": {"Prices": STRANGER}}, "library Vault.sol:Prices")
