"""Cross-origin policies, API keys and contract addresses in the shapes of other services than the demo's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.cors import evil_origins
from pytest_deploycheck.verdict import Reason
from tests.probes.service import Asked, Reply, serving
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECKS = {**suite("pre_deploy/test_environment_wire.py"), **suite("deploy/test_contract_address.py")}
APP = "https://app.tokens.example"
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OTHER = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"


def target(folder: Path, base: str, env: str, more: str) -> str:
    """Return a target file for a service, and write the environment file that a local server has."""
    (folder / ".env").write_text(env)
    return f"""
[target]
name = "other"
environment = "staging"
base_url = "{base}"
[host]
uri = "local://"
[env]
path = "{folder}/.env"
{more}
"""


def cors(folder: Path, answer: Callable[[Asked], Reply], allowed: str = f'["{APP}"]') -> Observation:
    """Look at a service's policy; its environment file says nothing of it."""
    with serving(answer) as base:
        text = target(folder, base, "A=1\n", f'cors_key = ""\n[cors]\nallowed_origins = {allowed}\n')
        return gather(folder, text, "cors")["cors"]


def policy(asked: Asked, permission: dict[str, str], refused: int = 204) -> Reply:
    """Answer as a service with a permission for some origin does."""
    good = bool(permission)
    if asked.method == "OPTIONS":
        return Reply(204 if good else refused, "", {**permission, "Access-Control-Allow-Methods": "GET,POST"})
    status = {"/health": 200, "/me": 401, "/auth/login": 405}.get(asked.path, 404)
    return Reply(status, {}, permission)


def echo(asked: Asked) -> dict[str, str]:
    """Permit the allowed origin, by an echo."""
    if asked.headers.get("origin") != APP:
        return {}
    return {"Access-Control-Allow-Origin": APP, "Vary": "Accept-Encoding, Origin"}


@pytest.mark.parametrize("refused", [200, 204, 400, 403])
def test_correct_policies_pass(refused: int, tmp_path: Path) -> None:
    """Frameworks refuse a preflight with different statuses; what counts is that no permission is in it."""
    facts = cors(tmp_path, lambda asked: policy(asked, echo(asked), refused)).facts
    for name in ("test_cors_configured", "test_cors_allowed", "test_cors_refused"):
        CHECKS[name](facts)


def test_one_fixed_origin_need_not_vary(tmp_path: Path) -> None:
    """A permission that is the same for everybody needs no Vary, and is of no use to other origins."""
    facts = cors(tmp_path, lambda asked: policy(asked, {"Access-Control-Allow-Origin": APP})).facts
    CHECKS["test_cors_allowed"](facts)
    CHECKS["test_cors_refused"](facts)


def test_no_browsers_no_permission(tmp_path: Path) -> None:
    """Where no page may call, nobody gets a permission, not even our own address."""
    facts = cors(tmp_path, lambda asked: policy(asked, {}), "[]").facts
    CHECKS["test_cors_allowed"](facts)
    CHECKS["test_cors_refused"](facts)

    def reflects(asked: Asked) -> Reply:
        return policy(
            asked, {"Access-Control-Allow-Origin": asked.headers.get("origin", ""), "Vary": "Origin"}
        )

    with pytest.raises(AssertionError, match="is permitted"):
        CHECKS["test_cors_refused"](cors(tmp_path, reflects, "[]").facts)


def test_a_rate_limit_proves_nothing(tmp_path: Path) -> None:
    """Answers of 429 are no refusals of an origin."""

    def limited(asked: Asked) -> Reply:
        return Reply(200) if asked.path == "/health" else Reply(429, {}, {"Retry-After": "0"})

    facts = cors(tmp_path, limited).facts
    with pytest.raises(Unproven):
        CHECKS["test_cors_refused"](facts)


def test_no_origins_are_no_config(tmp_path: Path) -> None:
    """A target file that says nothing of origins is told what to add."""
    with serving(lambda asked: Reply()) as base:
        seen = gather(tmp_path, target(tmp_path, base, "A=1\n", ""), "cors")["cors"]
    assert (seen.reason, "cors.allowed_origins" in seen.detail) == (Reason.NO_CONFIG.value, True)


