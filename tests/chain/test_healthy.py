"""Correct deployments of every shape pass."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.verdict import Verdict
from tests.chain.build import CONTRACTS, PRICE
from tests.chain.pair import Pair
from tests.chain.provider import provider


def proxied(pair: Pair, kind: str, **changes: Any) -> dict[str, Any]:
    """Return `[contract]` for a proxy of a kind, as it was deployed but for the changes."""
    name = {"eip1967": "Proxy", "beacon": "BeaconProxy", "minimal": "Clone"}[kind]
    safe = pair.addresses["Beacon"]
    return {
        "address": pair.addresses[name],
        "artifact": str(CONTRACTS / "compiled.json"),
        "name": "Upgradeable",
        "deploy_tx": pair.transactions[name],
        "proxy": kind,
        "implementation": pair.addresses["Upgradeable"],
        **({"proxy_admin": safe} if kind == "eip1967" else {}),
        **({"beacon": safe} if kind == "beacon" else {}),
        **({"proxy_artifact": f"{CONTRACTS / 'compiled.json'}#{name}"} if kind != "minimal" else {}),
        "initializer": "initialize(address,uint256)",
        "owner": safe,
        "expected_state": [{"call": "price()", "equals": str(PRICE)}],
        **changes,
    }


def test_a_vault(pair: Pair) -> None:
    """Immutables, a library, roles and an owner contract: everything as declared."""
    pair.settle()
    assert pair.judge(pair.vault()).verdict is Verdict.PASSED, pair.judge(pair.vault())


@pytest.mark.parametrize("kind", ["eip1967", "beacon", "minimal"])
def test_a_proxy(pair: Pair, kind: str) -> None:
    """Each kind of proxy is followed to its implementation."""
    pair.settle()
    assert pair.judge(proxied(pair, kind)).verdict is Verdict.PASSED, pair.judge(proxied(pair, kind))


def contextual(pair: Pair, **changes: Any) -> dict[str, Any]:
    """Return `[contract]` for a contract whose immutables follow from its deployment."""
    safe = pair.addresses["Beacon"]
    pair.deploy("Contextual", PRICE, safe)
    pair.one.call("anvil_mine", hex(40), hex(1))
    return {
        "address": pair.addresses["Contextual"],
        "artifact": str(CONTRACTS / "compiled.json"),
        "name": "Contextual",
        "deploy_tx": pair.transactions["Contextual"],
        "constructor_args": [PRICE, safe],
        "owner": safe,
        "expected_state": [{"call": "price()", "equals": PRICE}],
        **changes,
    }


def test_immutables_of_a_place_and_a_time(pair: Pair) -> None:
    """Immutables that follow from address, sender and time are no false alarm, and those that can be, are proven."""
    contract = contextual(pair)
    pair.settle()
    path = pair.target(contract)
    run = Run(load(path))
    facts = run.gather(["contract"], registry())["contract"].facts
    agreed = {one.name: one.agrees for one in facts.main.comparison.immutables}
    assert agreed == {"self": True, "deployedAt": None, "maker": True, "domain": True, "price": True}
    assert facts.varying == ("deployedAt",)
    assert pair.judge(contract).verdict is Verdict.PASSED
    wrong = pair.judge({**contract, "constructor_args": [PRICE + 1, contract["owner"]]})
    assert "immutable price is" in wrong.message, wrong


def test_a_node_that_lends_nothing(pair: Pair) -> None:
    """Where a node takes no state overrides, what follows from the place is masked, and the rest proven still."""
    contract = contextual(pair)
    pair.settle()

    def poor(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
        error = {"code": -32602, "message": "too many arguments, want at most 2"}
        lends = call["method"] == "eth_call" and len(call["params"]) > 2
        return {"jsonrpc": "2.0", "id": call["id"], "error": error} if lends else None

    with provider(pair, poor) as base:
        path = pair.target(contract)
        (pair.folder / "one").write_text(base)
        found = Run(load(path)).gather(["contract"], registry())["contract"]
    agreed = {one.name: one.agrees for one in found.facts.main.comparison.immutables}
    assert agreed == {"self": None, "deployedAt": None, "maker": None, "domain": None, "price": True}
