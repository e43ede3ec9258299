"""The stored gas estimates of the release, as a team would keep them: made from the node when it was deployed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.demo.contract import PRICE_WEI, artifact
from pytest_deploycheck.demo.contract.deploy import deployer_key, owner_address, token_address
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

BUDGET_WEI = 10**16
_REPORT = ("reports", "gas", "estimates.json")


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Return no process: this is a file."""
    return []


def estimate(world: World) -> None:
    """Let the deployer hold one token, so that redeeming can be estimated, and write the estimates."""
    rpc, key, token = Rpc(world.url("rpc"), timeout_s=5.0), deployer_key(world), token_address(world)
    sender = address_of(key)
    held = rpc.call("eth_call", {"to": token, "data": abi.call("balanceOf(address)", sender)}, "latest")
    if abi.uint(held) == 0:
        signing.wait(rpc, signing.send(rpc, key, to=token, value=PRICE_WEI, data=abi.call("buy()")))
    code = artifact()["bytecode"]
    calls: dict[str, dict[str, str]] = {
        "deploy": {"data": code + abi.encode(PRICE_WEI, owner_address(world)).hex()},
        "buy()": {"to": token, "value": hex(PRICE_WEI), "data": abi.call("buy()")},
        "redeem(uint256)": {"to": token, "data": abi.call("redeem(uint256)", 1)},
    }
    document = {
        "artifact_sha256": hashlib.sha256(bytes.fromhex(code[2:])).hexdigest(),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "max_fee_wei": signing.Fees.suggested(rpc).cap_wei,
        "estimates": {
            name: int(rpc.call("eth_estimateGas", {"from": sender, **call}), 16)
            for name, call in calls.items()
        },
    }
    world.path(*_REPORT).write_text(json.dumps(document, indent=2) + "\n")


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[gas]` of the target file."""
    sender = address_of(deployer_key(world))
    return {
        "gas": {
            "calls": [
                {"function": "buy()", "sender": sender, "value": PRICE_WEI},
                {"function": "redeem(uint256)", "sender": sender, "args": [1]},
            ],
            "budget_wei": BUDGET_WEI,
            "report": "/".join(_REPORT),
        }
    }