def test_evil_origins_leave_the_allowed_out() -> None:
    """An origin that the target file allows is not evil, however odd; each evil one differs from all others."""
    found = evil_origins((APP, f"{APP}:8443"), "https://api.tokens.example")
    assert f"{APP}:8443" not in found
    assert len(found) == 7
    assert "https://appxtokens.example" in found


def keys(folder: Path, kind: str, answer: Callable[[Asked], Reply], more: str = "") -> Any:
    """Show a key to a service, and return the facts."""
    with serving(answer) as base:
        entry = f'{{ name = "it", env_key = "KEY", kind = "{kind}", url = "{base}"{more} }}'
        text = target(folder, base, "KEY=k9fJq2LmZx\n", f"[api_keys]\nkeys = [{entry}]\n")
        return gather(folder, text, "api_keys")["api_keys"].facts


@pytest.mark.parametrize(
    ("kind", "path", "header", "body"),
    [
        ("grafana", "/api/org", "Bearer k9fJq2LmZx", {"id": 1, "name": "Main Org."}),
        ("pagerduty", "/users", "Token token=k9fJq2LmZx", {"users": []}),
        ("opsgenie", "/v2/users", "GenieKey k9fJq2LmZx", {"data": []}),
        ("betterstack", "/api/v2/monitors", "Bearer k9fJq2LmZx", {"data": []}),
        ("bearer", "/", "Bearer k9fJq2LmZx", []),
    ],
)
def test_keys_are_shown_as_services_want_them(
    kind: str, path: str, header: str, body: Any, tmp_path: Path
) -> None:
    """Each kind has its path and its header; the key is accepted, and is nowhere in the facts."""

    def answer(asked: Asked) -> Reply:
        good = asked.path == path and asked.headers.get("authorization") == header
        return Reply(200, body) if good else Reply(401, {"message": "no"})

    facts = keys(tmp_path, kind, answer)
    CHECKS["test_api_keys"](facts)
    assert "k9fJq2LmZx" not in repr(facts)


def test_another_header_can_be_said(tmp_path: Path) -> None:
    """A service of its own kind gets the key in its own header, at its own path."""

    def answer(asked: Asked) -> Reply:
        good = asked.path == "/checks" and asked.headers.get("x-api-key") == "k9fJq2LmZx"
        return Reply(200 if good else 401, {})

    more = ', path = "/checks", header = "X-Api-Key: {key}"'
    CHECKS["test_api_keys"](keys(tmp_path, "bearer", answer, more))


@pytest.mark.parametrize(
    ("kind", "reply", "error", "words"),
    [
        (
            "etherscan",
            Reply(200, {"status": "0", "message": "NOTOK", "result": "Invalid API Key"}),
            0,
            "NOTOK",
        ),
        ("etherscan", Reply(200, "<html>"), 0, "without the body"),
        (
            "etherscan",
            Reply(200, {"status": "0", "result": "Max calls per sec rate limit reached"}),
            1,
            "later",
        ),
        ("grafana", Reply(200, "<html>login</html>"), 0, "not as this service does"),
        ("grafana", Reply(401, {"message": "Invalid API key"}), 0, "Invalid API key"),
        ("grafana", Reply(302, ""), 0, "302"),
        ("pagerduty", Reply(403, {"error": {"message": "Forbidden"}}), 0, "Forbidden"),
        ("grafana", Reply(503, ""), 1, "503"),
        ("grafana", Reply(429, ""), 1, "rate limited"),
    ],
)
def test_refused_keys(kind: str, reply: Reply, error: int, words: str, tmp_path: Path) -> None:
    """A refusal fails in the service's own words; a service that is away proves nothing."""
    facts = keys(tmp_path, kind, lambda asked: reply)
    with pytest.raises((AssertionError, Unproven)[error], match=words):
        CHECKS["test_api_keys"](facts)


