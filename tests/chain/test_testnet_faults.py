"""Faults of the rehearsal, on two anvils with different chain ids; and of gas estimates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.verdict import Verdict
from tests.chain.build import CONTRACTS, PRICE, artifact
from tests.chain.pair import TREASURY, USER, Pair, anvil, judge, url
from tests.faults.harness import Judged

TESTNET, GAS = "deploy.contract.testnet", "deploy.contract.gas"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SEPOLIA = 11155111


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Deploy the vault on a chain of another id, and use it."""
    with anvil(chain_id=SEPOLIA) as network:
        there = Pair(network, network, tmp_path_factory.mktemp("testnet"))
        there.deploy("Upgradeable", True)
        safe = there.deploy("Beacon", there.addresses["Upgradeable"], there.addresses["Upgradeable"])
        there.deploy("Prices")
        there.deploy("Vault", PRICE, TREASURY, safe, "Vault")
        there.send(USER, there.addresses["Vault"], abi.call("buy()"), 3 * PRICE)
        there.send(USER, there.addresses["Vault"], abi.call("redeem(uint256)", 1))
        there.deploy("Vault", PRICE, TREASURY, safe, "Vault", as_="Unused")
        yield there


@pytest.fixture
def there(rehearsed: Pair) -> Iterator[Pair]:
    """Return the test network, put back afterwards."""
    before = rehearsed.one.call("evm_snapshot")
    rehearsed.mine(1)
    yield rehearsed
    rehearsed.one.call("evm_revert", before)


def junit(folder: Path, there: str, **changes: Any) -> None:
    """Write the report of the run on the test network."""
    found = {
        "commit": COMMIT,
        "chain_id": str(SEPOLIA),
        "address": there,
        "body": '<testcase name="buy"/><testcase name="redeem"/>',
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **changes,
    }
    properties = "".join(
        f'<property name="{name}" value="{found[name]}"/>' for name in ("commit", "chain_id", "address")
    )
    (folder / "junit.xml").write_text(
        f'<testsuite timestamp="{found["at"]}"><properties>{properties}</properties>{found["body"]}</testsuite>'
    )


def judged(
    pair: Pair, there: Pair, name: str = "Vault", report: dict[str, Any] | None = None, **testnet: Any
) -> Judged:
    """Judge the deployment of a name on the test network."""
    pair.settle()
    (pair.folder / "testnet").write_text(url(there.one))
    address = testnet.get("address", there.addresses[name])
    junit(pair.folder, address, **(report or {}))
    section = {
        "rpc_url": {"file": "testnet"},
        "address": address,
        "deploy_tx": there.transactions[name],
        "constructor_args": [PRICE, TREASURY, there.addresses["Beacon"], "Vault"],
        "libraries": {"Prices": there.addresses["Prices"]},
        "report": "junit.xml",
        **testnet,
    }
    return pair.judge(pair.vault(), TESTNET, testnet=section, release={"commit": COMMIT})


def fails(found: Judged, words: str) -> None:
    """Expect a failure in these words."""
    assert found.verdict is Verdict.FAILED, found
    assert words in found.message, found.message


def test_healthy(pair: Pair, there: Pair) -> None:
    """The same build, used, with a report of the released commit."""
    found = judged(pair, there)
    assert found.verdict is Verdict.PASSED, found


def test_other_bytecode(pair: Pair, there: Pair) -> None:
    """An older build on the test network."""
    code = bytearray(there.code("Vault"))
    code[200] ^= 1
    there.one.call("anvil_setCode", there.addresses["Vault"], "0x" + code.hex())
    fails(judged(pair, there), "is not the build's")


def test_no_code(pair: Pair, there: Pair) -> None:
    """An address on the main chain that has nothing on the other."""
    fails(judged(pair, there, address=address_of(USER)), "there is no code at")


def test_never_used(pair: Pair, there: Pair) -> None:
    """A deployment that nobody ever called."""
    fails(judged(pair, there, "Unused"), "no successful call of buy(), redeem(uint256)")


def test_redeem_never_succeeded(pair: Pair, there: Pair) -> None:
    """A function that was called, and reverted each time."""
    there.send(USER, there.addresses["Unused"], abi.call("buy()"), PRICE)
    fails(judged(pair, there, "Unused"), "no successful call of redeem(uint256)")


def test_dead_network(pair: Pair, there: Pair) -> None:
    """A network whose newest block is old."""
    pair.settle()
    there.one.call("evm_mine")
    (pair.folder / "testnet").write_text(url(there.one))
    found = judged(pair, there)
    assert found.verdict is Verdict.PASSED, found
    text = (pair.folder / "target.toml").read_text() + "\n[limits]\ntestnet_max_head_age_s = 0\n"
    (pair.folder / "target.toml").write_text(text)
    fails(judge(pair.folder / "target.toml", TESTNET), "the network stands still")


