"""Mozilla's intermediate profile: less is fine, more is named, whatever the name of a curve."""

from __future__ import annotations

from pytest_deploycheck.rules.mozilla import CIPHERS, CURVES, VERSIONS, deviations


def test_the_profile_itself_and_less_pass() -> None:
    """All that it has passes, and so does TLS 1.3 alone, with either name of P-256."""
    assert deviations(VERSIONS, CIPHERS, CURVES, ()) == ()
    assert deviations(["TLS 1.3"], ["TLS_AES_128_GCM_SHA256"], ["secp256r1", "X25519"], ()) == ()


def test_more_is_named() -> None:
    """Old protocols, other suites and curves, and a missing TLS 1.3 each give a phrase."""
    found = deviations(["TLS 1.1", "TLS 1.2"], ["TLS_RSA_WITH_AES_128_CBC_SHA"], ["secp521r1"], ())
    assert found == (
        "protocol TLS 1.1",
        "no TLS 1.3",
        "cipher suite TLS_RSA_WITH_AES_128_CBC_SHA",
        "curve secp521r1",
    )


def test_the_target_file_may_accept_more() -> None:
    """What is allowed by name is no deviation; nothing else is let through by it."""
    offered = (["TLS 1.1", "TLS 1.3"], ["TLS_RSA_WITH_AES_128_CBC_SHA"], ["X448"])
    assert deviations(*offered, ["1.1", "X448"]) == ("cipher suite TLS_RSA_WITH_AES_128_CBC_SHA",)
