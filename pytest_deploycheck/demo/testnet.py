"""The rehearsal: the same build on a test network, used there as users would, with a report of how that went.

The network stands in for Sepolia: it has its chain id, and is a second ledger in the chain's process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from pytest_deploycheck.demo.chain import TESTNET, TESTNET_CHAIN_ID
from pytest_deploycheck.demo.contract import PRICE_WEI, artifact
from pytest_deploycheck.demo.contract.deploy import deployer_key
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, contract_address
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

_REPORT = ("reports", "testnet", "junit.xml")


def available() -> str | None:
    """Return None, or why there is no test network."""
    return "anvil runs one chain only" if os.environ.get("DEPLOYCHECK_EVM") == "anvil" else None


def daemons(world: World) -> list[Daemon]:
    """Return no process of its own: the chain's serves the test network."""
    return []


def address(world: World) -> str:
    """Return where the token is there: another address than on the main chain, by one more transaction."""
    return contract_address(address_of(deployer_key(world)), 1 + 1)


def rehearse(world: World) -> None:
    """Deploy the token on the test network, buy and redeem, and write the report; once a chain's life."""
    rpc, key = Rpc(world.url(TESTNET), timeout_s=5.0), deployer_key(world)
    if rpc.call("eth_getCode", address(world), "latest") != "0x":
        return
    sender, token = address_of(key), address(world)
    began = datetime.now(UTC)
    for _ in range(2):  # so that its address differs from the one on the main chain
        signing.wait(rpc, signing.send(rpc, key, to=sender))
    data = artifact()["bytecode"] + abi.encode(PRICE_WEI, sender).hex()
    steps: dict[str, Callable[[], str]] = {
        "deploy": lambda: signing.send(rpc, key, to=None, data=data),
        "buy": lambda: signing.send(rpc, key, to=token, value=3 * PRICE_WEI, data=abi.call("buy()")),
        "redeem": lambda: signing.send(rpc, key, to=token, data=abi.call("redeem(uint256)", 2)),
    }
    cases = []
    for name, send in steps.items():
        started = time.monotonic()
        receipt = signing.wait(rpc, send())
        cases.append((name, time.monotonic() - started))
        if name == "deploy":
            world.path("reports", "testnet", "deploy_tx").write_text(receipt["transactionHash"])
    assert abi.uint(rpc.call("eth_call", {"to": token, "data": abi.call("totalSupply()")}, "latest")) == 1
    world.path(*_REPORT).write_text(_junit(world, began, cases))


def _junit(world: World, began: datetime, cases: list[tuple[str, float]]) -> str:
    properties = {
        "commit": world.release.commit,
        "address": address(world),
        "chain_id": str(TESTNET_CHAIN_ID),
    }
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<testsuite name="testnet" tests="{len(cases)}" failures="0" errors="0" skipped="0" '
        f'timestamp="{began.isoformat(timespec="seconds")}">',
        "  <properties>",
        *(
            f"    <property name={quoteattr(key)} value={quoteattr(value)}/>"
            for key, value in properties.items()
        ),
        "  </properties>",
        *(f'  <testcase classname="testnet" name="{name}" time="{took:.3f}"/>' for name, took in cases),
        "</testsuite>",
    ]
    return "\n".join(lines) + "\n"


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[testnet]` of the target file."""
    path = world.path("secrets", "testnet_url")
    path.touch(mode=0o600)
    path.write_text(world.url(TESTNET))
    return {
        "testnet": {
            "rpc_url": {"file": "secrets/testnet_url"},
            "chain_id": TESTNET_CHAIN_ID,
            "address": address(world),
            "deploy_tx": world.path("reports", "testnet", "deploy_tx").read_text(),
            "constructor_args": [PRICE_WEI, address_of(deployer_key(world))],
            "report": "/".join(_REPORT),
        },
        "standins": {TESTNET: "Sepolia: a chain with its id, in the same process as the main one"},
    }
