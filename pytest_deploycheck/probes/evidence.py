"""Signed files of people and pipelines: what each says, and why one does not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.claims.signed import SignedFile
from pytest_deploycheck.observe import probe

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class EvidenceFacts:
    """Every signed file below `directory`, whether it counts or not, and who holds which role.

    roles: (role, principals), of vacant roles those of their delegates.  deployed_by, authors: who carried
    the release out and who wrote it, as principals.  go_live_at: ISO 8601, empty where it is not fixed.
    """

    directory: str
    files: tuple[SignedFile, ...]
    roles: tuple[tuple[str, tuple[str, ...]], ...]
    deployed_by: str = ""
    authors: tuple[str, ...] = ()
    go_live_at: str = ""

    def holders(self, role: str) -> tuple[str, ...]:
        """Return who holds a role."""
        return dict(self.roles).get(role, ())


@probe(facts=EvidenceFacts, deadline=40, uses={"files": "read"}, safety="S0")
def evidence(target: Target, connect: Connections) -> EvidenceFacts:
    """Take the signed files of the target as they were read and verified when the run began."""
    from pytest_deploycheck.claims import of_target
    from pytest_deploycheck.claims.roles import ROLES

    connect.socket_allowed("files", "read", target.claims.dir)
    roles = of_target.roles(target)
    return EvidenceFacts(
        directory=target.claims.dir,
        files=connect.signed_files(),
        roles=tuple((role, roles.holders(role)) for role in ROLES),
        deployed_by=target.release.deployed_by,
        authors=tuple(target.release.authors),
        go_live_at=target.release.go_live_at.isoformat() if target.release.go_live_at else "",
    )
