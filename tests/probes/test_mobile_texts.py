"""Texts of apps, lines of access logs and versions, as others write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck.probes import access_lines, mobile_text
from pytest_deploycheck.probes.access_lines import Access
from pytest_deploycheck.probes.mobile_archive import AppError
from pytest_deploycheck.probes.mobile_hermes import of_hermes
from pytest_deploycheck.probes.mobile_text import Rules, Text
from pytest_deploycheck.rules.app_versions import older

SAMPLES = Path(__file__).parent / "samples" / "hermes"
AGENT = "Shop/1.4.2 (iPhone; iOS 18.1)"
WALLET = Access("GET", "/wallet", 200, AGENT)
LINES = {
    "nginx and Apache, combined": f'10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET /wallet?a=1 HTTP/2.0" 200 12 "-" "{AGENT}"',
    "our nginx": f'{{"method":"GET","route":"/wallet","status":200,"user_agent":"{AGENT}"}}',
    "nginx, JSON of its variables": f'{{"request":"GET /wallet HTTP/1.1","status":"200","http_user_agent":"{AGENT}"}}',
    "Caddy": f'{{"level":"info","request":{{"method":"GET","uri":"/wallet?x","headers":{{"User-Agent":["{AGENT}"]}}}},"status":200}}',
    "Traefik": f'{{"DownstreamStatus":200,"RequestMethod":"GET","RequestPath":"/wallet","request_User-Agent":"{AGENT}"}}',
    "Envoy": f'{{"method":"GET","path":"/wallet","response_code":200,"response_status":"200","user_agent":"{AGENT}"}}',
    "an API in ECS": f'{{"http.request.method":"x","url":"/wallet","method":"GET","status_code":200,"agent":"{AGENT}"}}',
}


@pytest.mark.parametrize("make", LINES)
def test_lines_of_access_logs(make: str) -> None:
    """The usual servers' lines tell method, path, status and client."""
    assert access_lines.parse(LINES[make]) == WALLET


@pytest.mark.parametrize(
    "line", ["", "{", "started", '{"level":"info"}', '{"path":"/a","status":"ok"}', "[" * 9000]
)
def test_lines_that_are_none(line: str) -> None:
    """What tells of no request is none."""
    assert access_lines.parse(line) is None


def test_routes() -> None:
    """A route is met by its method and its whole path; a part in braces is any one."""
    assert access_lines.is_route(WALLET, "GET /wallet")
    assert access_lines.is_route(Access("GET", "/wallets/7/history", 200, ""), "GET /wallets/{id}/history")
    for other in ("POST /wallet", "GET /wal", "GET /wallet/{id}", "GET /{id}/wallet"):
        assert not access_lines.is_route(WALLET, other)


def rules(**changes: object) -> Rules:
    """Return rules for an app of api.shop.example."""
    given = {
        "api": ["api.shop.example"], "allowed": [], "exact": False, "testnet": "0x" + "ab" * 20, "chain_id": 1,
        "patterns": [], "secrets": [("jwt", "a-secret-of-the-server")],
    }  # fmt: skip
    return Rules(**{**given, **changes})  # type: ignore[arg-type]


def hits(text: str, *, loose: bool = False, **changes: object) -> list[str]:
    """Return what is found in a text."""
    return [hit.what for hit in rules(**changes).hits(Text("a.js", text, loose))]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("https://staging-api.shop.example/v1", "a host of another stage"),
        ("https://api-dev.shop.example", "a host of another stage"),
        ("'admin.shop.example'", "another host of the project"),
        ("http://10.1.2.3:8000", "a private address"),
        ("http://[::1]", ""),
        ("http://localhost:3000", "this very machine"),
        ("wss://x.trycloudflare.com", "a tunnel"),
        ("https://rpc.sepolia.org", "a test network"),
        ("0x" + "AB" * 20, "the test network's contract"),
        ('{"chainId": "0xaa36a7"}', "another chain"),
        ("chain_id=11155111;", "another chain"),
        ("a-secret-of-the-server", "a secret"),
        ("https://user:hunter2222@db.shop.net", "a secret"),
    ],
)
def test_what_an_app_must_not_name(text: str, what: str) -> None:
    """Each is found for what it is."""
    assert hits(text)[:1] == ([what] if what else [])


