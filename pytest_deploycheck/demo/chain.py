"""The chain: an EVM behind JSON-RPC, our own over py-evm, or anvil when DEPLOYCHECK_EVM=anvil asks for it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

from pytest_deploycheck.demo.contract import PRICE_WEI
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, deployer_key, funds, owner_address, record
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

REPLICA, TESTNET = "rpc_replica", "testnet"  # the companions' ports
TESTNET_CHAIN_ID = 11155111  # Sepolia's, for which it stands in
_ENV = "DEPLOYCHECK_EVM"


def available() -> str | None:
    """Return None, or the sentence why no chain can run on this machine."""
    if os.environ.get(_ENV) == "anvil":
        if shutil.which("anvil") is None:
            return f"{_ENV}=anvil asks for anvil, which is not on PATH (npm install @foundry-rs/anvil)"
        return None
    if importlib.util.find_spec("eth") is None:
        return "py-evm is not installed (pip install 'pytest-deploycheck[demo]')"
    return None


def daemons(world: World) -> list[Daemon]:
    """Return the chain with a second node and, in the same process, a test network; anvil has neither."""
    return [daemon(world, companions=os.environ.get(_ENV) != "anvil")]


def daemon(
    world: World,
    name: str = "rpc",
    chain_id: int = CHAIN_ID,
    accounts: Mapping[str, int] | None = None,
    companions: bool = False,
) -> Daemon:
    """Return the chain's process on the port of its name; a second one makes a fork or a test network.

    One block a second, and one at once for each transaction. Accounts (address: wei) are funded at genesis.
    companions: a second node of the chain and a test network, on ports of their own.
    """
    accounts = funds(world) if accounts is None else accounts
    home = world.path(name)
    home.mkdir(exist_ok=True)
    port = world.port(name)
    if os.environ.get(_ENV) == "anvil":
        genesis = world.path(name, "genesis.json")
        genesis.write_text(json.dumps(_genesis(chain_id, accounts), indent=1) + "\n")
        command = ["anvil", "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
        command += ["--block-time", "1", "--mixed-mining", "--slots-in-an-epoch", "1"]
        command += ["--accounts", "0", "--init", str(genesis), "--quiet"]
    else:
        command = [sys.executable, "-m", "pytest_deploycheck.demo.evm.server"]
        command += ["--port", str(port), "--chain-id", str(chain_id)]
        if companions:
            command += ["--replica", str(world.port(REPLICA))]
            command += ["--testnet", f"{world.port(TESTNET)}:{TESTNET_CHAIN_ID}"]
        for address, wei in accounts.items():
            command += ["--fund", f"{address}={wei}"]
    rpc = Rpc(world.url(name))

    def ready() -> bool:
        return int(rpc.call("eth_chainId"), 16) == chain_id

    return Daemon(name, command, home=home, ready=ready, log=world.path("logs", f"{name}.log"))


def _genesis(chain_id: int, accounts: Mapping[str, int]) -> dict[str, object]:
    return {
        "config": {"chainId": chain_id},
        "difficulty": "0x0",
        "gasLimit": hex(30_000_000),
        "timestamp": hex(int(time.time())),
        "alloc": {address: {"balance": hex(wei)} for address, wei in accounts.items()},
    }


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return what the target file says of the chain, of the contract, and of who pays for transactions."""
    sections: dict[str, dict[str, Any]] = {
        "rpc": {"own_hosts": ["127.0.0.1"]},
        "signer": {"address": address_of(world.secret("signer_key"))},
        "contract": {
            "deployer": address_of(deployer_key(world)),
            "constructor_args": [PRICE_WEI, owner_address(world)],
            "owner": owner_address(world),
            "expected_state": [
                {"call": "maxSupply()", "equals": 1_000_000_000},
                {"call": "symbol()", "equals": "DEMO"},
            ],
        },
    }
    if record(world).exists():
        sections["contract"]["deploy_tx"] = json.loads(record(world).read_text())["tx_hash"]
    if os.environ.get(_ENV) != "anvil":
        path = world.path("secrets", "rpc_fallback_url")
        path.touch(mode=0o600)
        path.write_text(world.url(REPLICA))
        sections["rpc"]["fallback"] = {"file": "secrets/rpc_fallback_url"}
        sections["standins"] = {
            REPLICA: "another provider's node: a second ledger in the same process, carrying out every block itself"
        }
    return sections
