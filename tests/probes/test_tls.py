"""Certificates and listeners: names as clients match them, doors that are shut, a scanner's JSON."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.certificates import covers
from pytest_deploycheck.probes.tls_scan import _NEEDED, parse
from tests.probes.service import Reply, look, serving


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("shop.example",), "SHOP.example.", True),
        (("*.shop.example",), "api.shop.example", True),
        (("*.shop.example",), "a.b.shop.example", False),
        (("*.shop.example",), "shop.example", False),
        (("192.0.2.1",), "192.0.2.1", True),
        (("2001:db8::1",), "2001:0db8:0::1", True),
        (("*.0.2.1",), "192.0.2.1", False),
        ((), "shop.example", False),
    ],
)
def test_names_are_matched_as_clients_do(names: tuple[str, ...], host: str, covered: bool) -> None:
    """Without case, a wildcard for one label, addresses as addresses and never by a wildcard."""
    assert covers(names, host) is covered


def test_a_closed_port_is_the_dead_gate_net(tmp_path: Path) -> None:
    """Nothing listens: a refusal with an owner, not a missing look."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = look(tmp_path, f"https://127.0.0.1:{taken.getsockname()[1]}", "tls")
    assert (found.state, found.gate) == ("dead", "net")


def test_a_port_without_tls_is_the_dead_gate_tls(tmp_path: Path) -> None:
    """Plain HTTP on the port answers, but shakes no hands."""
    with serving(lambda asked: Reply(200)) as base:
        found = look(tmp_path, base.replace("http:", "https:"), "tls")
    assert (found.state, found.gate) == ("dead", "tls")


def test_plain_http_has_no_certificate_to_look_at(tmp_path: Path) -> None:
    """The key to add is named."""
    with serving(lambda asked: Reply(200)) as base:
        found = look(tmp_path, base, "tls")
    assert (found.state, found.reason) == ("unseen", "no_config") and "tls.endpoints" in found.detail


def report() -> dict[str, Any]:
    """Return what the scanner writes of a server that offers TLS 1.3 alone."""
    suite = {"cipher_suite": {"name": "TLS_AES_128_GCM_SHA256"}}
    results: dict[str, Any] = {
        "certificate_info": {
            "certificate_deployments": [
                {
                    "verified_chain_has_sha1_signature": False,
                    "path_validation_results": [
                        {
                            "trust_store": {"name": "Mozilla", "version": "1"},
                            "verified_certificate_chain": [{}],
                        },
                        {
                            "trust_store": {"name": "Android", "version": "1"},
                            "verified_certificate_chain": None,
                            "validation_error": "no root",
                        },
                    ],
                }
            ]
        },
        "elliptic_curves": {"supported_curves": [{"name": "X25519"}]},
        "session_renegotiation": {"supports_secure_renegotiation": True},
        "robot": {"robot_result": "NOT_VULNERABLE_RSA_NOT_SUPPORTED"},
    }
    scan = {
        name: {"status": "COMPLETED", "result": results.get(name, {"accepted_cipher_suites": []})}
        for name in _NEEDED
    }
    scan["tls_1_3_cipher_suites"]["result"] = {"accepted_cipher_suites": [suite]}
    place = {"hostname": "shop.example", "port": 443, "ip_address": "192.0.2.1"}
    one = {"server_location": place, "connectivity_status": "COMPLETED", "scan_result": scan}
    return {"sslyze_version": "6.3.1", "server_scan_results": [one], "invalid_server_strings": []}


def test_a_scan_is_read() -> None:
    """What it accepts, and what each store says of it."""
    facts = parse(json.dumps(report()), required=("Mozilla",), allowed=())
    listener = facts.listeners[0]
    assert (listener.versions, listener.ciphers, listener.curves) == (
        ("TLS 1.3",),
        ("TLS_AES_128_GCM_SHA256",),
        ("X25519",),
    )
    assert {store.name: store.trusted for store in listener.stores} == {"Mozilla": True, "Android": False}
    assert not listener.incomplete and not listener.weaknesses


@pytest.mark.parametrize(
    ("command", "key", "value", "name"),
    [
        ("heartbleed", "is_vulnerable_to_heartbleed", True, "Heartbleed"),
        ("robot", "robot_result", "VULNERABLE_STRONG_ORACLE", "ROBOT"),
        ("tls_compression", "supports_compression", True, "compression (CRIME)"),
        ("session_renegotiation", "supports_secure_renegotiation", False, "insecure renegotiation"),
        ("tls_1_3_early_data", "supports_early_data", True, "early data"),
    ],
)
def test_a_weakness_is_named(command: str, key: str, value: object, name: str) -> None:
    """Each attack by its name."""
    found = report()
    found["server_scan_results"][0]["scan_result"][command]["result"] = {key: value}
    assert parse(json.dumps(found), required=(), allowed=()).listeners[0].weaknesses == (name,)


def test_what_did_not_complete_is_said() -> None:
    """A command that failed, and a server that was not reached: the scanner ends with status 0 in both."""
    found = report()
    one = found["server_scan_results"][0]
    one["scan_result"]["robot"] = {"status": "ERROR", "error_reason": "BUG_IN_SSLYZE", "result": None}
    assert parse(json.dumps(found), required=(), allowed=()).listeners[0].incomplete == (
        "robot: BUG_IN_SSLYZE",
    )
    one |= {
        "connectivity_status": "ERROR",
        "connectivity_error_trace": "Traceback\nrefused",
        "scan_result": None,
    }
    assert parse(json.dumps(found), required=(), allowed=()).listeners[0].incomplete == (
        "connection: refused",
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"server_scan_results": [{}]}', '{"server_scan_results": 7}']
)
def test_another_shape_is_unparseable(text: str) -> None:
    """Nothing is made of JSON that says nothing."""
    with pytest.raises(CannotLook) as why:
        parse(text, required=(), allowed=())
    assert why.value.reason == "unparseable"
