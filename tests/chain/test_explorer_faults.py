"""Answers of explorers, as documented, about a vault and a proxy on anvil: only ours, really verified, counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_hash.auto import keccak

from pytest_deploycheck.rules import published
from pytest_deploycheck.rules.published import files, sources_agree
from pytest_deploycheck.verdict import Verdict
from tests.chain.build import CONTRACTS, artifact, document
from tests.chain.pair import Pair
from tests.chain.test_healthy import proxied
from tests.faults.harness import Judged
from tests.probes.service import Asked, Reply, serving

ITEM = "deploy.contract.verified"
UNVERIFIED = {"SourceCode": "", "ABI": "Contract source code not verified", "SimilarMatch": "", "Proxy": "0"}
SOURCES = {name: {"content": (CONTRACTS / name).read_text()} for name in ("Vault.sol", "Proxies.sol")}


def entry(name: str, **changes: Any) -> dict[str, Any]:
    """Return an entry of `getsourcecode` for a contract of the tests, as standard JSON in double braces."""
    file = "Vault.sol" if name == "Vault" else "Proxies.sol"
    code = json.dumps({"language": "Solidity", "sources": SOURCES, "settings": {}})
    return {
        "SourceCode": "{" + code + "}",
        "ABI": json.dumps(document()["contracts"][file][name]["abi"]),
        "ContractName": name,
        "CompilerVersion": "v0.8.37+commit.f401782d",
        "OptimizationUsed": "1",
        "Runs": "200",
        "EVMVersion": "shanghai",
        "Proxy": "0",
        "Implementation": "",
        "SimilarMatch": "",
        **changes,
    }


def found_by_sourcify(name: str, **changes: Any) -> dict[str, Any]:
    """Return Sourcify's answer for a contract of the tests."""
    file = "Vault.sol" if name == "Vault" else "Proxies.sol"
    return {
        "match": "exact_match",
        "creationMatch": "exact_match",
        "runtimeMatch": "exact_match",
        "abi": document()["contracts"][file][name]["abi"],
        "sources": SOURCES,
        "compilation": {
            "compilerVersion": "0.8.37+commit.f401782d",
            "compilerSettings": {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "shanghai"},
        },
        **changes,
    }


def judged(pair: Pair, contract: dict[str, Any], answer: Any, sourcify: Any = None) -> Judged:
    """Judge with an Etherscan that answers so, and a Sourcify where an answer for that is given."""

    def answering(asked: Asked) -> Reply:
        if asked.path.startswith("/server"):
            return sourcify if isinstance(sourcify, Reply) else Reply(body=sourcify)
        if isinstance(answer, Reply):
            return answer
        found = answer(asked.query["address"][0].lower()) if callable(answer) else answer
        assert asked.query["chainid"] == ["31337"]
        assert asked.query["apikey"] == ["an-explorer-key-of-ours"]
        return Reply(body=found if "status" in found else {"status": "1", "message": "OK", "result": [found]})

    pair.settle()
    (pair.folder / "key").write_text("an-explorer-key-of-ours")
    with serving(answering) as base:
        section: dict[str, Any] = {"etherscan_url": f"{base}/v2/api" if answer else ""}
        if answer:
            section["etherscan_key"] = {"file": "key"}
        if sourcify is not None:
            section["sourcify_url"] = f"{base}/server"
        return pair.judge(contract, ITEM, explorer=section)


def not_ok(result: str) -> dict[str, str]:
    """Return what Etherscan answers with 200 to what it refuses."""
    return {"status": "0", "message": "NOTOK", "result": result}


def test_healthy(pair: Pair) -> None:
    """Both services show our source."""
    found = judged(pair, pair.vault(), entry("Vault"), found_by_sourcify("Vault"))
    assert found.verdict is Verdict.PASSED, found


def test_sourcify_alone(pair: Pair) -> None:
    """One service is enough, whichever."""
    assert judged(pair, pair.vault(), None, found_by_sourcify("Vault")).verdict is Verdict.PASSED
    found = judged(pair, pair.vault(), None, found_by_sourcify("Vault", match="match", runtimeMatch="match"))
    assert found.verdict is Verdict.PASSED, found


