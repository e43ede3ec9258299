"""The chain answers as Ethereum nodes do; the same tests run against anvil where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from pytest_deploycheck.demo import chain
from pytest_deploycheck.demo.contract import PRICE_WEI, artifact
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, contract_address, key_from_secret, to_checksum
from pytest_deploycheck.demo.ether.rpc import Rpc, RpcRefused, RpcUnavailable
from pytest_deploycheck.demo.evm import ledger as ledger_module
from pytest_deploycheck.demo.evm.ledger import Ledger
from pytest_deploycheck.demo.evm.machine import Moment, Override, Refused
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World
from tests.demo.web import eventually

ETHER = 10**18
RICH = key_from_secret("a test", "rich")
POOR = key_from_secret("a test", "poor")
STRANGER = "0x00000000000000000000000000000000000000AA"


@pytest.fixture(scope="module", params=["py-evm", "anvil"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a chain of each kind with one rich account."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "anvil":
            if shutil.which("anvil") is None:
                pytest.skip("anvil is not on PATH; tests/setup.sh installs it")
            patch.setenv("DEPLOYCHECK_EVM", "anvil")
        world = World(tmp_path_factory.mktemp("chain"))
        daemon = chain.daemon(world, accounts={address_of(RICH): 1000 * ETHER})
        daemon.start()
        daemon.wait_ready()
        yield daemon
        daemon.stop()


@pytest.fixture(scope="module")
def rpc(node: Daemon) -> Rpc:
    """Return a client of the chain."""
    return Rpc(World.load(node.home.parent).url("rpc"), timeout_s=5)


@pytest.fixture(scope="module")
def token(rpc: Rpc) -> str:
    """Deploy a token that the rich account owns, and buy ten of it."""
    data = artifact()["bytecode"] + abi.encode(PRICE_WEI, address_of(RICH)).hex()
    receipt = signing.wait(rpc, signing.send(rpc, RICH, to=None, data=data))
    address = to_checksum(receipt["contractAddress"])
    signing.wait(rpc, signing.send(rpc, RICH, to=address, value=10 * PRICE_WEI, data=abi.call("buy()")))
    return address


def head(rpc: Rpc) -> int:
    """Return the newest block's number."""
    return int(rpc.call("eth_blockNumber"), 16)


def refusal(rpc: Rpc, method: str, *params: Any) -> RpcRefused:
    """Return the error that a call must end in."""
    with pytest.raises(RpcRefused) as caught:
        rpc.call(method, *params)
    return caught.value


def signed(rpc: Rpc, key: str, **changes: Any) -> str:
    """Return a transfer of one wei that is right but for the changes."""
    fields: dict[str, Any] = {
        "chain_id": 31337,
        "nonce": int(rpc.call("eth_getTransactionCount", address_of(key), "latest"), 16),
        "gas": 21_000,
        "fees": signing.Fees.suggested(rpc),
        "to": STRANGER,
        "value": 1,
        "data": "0x",
    }
    return signing.sign(key, **{**fields, **changes})


def test_says_who_it_is(rpc: Rpc) -> None:
    """The chain's number is the same in hex and decimal, and it is neither syncing nor nameless."""
    chain_id, network, syncing, version = rpc.batch(
        [("eth_chainId",), ("net_version",), ("eth_syncing",), ("web3_clientVersion",)]
    )
    assert (chain_id, network, syncing) == ("0x7a69", "31337", False)
    assert version.startswith(("deploycheck-demo/py-evm", "anvil"))


def test_mines_once_a_second(rpc: Rpc) -> None:
    """Without any transaction the head moves on, and its time is now."""
    before = head(rpc)
    assert eventually(lambda: head(rpc) >= before + 2, within_s=10)
    block = rpc.call("eth_getBlockByNumber", "latest", False)
    assert abs(int(block["timestamp"], 16) - time.time()) < 5


