"""CAA as RFC 8659 reads it."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.caa import Property, names_of, refusal

OURS = ("letsencrypt.org",)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ([(0, "issue", "letsencrypt.org")], ""),
        ([(0, "issue", "LetsEncrypt.org; validationmethods=dns-01")], ""),
        ([(0, "Issue", "letsencrypt.org"), (0, "issue", "pki.goog")], ""),
        ([(0, "issue", ";")], "nobody may issue"),
        ([(0, "issue", "")], "nobody may issue"),
        ([(0, "issue", "pki.goog")], "only pki.goog may issue"),
        ([(0, "iodef", "mailto:a@example")], ""),
        ([(0, "issuewild", ";")], ""),
        ([(128, "issue", "letsencrypt.org")], ""),
        ([(0, "future", "x"), (0, "issue", "letsencrypt.org")], ""),
        ([(128, "future", "x"), (0, "issue", "letsencrypt.org")], "the critical property 'future'"),
        ([], ""),
    ],
)
def test_who_may_issue(properties: list[Property], why: str) -> None:
    """Without an `issue` property anybody may; with some, those named; a critical unknown one forbids all."""
    found = refusal(properties, OURS)
    assert found.startswith(why) and bool(found) == bool(why)


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("CN=R12,O=Let's Encrypt,C=US", "letsencrypt.org"),
        ("CN=WR1,O=Google Trust Services,C=US", "pki.goog"),
        ("CN=DigiCert TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", "digicert.com"),
        ("CN=Amazon RSA 2048 M02,O=Amazon,C=US", "amazon.com"),
    ],
)
def test_authorities_by_their_own_names(issuer: str, name: str) -> None:
    """The issuer of a certificate leads to the CAA names that its authority publishes."""
    assert name in names_of([issuer])


def test_an_unknown_authority_has_no_name() -> None:
    """A private authority goes by no CAA name that is known here."""
    assert names_of(["CN=Token Service Issuing CA"]) == ()
