"""Item 52 in depth: trust in every client platform's store, protocols and ciphers of every listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.tls_scan import TlsScanFacts

CERT = "SSL certificate valid and properly configured"


@pytest.mark.checklist("post_deploy.security.cert", text=CERT)
def test_cert_stores(tls_scan_facts: TlsScanFacts) -> None:
    """Each client platform's own trust store leads to a root, without SHA-1 on the way."""
    assert tls_scan_facts.listeners, "nothing was scanned"
    assert tls_scan_facts.required_stores, "tls.required_stores is empty"
    for listener in tls_scan_facts.listeners:
        if not listener.stores:
            unproven(Reason.NO_EVIDENCE, f"{listener.endpoint}: {'; '.join(listener.incomplete)}")
        stores = {store.name: store for store in listener.stores}
        for name in tls_scan_facts.required_stores:
            assert name in stores, f"the scanner has no store {name!r}, only {', '.join(stores)}"
            assert stores[name].trusted, f"{listener.endpoint} is not trusted by {name}: {stores[name].error}"
        assert not listener.sha1_chain, f"{listener.endpoint}: the verified chain has a SHA-1 signature"


@pytest.mark.checklist("post_deploy.security.cert", text=CERT)
def test_cert_protocols(tls_scan_facts: TlsScanFacts) -> None:
    """Every listener offers TLS 1.3, nothing beyond Mozilla's intermediate profile, and no known attack."""
    assert tls_scan_facts.listeners, "nothing was scanned"
    for listener in tls_scan_facts.listeners:
        found = listener.problems(tls_scan_facts.allowed)
        assert not found, f"{listener.where}: {'; '.join(found)}"
    for listener in tls_scan_facts.listeners:
        if listener.incomplete:
            unproven(Reason.NO_EVIDENCE, f"{listener.where}: {'; '.join(listener.incomplete)}")
