"""The checks of item 52 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.certificates import CertificateFacts
from pytest_deploycheck.probes.tls import Served, Stranger, TlsFacts
from pytest_deploycheck.probes.tls_scan import Listener, StoreResult, TlsScanFacts
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def iso(days: float) -> str:
    """Return a moment so many days from now."""
    return (NOW + timedelta(days=days)).isoformat()


LEAF = CertificateFacts(
    subject="CN=shop.example",
    issuer="CN=R12",
    sha256="00",
    not_before=iso(-10),
    not_after=iso(80),
    names=("shop.example",),
    key="EC prime256v1",
    key_bits=256,
    signature_hash="sha256",
    eku=("serverAuth",),
    scts=2,
    self_signed=False,
)
ISSUER = replace(LEAF, subject="CN=R12", issuer="CN=Root", names=(), eku=None, scts=0)
SERVED = Served(
    endpoint="shop.example:443",
    address="192.0.2.1",
    connected=True,
    no_route=False,
    error="",
    version="TLSv1.3",
    cipher="TLS_AES_128_GCM_SHA256",
    alpn="h2",
    chain=(LEAF, ISSUER),
    in_order=True,
    names_match=True,
    trusted=True,
    trust_error="",
)
FACTS = TlsFacts(
    private=False,
    store="Mozilla",
    served=(SERVED,),
    strangers=(Stranger("192.0.2.1:443", "nobody.invalid", True, "", ()),),
    clock_skew_s=0.4,
    own=("shop.example",),
    alike=True,
    lifetime=None,
)


def cert(facts: TlsFacts) -> None:
    """Run the check."""
    CHECKS["test_cert"](tls_facts=facts, limits=LIMITS, now=NOW)


def served(**changes: Any) -> TlsFacts:
    """Return facts in which what is served differs in some way."""
    return replace(FACTS, served=(replace(SERVED, **changes),))


def leaf(**changes: Any) -> TlsFacts:
    """Return facts in which the leaf differs in some way."""
    return served(chain=(replace(LEAF, **changes), ISSUER))


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        replace(FACTS, clock_skew_s=None),
        leaf(key="RSA", key_bits=2048),
        leaf(not_before=iso(-2), not_after=iso(4.6)),  # a six-day certificate
        leaf(signature_hash="", key="Ed25519", key_bits=256),
        replace(leaf(scts=0, eku=None), private=True),
        replace(
            FACTS, served=(SERVED, replace(SERVED, address="::1", connected=False, error="refused", chain=()))
        ),
        served(
            chain=(LEAF, ISSUER, replace(ISSUER, subject="CN=Root", self_signed=True, signature_hash="sha1"))
        ),
    ],
)
def test_a_good_certificate_passes(facts: TlsFacts) -> None:
    """RSA or EC, long or short, public or private, beside an address that nothing listens on."""
    cert(facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (leaf(not_after=iso(-1)), "expired at"),
        (leaf(not_before=iso(1)), "not valid before"),
        (leaf(not_before=iso(-81), not_after=iso(9)), "10% of the certificate's lifetime"),
        (leaf(not_after=iso(390)), "lives 400 days"),
        (leaf(key="RSA", key_bits=1024), "RSA key of 1024 bits"),
        (leaf(key="EC secp192r1", key_bits=192), "192 bits"),
        (leaf(signature_hash="sha1"), "signed with sha1"),
        (served(chain=(LEAF, replace(ISSUER, signature_hash="sha1"))), "CN=R12 is signed with sha1"),
        (leaf(eku=("clientAuth",)), "not for TLS servers"),
        (leaf(eku=None), "not for TLS servers"),
        (leaf(scts=1), "1 embedded SCTs"),
        (served(names_match=False), "the certificate is for shop.example"),
        (served(trusted=False, trust_error="self-signed certificate"), "self-signed certificate"),
        (served(in_order=False), "wrong order"),
        (served(chain=()), "shows no certificate"),
        (served(error="no cipher in common", chain=()), "no TLS handshake"),
        (replace(FACTS, served=()), "no TLS endpoint"),
        (served(connected=False, error="refused", chain=()), "no address was reached"),
    ],
)
def test_a_bad_certificate_fails_and_says_how(facts: TlsFacts, words: str) -> None:
    """Each thing that is wrong with it is named, with the place."""
    with pytest.raises(AssertionError) as failure:
        cert(facts)
    assert words in str(failure.value)


def test_every_address_counts() -> None:
    """A second address that still serves the old certificate fails."""
    old = replace(SERVED, address="192.0.2.2", chain=(replace(LEAF, not_after=iso(-1)), ISSUER))
    with pytest.raises(AssertionError, match=r"192\.0\.2\.2"):
        cert(replace(FACTS, served=(SERVED, old)))


def test_a_certificate_from_before_the_rule_may_live_398_days() -> None:
    """What was issued before 2026-03-15 is judged by the rules of then, what came after is not."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    cert(leaf(not_before=start.isoformat(), not_after=(start + timedelta(days=397)).isoformat()))
    later = datetime(2026, 3, 16, tzinfo=UTC)
    with pytest.raises(AssertionError, match="lives 397 days"):
        cert(leaf(not_before=later.isoformat(), not_after=(later + timedelta(days=397)).isoformat()))


