"""What a bundle carries of people: the signed files and all that verifies them, as they were at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

LEDGER = "ledger.jsonl"
CLAIMS = "claims"
ROLES = "roles.toml"
ALLOWED_SIGNERS = "allowed_signers"
REVOKED = "revoked"
SIZE_MAX_BYTES = 20 * 2**20
"""A larger file is not carried; a signed file that names it is then incomplete, and says so when verified."""


def files(target: Target) -> dict[str, bytes]:
    """Return the files by their names in the bundle; none where the target has neither claims nor a ledger."""
    found: dict[str, bytes] = {}
    if target.ledger.path:
        _add(found, LEDGER, target.file(target.ledger.path))
    directory = target.file(target.claims.dir)
    if not directory.is_dir():
        return found
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            _add(found, f"{CLAIMS}/{path.relative_to(directory)}", path)
    _add(found, ROLES, target.file(target.claims.roles))
    _add(found, ALLOWED_SIGNERS, target.file(target.claims.allowed_signers))
    if target.claims.revoked:
        _add(found, REVOKED, target.file(target.claims.revoked))
    return found


def _add(found: dict[str, bytes], name: str, path: Path) -> None:
    if path.is_file() and path.stat().st_size <= SIZE_MAX_BYTES:
        found[name] = path.read_bytes()