def test_block_hash_is_the_hash_of_the_header(rpc: Rpc, token: str) -> None:
    """Whoever recomputes a block's hash from its fields gets the same; each block names its parent."""
    receipt = signing.wait(rpc, signing.send(rpc, RICH, to=STRANGER, value=1))
    block = rpc.call("eth_getBlockByNumber", receipt["blockNumber"], False)
    names = (
        *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
        *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
        *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
        "requestsHash",
    )
    numbers = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"} | {
        "blobGasUsed",
        "excessBlobGas",
    }
    header = [number(block[name]) if name in numbers else raw(block[name]) for name in names if name in block]
    assert block["hash"] == "0x" + keccak(rlp.encode(header)).hex()
    parent = rpc.call("eth_getBlockByHash", block["parentHash"], False)
    assert int(parent["number"], 16) == int(block["number"], 16) - 1


def number(text: str) -> bytes:
    """Return a hexadecimal number as RLP writes it."""
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def raw(text: str) -> bytes:
    """Return the bytes of a hexadecimal string."""
    return bytes.fromhex(text[2:])


def test_tags_trail_the_head(rpc: Rpc) -> None:
    """Safe is behind latest and finalized behind safe, all of one chain."""
    assert eventually(lambda: head(rpc) > 3, within_s=10)
    safe, final, latest = (
        int(block["number"], 16)
        for block in rpc.batch(
            [("eth_getBlockByNumber", tag, False) for tag in ("safe", "finalized", "latest")]
        )
    )
    assert latest - 3 <= final < safe < latest + 1


def test_mines_a_transaction(rpc: Rpc) -> None:
    """A transfer gets a receipt, and the money arrives."""
    before = int(rpc.call("eth_getBalance", STRANGER, "latest"), 16)
    digest = signing.send(rpc, RICH, to=STRANGER, value=7)
    assert eventually(lambda: rpc.call("eth_getTransactionReceipt", digest), within_s=5)
    assert int(rpc.call("eth_getBalance", STRANGER, "latest"), 16) == before + 7
    shown = rpc.call("eth_getTransactionByHash", digest)
    assert (shown["from"].lower(), shown["value"]) == (address_of(RICH).lower(), "0x7")


def test_past_states_can_be_read(rpc: Rpc, token: str) -> None:
    """A call at the block before a purchase sees the old supply, by number, hash and tag object."""
    receipt = signing.wait(rpc, signing.send(rpc, RICH, to=token, value=PRICE_WEI, data=abi.call("buy()")))
    after = int(receipt["blockNumber"], 16)
    supply = {"to": token, "data": abi.call("totalSupply()")}
    parent = rpc.call("eth_getBlockByNumber", hex(after - 1), False)["hash"]
    now, was, same = rpc.batch(
        [("eth_call", supply, tag) for tag in (hex(after), hex(after - 1), {"blockHash": parent})]
    )
    assert abi.uint(now) == abi.uint(was) + 1
    assert was == same


def test_reverts_carry_their_reason(rpc: Rpc, token: str) -> None:
    """A call that would revert is an error of code 3 with the sentence and the data."""
    call = {"from": STRANGER, "to": token, "data": abi.call("redeem(uint256)", 1)}
    for method in ("eth_call", "eth_estimateGas"):
        error = refusal(rpc, method, call, "latest")
        assert error.code == 3
        assert "insufficient token balance" in error.reason
        assert abi.revert_reason(bytes.fromhex(error.data[2:])) == "insufficient token balance"


