"""Deployment Process, Service Deployment: certificates installed and working (item 40 of the default checklist)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import inner_names
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.plaintext import PlaintextFacts
    from pytest_deploycheck.probes.tls import TlsFacts

TLS = "SSL certificates installed and working"
PERMANENT = (301, 308)


@pytest.mark.smoke
@pytest.mark.checklist("deploy.services.tls", text=TLS)
def test_tls_everywhere(tls_facts: TlsFacts) -> None:
    """Every address of every name completes a handshake with a trusted certificate for that very name.

    Trusted means: by the certificates that were sent and the client's roots alone, as phones and programs do
    it. Browsers find a missing intermediate elsewhere, and hide that it is missing.
    """
    assert tls_facts.served, "no TLS endpoint was looked at"
    for served in tls_facts.served:
        if served.no_route:
            continue
        where = f"{served.endpoint} ({served.address})"
        assert served.connected, f"{where} accepts no connection: {served.error}"
        assert not served.error, f"{where}: no TLS handshake: {served.error}"
        assert served.chain, f"{where} shows no certificate"
        names = ", ".join(served.chain[0].names) or "no name"
        assert served.names_match, f"{where}: the certificate is for {names}"
        assert served.trusted, f"{where} is not trusted by {tls_facts.store}: {served.trust_error}"
    for served in tls_facts.served:
        if served.no_route:
            unproven(
                Reason.NO_ACCESS, f"{served.endpoint} ({served.address}) is out of reach here: {served.error}"
            )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.services.tls", text=TLS)
def test_tls_same_certificate(tls_facts: TlsFacts) -> None:
    """All addresses of a name serve the same certificate: none was left behind with an old one."""
    for name in tls_facts.own:
        leaves = {
            served.chain[0].sha256: served
            for served in tls_facts.served
            if served.host == name and served.chain
        }
        if not tls_facts.alike:
            continue
        told = "; ".join(
            f"{one.address} has {one.chain[0].sha256[:12]}… from {one.chain[0].not_before}"
            for one in leaves.values()
        )
        assert len(leaves) <= 1, f"{name} has {len(leaves)} certificates: {told} (see tls.same_certificate)"
    assert any(served.chain for served in tls_facts.served), "no certificate was seen"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.services.tls", text=TLS)
def test_tls_strangers(tls_facts: TlsFacts) -> None:
    """Who asks for a name that is not there is refused, or sees a certificate without internal names."""
    assert tls_facts.strangers, "no listener was asked for an unknown name"
    for stranger in tls_facts.strangers:
        told = inner_names.internal((*stranger.names, *inner_names.common(stranger.subject)), tls_facts.own)
        asked = f"the name {stranger.asked}" if stranger.asked else "no name"
        assert not told, f"{stranger.listener}, asked for {asked}, tells of {', '.join(told)}"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.services.tls", text=TLS)
def test_tls_plaintext(plaintext_facts: PlaintextFacts) -> None:
    """Without TLS nothing is served: HTTP is shut, refused, or redirected for good to HTTPS in one step."""
    assert plaintext_facts.asked, "nothing was asked without TLS"
    for asked in plaintext_facts.asked:
        status = asked.status
        if status is None:
            continue
        assert not 200 <= status < 300, f"{asked.place} is served without TLS ({status})"
        assert status != 401, f"{asked.place} asks for credentials without TLS"
        if asked.tls_port:
            continue  # an error is how servers say that TLS is spoken here
        assert status < 500, f"{asked.place} answers {status} and not with a redirect to HTTPS"
        if 300 <= status < 400:
            assert asked.secure, f"{asked.place} redirects to {asked.location or 'nowhere'}, not to HTTPS"
            assert asked.redirect_host in plaintext_facts.own, (
                f"{asked.place} redirects to another host: {asked.location}"
            )
            assert asked.redirect_port in plaintext_facts.tls_ports, (
                f"{asked.place} redirects to a port without TLS: {asked.location}"
            )
            assert status in PERMANENT, f"{asked.place} redirects by {status}; browsers keep 301 and 308 only"
