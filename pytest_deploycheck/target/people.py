"""What people say and what was judged before: signed files, roles, and the ledger of runs."""

from __future__ import annotations

from pytest_deploycheck.target.base import Section


class ClaimsSection(Section):
    """`[claims]`: signed files, and whose signatures count; paths are relative to the target file.

    `dir` holds envelopes with their signatures, `roles` says who may speak as what, `allowed_signers` and
    `revoked` are files of ssh-keygen.
    """

    dir: str = "claims"
    roles: str = "claims/roles.toml"
    allowed_signers: str = "claims/allowed_signers"
    revoked: str = ""


class LedgerSection(Section):
    """`[ledger]`: the file that every run is appended to; without `path` runs leave no trace there."""

    path: str = ""
