"""What people say and what was judged before: signed files, roles, and the ledger of runs."""

from __future__ import annotations

from pytest_deploycheck.target.base import HttpUrl, Section


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


class CommsSection(Section):
    """`[comms]`: who must know of the go-live, and who answers when it goes wrong.

    `documents` maps names to a path beside the target file or to an address below one of `docs_base`, which
    are the hosts that may be asked; each document is for all of `teams`.  `roster` is a TOML file of shifts
    and of providers' contacts, see docs/records.md.  `levels`: of the on-call duty, the first is called first.
    """

    stakeholder_groups: list[str] = []
    support_roster: list[str] = []
    support_leads: list[str] = []
    documents: dict[str, str] = {}
    docs_base: list[HttpUrl] = []
    teams: list[str] = []
    roster: str = ""
    levels: list[str] = ["primary", "secondary"]
    providers: list[str] = ["host", "rpc", "registrar"]