def address(folder: Path, *, env: str, record: Any, config: Any, page: str, script: str) -> Any:
    """Look for the contract's address in a service with a page that loads a script."""

    def answer(asked: Asked) -> Reply:
        if asked.json and "method" in asked.json:
            result = "0x1" if asked.json["method"] == "eth_chainId" else "0x6001"
            return Reply(200, {"jsonrpc": "2.0", "id": asked.json["id"], "result": result})
        texts = {"/": (page, "text/html"), "/s.js": (script, "text/javascript")}
        if asked.path in texts:
            return Reply(200, texts[asked.path][0], {"Content-Type": texts[asked.path][1]})
        return Reply(200, config) if asked.path == "/config" else Reply(404)

    (folder / "record.json").write_text(record if isinstance(record, str) else json.dumps(record))
    with serving(answer) as base:
        (folder / "rpc").write_text(base)
        more = f"""units = ["api.service"]
[rpc]
url = {{ file = "rpc" }}
[contract]
address = "{ADDRESS}"
deployments_file = "record.json"
config_path = "/config"
bundle_urls = ["{base}/"]
"""
        return gather(folder, target(folder, base, env, more), "contract_address")["contract_address"].facts


GOOD: dict[str, Any] = {
    "env": f'CONTRACT_ADDRESS="{ADDRESS}"\n',
    "record": {"address": ADDRESS, "deployer": OTHER},
    "config": {"contract": {"address": ADDRESS.lower()}, "admin": OTHER},
    "page": '<script type="module" src="/s.js"></script>',
    "script": f'const a="{ADDRESS.lower()}",usdc="{OTHER}"',
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"env": f"CONTRACT_ADDRESS={ADDRESS.lower()}\n"},
        {"record": {"Token#Token": ADDRESS}},
        {"record": {"transactions": [{"contractName": "Token", "contractAddress": ADDRESS.lower()}]}},
        {"record": {"1": {"Token": ADDRESS, "Vault": OTHER}}},
        {"record": f"token: {ADDRESS}\n"},
        {"config": {"contract_address": ADDRESS}},
    ],
    ids=["plain", "lower case", "ignition", "foundry", "by chain", "no JSON", "snake case"],
)
def test_one_address_in_every_shape(changes: dict[str, Any], tmp_path: Path) -> None:
    """Records of every usual tool and either spelling name the same contract; other contracts may stand beside."""
    facts = address(tmp_path, **{**GOOD, **changes})
    CHECKS["test_address"](facts)
    CHECKS["test_address_elsewhere"](facts)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"env": f"CONTRACT_ADDRESS={OTHER}\n"}, "has 0xe7f1"),
        ({"env": f"CONTRACT_ADDRESS=0x{ADDRESS[2:].swapcase()}\n"}, "checksum"),
        ({"env": "A=1\n"}, "is not set"),
        ({"record": {"address": OTHER}}, "deployment record"),
        ({"config": {"contract_address": OTHER}}, "API /config"),
        ({"config": {"contract_address": ADDRESS, "token_address": OTHER}}, "names"),
        ({"script": f'const a="{OTHER}"'}, "bundle"),
        ({"page": "<p>no script</p>"}, "bundle"),
    ],
)
def test_another_address_in_any_place(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    """Each place that names another contract, or none, fails the item and is named."""
    facts = address(tmp_path, **{**GOOD, **changes})
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_address"](facts)
        CHECKS["test_address_elsewhere"](facts)


def test_code_and_test_network_count(tmp_path: Path) -> None:
    """An address without code, the zero address and the test network's fail, whatever names them."""
    facts = address(tmp_path, **GOOD)
    for changes, words in (
        ({"has_code": False}, "no code"),
        ({"zero": True}, "zero address"),
        ({"is_testnet": True}, "test network"),
        ({"checksummed": False}, "checksum"),
    ):
        with pytest.raises(AssertionError, match=words):
            CHECKS["test_address"](replace(facts, **changes))
