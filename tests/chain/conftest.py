"""A pair of nodes with every contract deployed, as it was before each test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo.ether import abi
from tests.chain.build import PRICE
from tests.chain.pair import TREASURY, USER, Pair, anvil, url


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Deploy the vault, proxies of three kinds, and what they need."""
    with anvil() as one, anvil("--fork-url", url(one)) as two:
        pair = Pair(one, two, tmp_path_factory.mktemp("chain"))
        implementation = pair.deploy("Upgradeable", True)
        pair.deploy("UpgradeableOld", True)
        # A contract that nobody's single key controls owns everything.
        safe = pair.deploy("Beacon", implementation, implementation)
        pair.deploy("Prices")
        pair.deploy("Vault", PRICE, TREASURY, safe, "Vault")
        data = bytes.fromhex(abi.call("initialize(address,uint256)", safe, PRICE)[2:])
        pair.deploy("Proxy", implementation, safe, data)
        pair.deploy("BeaconProxy", safe, data)
        pair.deploy("Cloner")
        receipt = pair.send(
            USER, pair.addresses["Cloner"], abi.call("clone(address,bytes)", implementation, data)
        )
        pair.addresses["Clone"] = abi.address(receipt["logs"][0]["data"])
        pair.transactions["Clone"] = receipt["transactionHash"]
        pair.settle()
        yield pair


@pytest.fixture
def pair(deployed: Pair, tmp_path: Path) -> Iterator[Pair]:
    """Return the pair, which is put back to where it was afterwards.

    anvil's clock goes back with its state, and falls behind more with each test: it is set before each.
    """
    deployed.one.call("evm_setTime", int(time.time()))
    before = deployed.one.call("evm_snapshot")
    known = dict(deployed.addresses), dict(deployed.transactions)
    yield Pair(deployed.one, deployed.two, tmp_path, deployed.addresses, deployed.transactions)
    deployed.addresses.clear()
    deployed.addresses.update(known[0])
    deployed.transactions.clear()
    deployed.transactions.update(known[1])
    deployed.one.call("evm_revert", before)