def test_wrong_network(pair: Pair, there: Pair) -> None:
    """A network that is not the one which is named, and one that is on no list."""
    fails(judged(pair, there, chain_id=560048), "is on chain 11155111, testnet.chain_id is 560048")
    fails(judged(pair, there, allowed_chains=[5]), "none of testnet.allowed_chains")


def test_failed_deployment(pair: Pair, there: Pair) -> None:
    """A transaction that created another contract."""
    fails(judged(pair, there, deploy_tx=there.transactions["Prices"]), "created 0x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body": '<testcase name="buy"><failure/></testcase>'}, "1 of 1 tests"),
        ({"body": ""}, "holds no test"),
        ({"body": '<testcase name="buy"><skipped/></testcase>'}, "every test in"),
        ({"commit": "f" * 40}, "is about commit ffff"),
        ({"chain_id": "1"}, "is about chain 1"),
        ({"address": "0x" + "1" * 40}, "is about 0x1111"),
        ({"at": (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="seconds")}, "is 40 days old"),
    ],
)
def test_reports(pair: Pair, there: Pair, change: dict[str, str], words: str) -> None:
    """A report that failed, ran nothing, or is about something else."""
    fails(judged(pair, there, report=change), words)


def estimates(pair: Pair, **changes: Any) -> dict[str, Any]:
    """Write stored estimates of the vault, and return `[gas]`."""
    found = {
        "artifact_sha256": artifact("Vault").creation_sha256,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "estimates": {"deploy": 1_400_000, "buy()": 80_000, "redeem(uint256)": 60_000},
        **changes,
    }
    (pair.folder / "gas.json").write_text(json.dumps(found))
    return {
        "report": "gas.json",
        "budget_wei": 10**18,
        "calls": [
            {"function": "buy()", "sender": address_of(USER), "value": PRICE},
            {"function": "redeem(uint256)", "sender": address_of(USER), "args": [1]},
        ],
    }


def gas(
    pair: Pair, contract: dict[str, Any] | None = None, section: dict[str, Any] | None = None, **changes: Any
) -> Judged:
    """Judge the estimates, with an account that holds a token."""
    pair.send(USER, pair.addresses["Vault"], abi.call("buy()"), 3 * PRICE)
    return pair.judge(contract or pair.vault(), GAS, gas={**estimates(pair, **changes), **(section or {})})


def test_gas_healthy(pair: Pair) -> None:
    """Stored estimates that still hold, within the budget."""
    found = gas(pair)
    assert found.verdict is Verdict.PASSED, found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"artifact_sha256": "00" * 32}, "is about another build"),
        ({"made_at": (datetime.now(UTC) - timedelta(days=20)).isoformat()}, "are 20 days old"),
        ({"estimates": {"deploy": 1_400_000, "buy()": 80_000}}, "holds no estimate of redeem(uint256)"),
        ({"estimates": {"deploy": 1_400_000, "buy()": 30_000, "redeem(uint256)": 60_000}}, "buy() needs"),
        ({"estimates": {"deploy": 500_000, "buy()": 80_000, "redeem(uint256)": 60_000}}, "deploy needs"),
    ],
)
def test_gas_reports(pair: Pair, changes: dict[str, Any], words: str) -> None:
    """Stored estimates of something else, too old, incomplete, or far exceeded by now."""
    fails(gas(pair, **changes), words)


def test_gas_of_a_call_that_reverts(pair: Pair) -> None:
    """A call that would fail has no price."""
    calls = [{"function": "redeem(uint256)", "sender": address_of(USER), "args": [10**9]}]
    fails(gas(pair, section={"calls": calls}), "would fail: insufficient token balance")


def test_gas_beyond_the_budget(pair: Pair) -> None:
    """A budget that does not pay for it."""
    fails(gas(pair, section={"budget_wei": 1}), "gas.budget_wei is 1")


def test_gas_beyond_the_limits(pair: Pair) -> None:
    """A code that no chain takes, and a call that no block takes."""
    made = json.loads((CONTRACTS / "compiled.json").read_text())
    whole = made["contracts"]["Vault.sol"]["Vault"]["evm"]["deployedBytecode"]
    whole["object"] += "00" * 25_000
    (pair.folder / "large.json").write_text(json.dumps(made))
    fails(gas(pair, pair.vault(artifact="large.json")), "the deployed code has")


def test_gas_unproven(pair: Pair) -> None:
    """Without stored estimates, budget or arguments, nothing is proven, and the message names the key."""
    for section, key in (({"report": ""}, "gas.report"), ({"budget_wei": 0}, "gas.budget_wei")):
        found = gas(pair, section=section)
        assert found.verdict is Verdict.UNPROVEN, found
        assert key in found.message
    contract = pair.vault()
    del contract["constructor_args"]
    found = gas(pair, contract)
    assert found.verdict is Verdict.UNPROVEN, found
    assert "contract.constructor_args" in found.message