def test_blockscout(pair: Pair) -> None:
    """Blockscout's entry of the same call has other names and words."""
    shape = entry("Vault", OptimizationUsed="true", OptimizationRuns=200, IsProxy="false")
    del shape["Runs"]
    assert judged(pair, pair.vault(), shape).verdict is Verdict.PASSED
    shape["OptimizationRuns"] = 999
    assert "runs 999" in judged(pair, pair.vault(), shape).message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (UNVERIFIED, "not verified by etherscan"),
        ({"SimilarMatch": "0x" + "1" * 40}, "shows the source of a twin"),
        ({"ABI": "[]"}, "another ABI"),
        ({"CompilerVersion": "v0.8.20+commit.a1b79de6"}, "compiler 0.8.20"),
        ({"OptimizationUsed": "0"}, "optimizer False"),
        ({"EVMVersion": "paris"}, "EVM version paris"),
        ({"SourceCode": "contract Vault {}"}, "shows another source"),
    ],
)
def test_what_etherscan_may_say(pair: Pair, changes: dict[str, Any], words: str) -> None:
    """Nothing, a twin's source, another ABI, other settings, another source: each is red, by its own words."""
    found = judged(pair, pair.vault(), entry("Vault", **changes))
    assert found.verdict is Verdict.FAILED, found
    assert words in found.message, found.message


@pytest.mark.parametrize(
    "answer",
    [
        not_ok("Max calls per sec rate limit reached (3/sec)"),
        not_ok("Invalid API Key (#err2)|"),
        not_ok("Missing or unsupported chainid parameter (required for v2 api)"),
        Reply(503, "<html>down</html>"),
        Reply(429, {"message": "slow down"}),
        {"status": "1", "message": "OK", "result": []},
    ],
)
def test_what_says_nothing(pair: Pair, answer: Any) -> None:
    """A refusal of the explorer says nothing of the contract: unproven, never red, never green."""
    found = judged(pair, pair.vault(), answer)
    assert found.verdict is Verdict.UNPROVEN, found
    assert "an-explorer-key-of-ours" not in found.message
    other = judged(pair, pair.vault(), answer, found_by_sourcify("Vault"))
    assert other.verdict is Verdict.PASSED, other


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (Reply(404, {"match": None, "creationMatch": None, "runtimeMatch": None}), Verdict.FAILED),
        (found_by_sourcify("Vault", runtimeMatch=None, match="match"), Verdict.FAILED),
        (Reply(400, {"customCode": "unsupported_chain", "message": "no"}), Verdict.UNPROVEN),
        (Reply(429, {"message": "Too many requests"}), Verdict.UNPROVEN),
        (Reply(500, "oops"), Verdict.UNPROVEN),
    ],
)
def test_what_sourcify_may_say(pair: Pair, body: Any, verdict: Verdict) -> None:
    """A 404 with `match: null` is a fact, a refusal is not."""
    assert judged(pair, pair.vault(), None, body).verdict is verdict


def test_unverified_implementation(pair: Pair) -> None:
    """A proxy whose own source is public, before an implementation whose is not."""
    contract = proxied(pair, "eip1967")
    implementation = pair.addresses["Upgradeable"].lower()
    shown = entry("Proxy", Proxy="1", Implementation=implementation)

    def answer(address: str) -> dict[str, Any]:
        return dict(UNVERIFIED) if address == implementation else shown

    found = judged(pair, contract, answer)
    assert found.verdict is Verdict.FAILED, found
    assert "etherscan on the implementation" in found.message
    healthy = judged(
        pair, contract, lambda address: entry("Upgradeable") if address == implementation else shown
    )
    assert healthy.verdict is Verdict.PASSED, healthy
    elsewhere = entry("Proxy", Implementation="0x" + "2" * 40)
    wrong = judged(
        pair, contract, lambda address: entry("Upgradeable") if address == implementation else elsewhere
    )
    assert "on the chain it is" in wrong.message, wrong


def test_nothing_configured(pair: Pair) -> None:
    """Without a key and without Sourcify, nothing is proven."""
    found = judged(pair, pair.vault(), None)
    assert found.verdict is Verdict.UNPROVEN, found
    assert "explorer.etherscan_key" in found.message


def test_forms_of_source() -> None:
    """One text, several files, standard JSON in double braces; line ends do not count."""
    text = (CONTRACTS / "Vault.sol").read_text()
    made = artifact("Vault")
    for code in (
        text,
        text.replace("\n", "\r\n"),
        text.rstrip("\n"),
        json.dumps({"Vault.sol": {"content": text}}),
        "{" + json.dumps({"language": "Solidity", "sources": SOURCES}) + "}",
    ):
        source = published.Source(sources=files(code))
        assert sources_agree(made, source, keccak) is True, code[:40]
    assert sources_agree(made, published.Source(sources=files("// other\n" + text)), keccak) is False
    assert sources_agree(made, published.Source(), keccak) is None
    assert files("") == {}
