"""Nodes and explorers that answer nonsense: a probe may see nothing then, and never breaks."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from tests.chain.build import PRICE
from tests.chain.pair import DEPLOYER, USER, Pair
from tests.chain.provider import provider
from tests.chain.test_healthy import proxied
from tests.probes.service import Asked, Reply, serving

PROBES = ("rpc", "signer", "contract", "testnet", "gas", "explorer")
METHODS = (
    "eth_chainId",
    "eth_syncing",
    "eth_blockNumber",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_getStorageAt",
    "eth_call",
    "eth_getTransactionReceipt",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_getLogs",
    "eth_estimateGas",
    "eth_feeHistory",
    "web3_clientVersion",
)
OBJECTS = {name for name in METHODS if "get" in name and ("Block" in name or "Tr" in name or "Logs" in name)}
SCALARS: tuple[Any, ...] = (
    *(None, True, 7, "", "0x", "0x1", "0xzz", "0x" + "f" * 65, "\ud800", "0x" + "ab" * 40_000, [], {}),
)
SHAPES: tuple[Any, ...] = (
    *([[]], ["0x1"], {"number": "x", "hash": 5, "timestamp": []}, {"blockNumber": "0x1", "logs": 3}),
    *({"baseFeePerGas": [], "reward": [None]}, {"topics": 5}, [{"topics": [1, 2, 3], "address": []}]),
)


def look(pair: Pair, base: str, contract: dict[str, Any]) -> dict[str, Any]:
    """Look with every probe of the chain at a node."""
    (pair.folder / "env").write_text(f"PRIVATE_KEY={USER}\n")
    path = pair.target(
        contract,
        env={"rendered": {"file": "env"}},
        signer={"address": address_of(USER), "roles": ["PAUSER_ROLE"]},
        gas={"calls": [{"function": "buy()", "value": PRICE}], "budget_wei": 1},
        testnet={"rpc_url": {"file": "one"}, "chain_id": 31337, "address": contract["address"]},
        explorer={"etherscan_url": base, "sourcify_url": base},
        limits={"rpc_calls": 2, "signer_settle_s": 0.5, "explorer_interval_s": 0},
    )
    for name in ("one", "two"):
        (pair.folder / name).write_text(base if name == "one" else f"{base}?second=1")
    return dict(Run(load(path)).gather(PROBES, registry()))


@pytest.mark.parametrize("method", METHODS)
def test_nonsense_of_a_node(pair: Pair, method: str) -> None:
    """Whatever a method answers, the probes end in facts, in a refusal, or without any."""
    pair.settle()
    pair.one.call("anvil_setBalance", address_of(USER), hex(10**20))
    broken: dict[str, str] = {}
    for number, nonsense in enumerate(
        (*SCALARS, *(SHAPES if method in {*OBJECTS, "eth_feeHistory"} else ()))
    ):

        def change(call: dict[str, Any], answer: dict[str, Any], given: Any = nonsense) -> dict[str, Any]:
            return {**answer, "result": given} if call["method"] == method else answer

        contract = pair.vault() if number % 2 else proxied(pair, "eip1967", deployer=address_of(DEPLOYER))
        with provider(pair, change) as base:
            seen = look(pair, base, contract)
        broken |= {
            f"{name} by {nonsense!r:.40}": entry.detail
            for name, entry in seen.items()
            if entry.state == "broken"
        }
    assert not broken


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "null", '{"status": "1", "result": [5]}', '{"match": []}', "\x00"]
)
def test_nonsense_of_an_explorer(pair: Pair, body: str) -> None:
    """Whatever an explorer answers, the probe does not break."""
    pair.settle()

    def answer(asked: Asked) -> Reply:
        return Reply(body=body)

    with serving(answer) as base:
        path = pair.target(pair.vault(), explorer={"etherscan_url": base, "sourcify_url": base})
        seen = Run(load(path)).gather(["explorer"], registry())["explorer"]
    assert seen.state == "seen", seen.detail
    assert {one.state for one in seen.facts.published} == {"unknown"}
