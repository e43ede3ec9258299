"""The checks of items 20 and 40 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.probes.plaintext import PlaintextFacts
from pytest_deploycheck.probes.tls import Stranger, TlsFacts
from tests.suites.checks import suite
from tests.suites.test_security_cert import FACTS, LEAF, LISTENER, SCAN, SERVED

CHECKS = suite("deploy/test_services_tls.py")
HARDENED = suite("pre_deploy/test_security_tls.py")["test_tls_hardened"]
SECOND = replace(SERVED, address="2001:db8::1")


def second(**changes: Any) -> TlsFacts:
    """Return facts of two addresses, of which the second differs."""
    return replace(FACTS, served=(SERVED, replace(SECOND, **changes)))


def test_two_good_addresses_pass() -> None:
    """The same right certificate at both."""
    CHECKS["test_tls_everywhere"](tls_facts=second())
    CHECKS["test_tls_same_certificate"](tls_facts=second())
    CHECKS["test_tls_strangers"](tls_facts=second())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            second(connected=False, error="Connection refused", chain=()),
            "accepts no connection: Connection refused",
        ),
        (second(error="UNRECOGNIZED_NAME", chain=()), "no TLS handshake: UNRECOGNIZED_NAME"),
        (second(chain=()), "shows no certificate"),
        (second(names_match=False), "the certificate is for shop.example"),
        (second(trusted=False, trust_error="no issuer"), "not trusted by Mozilla: no issuer"),
        (replace(FACTS, served=()), "no TLS endpoint"),
    ],
)
def test_one_bad_address_fails(facts: TlsFacts, words: str) -> None:
    """It is named, with what is wrong there."""
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_tls_everywhere"](tls_facts=facts)


def test_an_address_out_of_reach_is_unproven_and_hides_nothing() -> None:
    """A runner without IPv6 cannot see it; what it can see is judged first."""
    away: dict[str, Any] = {
        "connected": False,
        "no_route": True,
        "error": "Network is unreachable",
        "chain": (),
    }
    with pytest.raises(Unproven, match="out of reach"):
        CHECKS["test_tls_everywhere"](tls_facts=second(**away))
    facts = replace(FACTS, served=(replace(SECOND, **away), replace(SERVED, trusted=False)))
    with pytest.raises(AssertionError, match="not trusted"):
        CHECKS["test_tls_everywhere"](tls_facts=facts)


def test_another_certificate_at_one_address() -> None:
    """One of two was left behind, unless each node has a certificate of its own."""
    facts = second(chain=(replace(LEAF, sha256="ff" * 32),))
    with pytest.raises(
        AssertionError, match=r"2 certificates: 192\.0\.2\.1 has 00… .*; 2001:db8::1 has ffffffffffff…"
    ):
        CHECKS["test_tls_same_certificate"](tls_facts=facts)
    CHECKS["test_tls_same_certificate"](tls_facts=replace(facts, alike=False))


def test_other_names_have_other_certificates() -> None:
    """Only addresses of one name are compared."""
    api = replace(SERVED, endpoint="api.shop.example:443", chain=(replace(LEAF, sha256="ff"),))
    facts = replace(FACTS, served=(SERVED, api), own=("shop.example", "api.shop.example"))
    CHECKS["test_tls_same_certificate"](tls_facts=facts)


def test_nobody_asked_is_nothing_proven() -> None:
    """Without a listener, an answer or a scan there is nothing to pass."""
    with pytest.raises(AssertionError, match="no certificate was seen"):
        CHECKS["test_tls_same_certificate"](tls_facts=second(chain=()) and replace(FACTS, served=()))
    with pytest.raises(AssertionError, match="no listener"):
        CHECKS["test_tls_strangers"](tls_facts=replace(FACTS, strangers=()))
    with pytest.raises(AssertionError, match="nothing was asked"):
        CHECKS["test_tls_plaintext"](plaintext_facts=PlaintextFacts((), (), ()))
    with pytest.raises(AssertionError, match="nothing was scanned"):
        HARDENED(tls_scan_facts=replace(SCAN, listeners=()))


def test_strangers_see_names_of_the_inside() -> None:
    """In the subject as well as among the alternative names."""
    shown = Stranger("192.0.2.1:443", "", False, "CN=db01.corp", ("shop.example",))
    with pytest.raises(AssertionError, match=r"asked for no name, tells of db01\.corp"):
        CHECKS["test_tls_strangers"](tls_facts=replace(FACTS, strangers=(shown,)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weaknesses": ("ROBOT", "no extended master secret")}, "open to ROBOT, no extended master secret"),
        ({"curves": ("X448", "secp521r1")}, "curve X448, curve secp521r1"),
        ({"versions": ("TLS 1.2",)}, "no TLS 1.3"),
        ({"incomplete": ("robot: BUG",), "versions": ("TLS 1.1",)}, "protocol TLS 1.1"),
    ],
)
def test_one_weak_listener_among_good_ones_fails(changes: dict[str, Any], words: str) -> None:
    """It is named by endpoint and address, also when its scan is not whole."""
    weak = replace(LISTENER, address="2001:db8::1", **changes)
    with pytest.raises(AssertionError, match=rf"shop\.example:443 \(2001:db8::1\): .*{words}"):
        HARDENED(tls_scan_facts=replace(SCAN, listeners=(LISTENER, weak)))


def test_what_was_not_scanned_is_unproven() -> None:
    """A scan that broke off, or an address without a handshake, beside a good listener."""
    HARDENED(tls_scan_facts=SCAN)
    broken = replace(LISTENER, incomplete=("robot: BUG",), versions=(), ciphers=(), curves=())
    with pytest.raises(Unproven, match="robot: BUG"):
        HARDENED(tls_scan_facts=replace(SCAN, listeners=(LISTENER, broken)))
    with pytest.raises(Unproven, match="want of a handshake"):
        HARDENED(tls_scan_facts=replace(SCAN, unserved=("shop.example:443 (::1): refused",)))
