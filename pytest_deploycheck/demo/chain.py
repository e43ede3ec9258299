"""The chain: an EVM behind JSON-RPC, our own over py-evm, or anvil when DEPLOYCHECK_EVM=anvil asks for it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping

from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, funds
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

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


def daemon(
    world: World, name: str = "rpc", chain_id: int = CHAIN_ID, accounts: Mapping[str, int] | None = None
) -> Daemon:
    """Return the chain's process on the port of its name; a second one makes a fork or a test network.

    One block a second, and one at once for each transaction. Accounts (address: wei) are funded at genesis.
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
