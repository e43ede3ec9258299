"""What the probe `acme` saw: certificates that are kept on the server, and what renews them."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_deploycheck.probes.certificates import CertificateFacts


@dataclass(frozen=True)
class Stored:
    """A certificate on the server.

    renewer: "certbot", "acme.sh", "caddy", "traefik", or "files" (declared in the target file).  name: the
    lineage's or site's.  chain: the certificates in the file, leaf first.  key_matches: the key beside it is the
    leaf's; None where no key could be read.  key_mode: octal, key_owner: user and group; empty when not seen.
    version: how often it was renewed plus one, None where the renewer keeps no count.  authority: address of the
    ACME directory it comes from.  authenticator, http_port: how certbot proves control, and on which port.
    makes_room: a command runs before, such as one that frees the port.  reloads: what puts a renewed one into
    force.  renews_at: when the renewer means to renew it (UTC), where it notes that.
    """

    renewer: str
    name: str
    file: str
    chain: tuple[CertificateFacts, ...]
    key_file: str
    key_matches: bool | None
    key_mode: str
    key_owner: str
    version: int | None
    authority: str
    authenticator: str = ""
    http_port: int = 80
    makes_room: bool = False
    reloads: str = ""
    renews_at: str = ""

    @property
    def leaf(self) -> CertificateFacts:
        """The server's own certificate."""
        return self.chain[0]


@dataclass(frozen=True)
class Schedule:
    """What runs a renewer: a timer, a line of cron, or a process that stays.

    kind: "timer", "cron", "process" or "container".  renewer: what it runs, in the words of `Stored`.  armed: it
    will run, also after a restart.  why_not: when not.  last_run_at: UTC, empty when never or not told.
    succeeded: that run, None when not told.
    """

    kind: str
    name: str
    renewer: str
    armed: bool
    why_not: str
    last_run_at: str
    succeeded: bool | None


@dataclass(frozen=True)
class AcmeFacts:
    """Certificates on the main server.

    names: those that must be covered.  renewer: as declared, "auto" when it was looked for.  renewed_by: the
    target file's words about a renewer that cannot be seen.  looked_in: names of files, with `*`.  allowed_issuers: empty is any that clients trust.
    denied: folders that the user may not read.  log_errors: of certbot's last run.  on_port: processes that
    listen on the ports at which certbot itself would.
    """

    names: tuple[str, ...]
    renewer: str
    renewed_by: str
    allowed_issuers: tuple[str, ...]
    looked_in: tuple[str, ...]
    stored: tuple[Stored, ...]
    schedules: tuple[Schedule, ...]
    denied: tuple[str, ...]
    log_errors: tuple[str, ...]
    on_port: dict[str, tuple[str, ...]]
