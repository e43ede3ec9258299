"""What is read of one app, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_deploycheck.probes.mobile_signer import Signed


@dataclass
class App:
    """What was read of an app; None where the archive does not say it.

    kind: "apk", "aab" or "ipa".  id: package name or bundle identifier.  version: for people; build: the number that
    stores compare.  cleartext: it may speak HTTP without TLS; cleartext_hosts: to these alone.  own_certificates: it
    trusts certificates that its user installed.  links: hosts whose links it opens, which it has verified.  pins:
    (host, digests of keys, expiration).  team_app_id: Apple's, with the team.
    """

    kind: str
    id: str = ""
    version: str = ""
    build: str = ""
    min_os: str = ""
    target_sdk: int | None = None
    debuggable: bool = False
    test_only: bool = False
    cleartext: bool = False
    cleartext_hosts: list[str] = field(default_factory=list)
    own_certificates: bool = False
    links: set[str] = field(default_factory=set)
    pins: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    team_app_id: str = ""
    signed: Signed = field(default_factory=Signed)
    problems: list[str] = field(default_factory=list)