def test_state_can_be_overridden_for_a_call(rpc: Rpc, token: str) -> None:
    """A penniless sender may buy in a call that pretends it has ether, and nothing of that stays."""
    call = {"from": STRANGER, "to": token, "value": hex(3 * PRICE_WEI), "data": abi.call("buy()")}
    assert abi.uint(rpc.call("eth_call", call, "latest", {STRANGER: {"balance": hex(ETHER)}})) == 3
    code = {token: {"code": "0x60aa60005260206000f3"}}
    assert abi.uint(rpc.call("eth_call", {"to": token, "data": "0x"}, "latest", code)) == 0xAA
    slot = {token: {"stateDiff": {"0x" + "0" * 63 + "1": "0x" + "0" * 62 + "63"}}}
    supply = {"to": token, "data": abi.call("totalSupply()")}
    assert rpc.call("eth_call", supply, "latest", slot) != rpc.call("eth_call", supply, "latest")


def test_gas_estimates_are_enough_and_no_more(rpc: Rpc, token: str) -> None:
    """With the estimated gas a redemption succeeds, with nine tenths of it it does not."""
    call = {"from": address_of(RICH), "to": token, "data": abi.call("redeem(uint256)", 1)}
    gas = int(rpc.call("eth_estimateGas", call), 16)
    rpc.call("eth_call", {**call, "gas": hex(gas)}, "latest")
    assert refusal(rpc, "eth_call", {**call, "gas": hex(gas * 9 // 10)}, "latest").code != 0
    assert int(rpc.call("eth_estimateGas", {"from": STRANGER, "to": STRANGER}), 16) == 21_000


def test_logs_are_found_by_address_topic_and_range(rpc: Rpc, token: str) -> None:
    """Exactly the events of the contract, topic and blocks asked for come back."""
    receipt = signing.wait(
        rpc, signing.send(rpc, RICH, to=token, value=2 * PRICE_WEI, data=abi.call("buy()"))
    )
    block, bought = receipt["blockNumber"], abi.topic("Purchased(address,uint256,uint256)")
    query = {"address": token, "fromBlock": block, "toBlock": block, "topics": [bought]}
    (log,) = rpc.call("eth_getLogs", query)
    assert abi.address(log["topics"][1]) == address_of(RICH)
    assert int(log["data"][2:66], 16) == 2
    assert [one["logIndex"] for one in receipt["logs"]] == ["0x0", "0x1"]
    both = rpc.call(
        "eth_getLogs", {**query, "topics": [[bought, abi.topic("Transfer(address,address,uint256)")]]}
    )
    assert len(both) == 2
    assert rpc.call("eth_getLogs", {**query, "topics": [abi.topic("Paused(address)")]}) == []
    assert rpc.call("eth_getLogs", {**query, "address": STRANGER}) == []
    assert rpc.call(
        "eth_getLogs", {"blockHash": receipt["blockHash"], "topics": [None, log["topics"][1]]}
    ) == [log]


def test_fee_history_has_the_documented_shape(rpc: Rpc, token: str) -> None:
    """There is one base fee more than blocks, and a reward for each percentile of each block."""
    history = rpc.call("eth_feeHistory", "0x4", "latest", [25.0, 75.0])
    blocks = len(history["gasUsedRatio"])
    assert 1 <= blocks <= 4
    assert len(history["baseFeePerGas"]) == blocks + 1
    assert [len(rewards) for rewards in history["reward"]] == [2] * blocks
    assert int(rpc.call("eth_gasPrice"), 16) > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nonce": 0}, "nonce too low"),
        ({"chain_id": 1}, "chain id"),
        ({"value": 10**6 * ETHER}, "nsufficient funds"),
    ],
)
def test_bad_transactions_are_refused(rpc: Rpc, token: str, changes: dict[str, Any], words: str) -> None:
    """A used nonce, another chain's signature and an overdrawn account are each told apart."""
    assert words in refusal(rpc, "eth_sendRawTransaction", signed(rpc, RICH, **changes)).reason


def test_without_mining_the_head_ages_and_transactions_wait(rpc: Rpc) -> None:
    """With mining off the head stands still and the pending nonce runs ahead, until a block is asked for."""
    rpc.batch([("evm_setAutomine", False), ("evm_setIntervalMining", 0)])
    try:
        stood = head(rpc)
        sender = address_of(RICH)
        first = int(rpc.call("eth_getTransactionCount", sender, "latest"), 16)
        digests = [rpc.call("eth_sendRawTransaction", signed(rpc, RICH, nonce=first + i)) for i in (1, 0)]
        assert int(rpc.call("eth_getTransactionCount", sender, "pending"), 16) == first + 2
        assert rpc.call("eth_getTransactionByHash", digests[0])["blockHash"] is None
        time.sleep(1.5)
        assert head(rpc) == stood
        rpc.call("evm_mine")
        assert {rpc.call("eth_getTransactionReceipt", one)["blockNumber"] for one in digests} == {
            hex(stood + 1)
        }
        assert int(rpc.call("eth_getTransactionCount", sender, "latest"), 16) == first + 2
    finally:
        rpc.batch([("evm_setAutomine", True), ("evm_setIntervalMining", 1)])
    assert eventually(lambda: head(rpc) > stood + 1, within_s=10)


def test_accounts_can_be_tampered_with(rpc: Rpc) -> None:
    """Balance, code, nonce and storage set from outside are what reads see afterwards."""
    rpc.call("anvil_setBalance", STRANGER, hex(5 * ETHER))
    rpc.call("anvil_setCode", STRANGER, "0xef0100" + "00" * 20)
    rpc.call("anvil_setNonce", STRANGER, "0x9")
    rpc.call("anvil_setStorageAt", STRANGER, "0x0", "0x" + "0" * 63 + "7")
    seen = rpc.batch(
        [
            ("eth_getBalance", STRANGER, "latest"),
            ("eth_getCode", STRANGER, "latest"),
            ("eth_getTransactionCount", STRANGER, "latest"),
            ("eth_getStorageAt", STRANGER, "0x0", "latest"),
        ]
    )
    assert seen == [hex(5 * ETHER), "0xef0100" + "00" * 20, "0x9", "0x" + "0" * 63 + "7"]


def test_unknown_methods_and_bad_parameters_are_refused(rpc: Rpc) -> None:
    """Each mistake has the protocol's own code."""
    assert refusal(rpc, "eth_makeMoney").code == -32601
    assert refusal(rpc, "eth_getBalance", "0x12", "latest").code == -32602
    assert refusal(rpc, "eth_getBalance").code == -32602


def test_web3_reads_it(rpc: Rpc, token: str, node: Daemon) -> None:
    """The common client library deploys, calls and decodes events without noticing what it speaks to."""
    web3 = pytest.importorskip("web3")
    w3 = web3.Web3(web3.Web3.HTTPProvider(World.load(node.home.parent).url("rpc")))
    contract = w3.eth.contract(token, abi=artifact()["abi"])
    assert contract.functions.symbol().call() == "DEMO"
    assert w3.eth.get_block("finalized")["number"] <= w3.eth.block_number
    events = contract.events.Purchased.get_logs(from_block=0)
    assert events[0]["args"]["tokens"] == 10
    with pytest.raises(web3.exceptions.ContractLogicError, match="nothing to redeem"):
        contract.functions.redeem(0).call()


def post(url: str, body: bytes) -> tuple[int, Any]:
    """Send a body as it is; the status and what came back."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as reply:
        text = reply.read()
        return reply.status, json.loads(text) if text else None


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run our own chain, for what is only true of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DEPLOYCHECK_EVM", raising=False)
        daemon = chain.daemon(World(tmp_path_factory.mktemp("own")), accounts={address_of(RICH): ETHER})
    daemon.start()
    daemon.wait_ready()
    yield daemon
    daemon.stop()


def test_protocol_errors(own: Daemon) -> None:
    """Broken JSON, an empty batch and other methods than POST get the documented answers."""
    url = World.load(own.home.parent).url("rpc")
    assert post(url, b"{")[1]["error"]["code"] == -32700
    assert post(url, b"[]")[1]["error"]["code"] == -32600
    assert post(url, b'{"jsonrpc":"2.0","method":"eth_chainId"}') == (200, None)
    mixed = [
        {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": 2, "method": "no"},
    ]
    answers = post(url, json.dumps(mixed).encode())[1]
    assert (answers[0]["result"], answers[1]["error"]["code"]) == ("0x7a69", -32601)
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(url, timeout=5)


def test_mines_a_transaction_at_once(own: Daemon) -> None:
    """A transfer has a receipt even though the clock that mines stands still."""
    rpc = Rpc(World.load(own.home.parent).url("rpc"), timeout_s=5)
    rpc.call("evm_setIntervalMining", 0)
    try:
        digest = signing.send(rpc, RICH, to=STRANGER, value=7)
        assert rpc.call("eth_getTransactionReceipt", digest) is not None
    finally:
        rpc.call("evm_setIntervalMining", 1)


def test_idle_seconds_cost_little(own: Daemon) -> None:
    """Three seconds without requests take less than a tenth of one CPU."""

    def used_s() -> float:
        fields = Path(f"/proc/{own.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used_s()
    time.sleep(3)
    assert used_s() - before < 0.3


def test_a_dead_node_is_named_without_its_key() -> None:
    """A client error names the host, never the path that holds the provider's key."""
    failures: list[int] = []
    client = Rpc("http://user:pw@127.0.0.1:9/v3/secret-key", on_error=lambda: failures.append(1))
    with pytest.raises(RpcUnavailable, match=r"http://127\.0\.0\.1:9 ") as caught:
        client.call("eth_chainId")
    assert "secret-key" not in str(caught.value)
    assert "pw" not in str(caught.value)
    assert failures == [1]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old blocks and states are forgotten, but never the block that created a contract."""
    monkeypatch.setattr(ledger_module, "KEEP_BLOCKS", 60)
    monkeypatch.setattr(ledger_module, "KEEP_STATES", 20)
    monkeypatch.setattr(ledger_module, "_SWEEP_EVERY", 20)
    sender = address_of(RICH)
    ledger = Ledger(31337, {bytes.fromhex(sender[2:]): Override(balance=100 * ETHER)})
    fees = signing.Fees(10**9, 3 * 10**9)
    code = artifact()["bytecode"] + abi.encode(PRICE_WEI, sender).hex()
    token = contract_address(sender, 0)
    common: dict[str, Any] = {"chain_id": 31337, "fees": fees}
    created = ledger.submit(
        raw(signing.sign(RICH, nonce=0, gas=3_000_000, to=None, value=0, data=code, **common))
    )
    sizes = []
    for nonce in range(1, 121):
        buy = signing.sign(
            RICH, nonce=nonce, gas=200_000, to=token, value=PRICE_WEI, data=abi.call("buy()"), **common
        )
        digest = ledger.submit(raw(buy))
        if nonce == 1:
            first = digest
        sizes.append(ledger.machine.size)
    assert max(sizes[60:]) <= max(sizes[20:60]) * 1.2
    assert ledger.place(created) is not None
    assert ledger.place(first) is None
    assert ledger.block(2) is None
    block = ledger.head
    state: Any = ledger.machine.state(block.state_root, ledger.moment(block))
    assert state.get_balance(raw(token)) == 120 * PRICE_WEI
    old = ledger.block(ledger.head.number - 50)
    assert old is not None
    with pytest.raises(Refused, match="no longer kept"):
        ledger.machine.state(old.state_root, Moment(old.number, old.timestamp))


def test_anvil_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """When anvil is wanted but not installed, the reason says how to get it."""
    monkeypatch.setenv("DEPLOYCHECK_EVM", "anvil")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "npm install @foundry-rs/anvil" in str(chain.available())
    monkeypatch.delenv("DEPLOYCHECK_EVM")
    assert chain.available() is None
