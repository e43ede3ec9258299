"""Correct deployments of every shape pass."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_deploycheck.verdict import Verdict
from tests.chain.build import CONTRACTS, PRICE
from tests.chain.pair import Pair


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
