"""The chain's second node follows by its own execution, forks and comes back; the test network is another chain."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_deploycheck.demo import chain
from pytest_deploycheck.demo.contract import PRICE_WEI, artifact
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, key_from_secret
from pytest_deploycheck.demo.ether.rpc import Rpc, RpcRefused
from pytest_deploycheck.demo.world import World
from tests.demo.web import eventually

RICH = key_from_secret("a test", "rich")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rpc, Rpc, Rpc]]:
    """Run the chain with its companions."""
    world = World(tmp_path_factory.mktemp("replica"))
    daemon = chain.daemon(world, accounts={address_of(RICH): 10**21}, companions=True)
    daemon.start()
    daemon.wait_ready()
    yield tuple(Rpc(world.url(name), timeout_s=5) for name in ("rpc", chain.REPLICA, chain.TESTNET))  # type: ignore[misc]
    daemon.stop()


def block(rpc: Rpc, tag: str = "latest") -> str:
    """Return a block's hash."""
    return str(rpc.call("eth_getBlockByNumber", tag, False)["hash"])


def test_follows(nodes: tuple[Rpc, Rpc, Rpc]) -> None:
    """Transactions and tampering arrive at once, with the same hashes and receipts."""
    one, two, _ = nodes
    data = artifact()["bytecode"] + abi.encode(PRICE_WEI, address_of(RICH)).hex()
    receipt = signing.wait(one, signing.send(one, RICH, to=None, data=data))
    one.call("anvil_setBalance", "0x" + "11" * 20, "0x5")
    assert two.call("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
    assert two.call("eth_getBalance", "0x" + "11" * 20, "latest") == "0x5"
    number = one.call("eth_blockNumber")
    assert block(one, number) == block(two, number)


def test_forks_and_comes_back(nodes: tuple[Rpc, Rpc, Rpc]) -> None:
    """While it does not follow it may mine blocks of its own, and gives them up to follow again."""
    one, two, _ = nodes
    two.call("deploycheck_follow", False)
    two.call("anvil_setBalance", "0x" + "22" * 20, "0x5")
    number = two.call("eth_blockNumber")
    assert eventually(lambda: one.call("eth_blockNumber") >= number, within_s=10)
    one.call("evm_mine")
    assert block(one, number) != block(two, number)
    two.call("deploycheck_follow", True)
    assert block(one, number) == block(two, number)
    one.call("evm_mine")
    newest = one.call("eth_blockNumber")
    assert block(one, newest) == block(two, newest)
    assert two.call("eth_getBalance", "0x" + "22" * 20, "latest") == "0x0"


def test_the_first_node_is_no_replica(nodes: tuple[Rpc, Rpc, Rpc]) -> None:
    """Only the second one can be told to follow."""
    with pytest.raises(RpcRefused, match="no replica"):
        nodes[0].call("deploycheck_follow", False)


def test_the_test_network_is_another_chain(nodes: tuple[Rpc, Rpc, Rpc]) -> None:
    """It has Sepolia's id and its own blocks."""
    one, _, network = nodes
    assert int(network.call("eth_chainId"), 16) == chain.TESTNET_CHAIN_ID
    assert eventually(lambda: int(network.call("eth_blockNumber"), 16) >= 1, within_s=10)
    assert block(one, "0x1") != block(network, "0x1")


def test_no_call_waits_for_an_acknowledgement(nodes: tuple[Rpc, Rpc, Rpc]) -> None:
    """Nagle's algorithm is off on every port: a quarter of many calls takes less than its 40 ms."""
    for rpc in nodes:
        took = []
        for _ in range(40):
            began = time.monotonic()
            rpc.call("eth_chainId")
            took.append(time.monotonic() - began)
        assert sorted(took)[10] < 0.035
