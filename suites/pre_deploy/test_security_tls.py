"""Pre-Deployment Checklist, Security Configuration: TLS hardened (item 20 of the default checklist)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.tls_scan import TlsScanFacts

TLS = "SSL/TLS configuration hardened"


@pytest.mark.checklist("pre_deploy.security.tls", text=TLS)
def test_tls_hardened(tls_scan_facts: TlsScanFacts) -> None:
    """Each name at each address offers Mozilla's intermediate profile 6.0 at most, and is open to no known attack."""
    facts = tls_scan_facts
    assert facts.listeners, "nothing was scanned"
    for listener in facts.listeners:
        found = listener.problems(facts.allowed)
        assert not found, f"{listener.where}: {'; '.join(found)}"
    for listener in facts.listeners:
        if listener.incomplete:
            unproven(Reason.NO_EVIDENCE, f"{listener.where}: {'; '.join(listener.incomplete)}")
        assert listener.versions, f"{listener.where} offers no version of TLS"
    if facts.unserved:
        unproven(Reason.NO_EVIDENCE, f"not scanned for want of a handshake: {', '.join(facts.unserved[:3])}")