def test_clocks_that_differ_prove_nothing() -> None:
    """With a minute and more between the clocks, dates are not judged."""
    with pytest.raises(Unproven, match="clock"):
        cert(replace(FACTS, clock_skew_s=-90.0))


STORES = tuple(
    StoreResult(name, "1", True, "") for name in ("Mozilla", "Apple", "Android", "Windows", "Java")
)
LISTENER = Listener(
    endpoint="shop.example:443",
    address="192.0.2.1",
    incomplete=(),
    stores=STORES,
    versions=("TLS 1.2", "TLS 1.3"),
    ciphers=("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    curves=("X25519", "secp256r1"),
    weaknesses=(),
    sha1_chain=False,
)
SCAN = TlsScanFacts("sslyze", ("Mozilla", "Apple", "Android", "Windows"), (), (), (LISTENER,))


def listener(**changes: Any) -> TlsScanFacts:
    """Return a scan in which the listener differs in some way."""
    return replace(SCAN, listeners=(replace(LISTENER, **changes),))


def distrusted(name: str) -> TlsScanFacts:
    """Return a scan in which one store does not lead to a root."""
    return listener(
        stores=tuple(
            replace(one, trusted=False, error="no root") if one.name == name else one for one in STORES
        )
    )


def test_trust_is_asked_of_each_platform() -> None:
    """All required stores trust it; that one which is not required does not, is no failure."""
    CHECKS["test_cert_stores"](tls_scan_facts=SCAN)
    CHECKS["test_cert_stores"](tls_scan_facts=distrusted("Java"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (distrusted("Android"), "not trusted by Android: no root"),
        (listener(stores=STORES[1:]), "no store 'Mozilla'"),
        (listener(sha1_chain=True), "SHA-1"),
        (replace(SCAN, listeners=()), "nothing was scanned"),
        (replace(SCAN, required_stores=()), "required_stores is empty"),
    ],
)
def test_one_platform_without_trust_fails(facts: TlsScanFacts, words: str) -> None:
    """Windows may trust what a phone does not."""
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_cert_stores"](tls_scan_facts=facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (listener(versions=("TLS 1.1", "TLS 1.3")), "protocol TLS 1.1"),
        (listener(versions=("TLS 1.2",)), "no TLS 1.3"),
        (listener(ciphers=("TLS_RSA_WITH_AES_128_CBC_SHA",)), "TLS_RSA_WITH_AES_128_CBC_SHA"),
        (listener(curves=("X448",)), "curve X448"),
        (listener(weaknesses=("ROBOT",)), "open to ROBOT"),
        (replace(SCAN, listeners=()), "nothing was scanned"),
    ],
)
def test_protocols_beyond_the_profile_fail(facts: TlsScanFacts, words: str) -> None:
    """Each is named."""
    CHECKS["test_cert_protocols"](tls_scan_facts=SCAN)
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_cert_protocols"](tls_scan_facts=facts)


def test_what_the_target_file_accepts_passes() -> None:
    """Early data and an old suite pass where they are allowed by name."""
    facts = listener(weaknesses=("early data",), ciphers=("TLS_X",))
    CHECKS["test_cert_protocols"](tls_scan_facts=replace(facts, allowed=("early data", "TLS_X")))


@pytest.mark.parametrize("check", ["test_cert_stores", "test_cert_protocols"])
def test_a_scan_that_broke_off_proves_nothing(check: str) -> None:
    """A listener that was not scanned to the end is unproven, whatever the rest says."""
    facts = listener(stores=(), incomplete=("robot: BUG_IN_SSLYZE",), versions=(), ciphers=(), curves=())
    with pytest.raises(Unproven, match="BUG_IN_SSLYZE"):
        CHECKS[check](tls_scan_facts=facts)