@pytest.mark.parametrize(
    "text",
    [
        "https://api.shop.example/v1/wallet", "http://localhost:8081/", "http://schemas.android.com/apk/res/android",
        "https://dev.w3.org/spec", "http://javax.xml.XMLConstants/property", "https://fonts.gstatic.com/s/a",
        "chainId:1,", "-----BEGIN PRIVATE KEY-----", "test", "Attestation", "https://latest.cdn.example/a",
        "support@shop.example", "http://8.8.8.8/dns-query", '{"chainId": 0}',
    ],
)  # fmt: skip
def test_what_an_app_may_name(text: str) -> None:
    """Names of libraries, the API, and words that only look alike are not told."""
    assert hits(text) == []


def test_hosts_when_their_set_is_exact() -> None:
    """With a set of allowed hosts, every other one is told; a star stands for any below."""
    text = "https://a.cdn.example https://cdn.example https://ads.example"
    assert hits(text) == []
    assert hits(text, allowed=["*.cdn.example"], exact=True) == ["a host that is not allowed"] * 2


def test_strings_that_run_into_each_other() -> None:
    """Where strings have no ends, a name that goes on after the API's is taken for the API's."""
    assert hits("https://api.shop.exampleOther", loose=True) == []
    assert hits("https://api.shop.exampleOther.com") == []
    assert rules().named(Text("libapp.so", "xhttps://api.shop.exampleOther", loose=True)) == {
        "api.shop.example"
    }
    assert rules().named(Text("a.js", "https://old-api.shop.example", loose=False)) == set()
    assert rules().named(Text("Payload/A.app/A", "applinks:api.shop.example", loose=False)) == set()


@pytest.mark.parametrize(
    ("host", "above"),
    [("api.shop.example", "shop.example"), ("shop.example", "shop.example"), ("shop.co.uk", "shop.co.uk"), ("api.shop.co.uk", "shop.co.uk")],
)  # fmt: skip
def test_whose_siblings_are_whose(host: str, above: str) -> None:
    """Siblings are below the same name, which never is one that a country gives away."""
    assert mobile_text.parent(host) == above


@pytest.mark.parametrize(
    ("one", "other", "is_older"),
    [("1.4.2", "1.10.0", True), ("1.4", "1.4.0", False), ("v2.0", "1.9.9", False), ("2.0.0-rc1", "2.0.0", True), ("2.0.0+7", "2.0.0", False), ("9", "10", True)],
)  # fmt: skip
def test_versions(one: str, other: str, is_older: bool) -> None:
    """Numbers count as numbers, and a preview comes before what it previews."""
    assert older(one, other) is is_older


def test_what_is_no_version() -> None:
    """A word is refused rather than compared."""
    with pytest.raises(ValueError, match="no version"):
        older("latest", "1.0")


@pytest.mark.parametrize("version", [84, 99])
def test_strings_of_hermes(version: int) -> None:
    """Bytecode of hermesc, of React Native 0.68 and of today, gives each string with its ends."""
    data = (SAMPLES / f"version-{version}.hbc").read_bytes()
    found = of_hermes(data).split(mobile_text.SEPARATOR)
    wanted = {
        "https://api.shop.example/v1",
        "https://staging.shop.example",
        "Läden ✓ wide",
        "/token/purchase",
    }
    assert wanted | {f"word number {number}" for number in range(40)} <= set(found)
    assert any(len(word) > 255 and word.endswith("https://long.shop.example") for word in found)
    hits = {hit.words for hit in rules().hits(Text("index.android.bundle", of_hermes(data)))}
    assert hits == {"staging.shop.example", "long.shop.example"}
    for size in (len(data) - 1, 200, 127):
        with pytest.raises(AppError):
            of_hermes(data[:size])
