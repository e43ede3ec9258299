"""The final_scans probe: what the union of all scans must cover for this release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import artifacts

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class FinalScansFacts:
    """What must have been scanned.

    contract: its address, "" for a product without one.  artifact_sha256: of the contract's creation code as it was
    built, "" without one; the sha256 that an audit's word is bound to.  contract_tools: analysers that must have
    looked at the contract.  images: whether images are released.
    """

    contract: str
    artifact_sha256: str
    contract_tools: tuple[str, ...]
    images: bool


@probe(facts=FinalScansFacts, deadline=10, safety="S0", uses={"files": "read"})
def final_scans(target: Target, connect: Connections) -> FinalScansFacts:
    """Read the contract's build, so that an audit's word can be held against it."""
    contract = target.contract
    connect.socket_allowed("files", "read", contract.artifact)
    return FinalScansFacts(
        contract=contract.address,
        artifact_sha256=artifacts.own(target).creation_sha256 if contract.address else "",
        contract_tools=tuple(target.golive.contract_tools),
        images=bool(target.release.images),
    )
