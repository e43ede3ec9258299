"""The mobile probe: the released apps as their users get them, read as files and never unpacked."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import mobile_app, mobile_found, mobile_text, secret_values
from pytest_deploycheck.probes.mobile_archive import FILE_MAX_BYTES, AppError, Archive
from pytest_deploycheck.probes.mobile_text import Hit, Rules, Text
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

HITS_MAX = 12
HOSTS_MAX = 60
SECRET_SHORTEST = 12
"""Characters of a secret that is looked for in apps: millions of bytes hold shorter words by chance."""


@dataclass(frozen=True)
class Pins:
    """Keys that an app demands of a host: digests (SHA-256, base64), and until when."""

    host: str
    digests: tuple[str, ...]
    expiration: str


@dataclass(frozen=True)
class AppFacts:
    """One released file.

    file: its name.  sha256: of the whole file.  kind: "apk", "aab", "ipa", or empty where it is none that can be read;
    `problem` says why.  released: its digest is among those of the release, None where the release names none.
    build: the number that stores compare.  schemes: how it is signed (v1, v2, v3; a profile for Apple's).
    verified: the signature holds for every byte, None where that cannot be told.  certificates: SHA-256 digests of the
    signers'.  cleartext_hosts: to which plain HTTP is permitted though not in general.  links: hosts whose links it
    opens.  api_hosts: of the API, those that its texts name.  hosts: others that they name.  names_contract: they name
    the contract.  chain_ids: that they declare.  hits: what they must not say.  texts: how many were read.
    """

    file: str
    sha256: str
    kind: str
    problem: str
    released: bool | None
    id: str
    version: str
    build: str
    min_os: str
    target_sdk: int | None
    debuggable: bool
    test_only: bool
    cleartext: bool
    cleartext_hosts: tuple[str, ...]
    own_certificates: bool
    links: tuple[str, ...]
    pins: tuple[Pins, ...]
    team_app_id: str
    schemes: tuple[str, ...]
    certificates: tuple[str, ...]
    subjects: tuple[str, ...]
    test_key: bool
    verified: bool | None
    signature_problem: str
    oddities: tuple[str, ...]
    api_hosts: tuple[str, ...]
    hosts: tuple[str, ...]
    names_contract: bool
    chain_ids: tuple[int, ...]
    hits: tuple[Hit, ...]
    texts: int


@dataclass(frozen=True)
class MobileFacts:
    """All released files and what they are to be.

    api_hosts: of the production API.  contract: its address in lower case, empty where the app need not name it.
    known_secrets: values of how many secrets were looked for.
    """

    enabled: bool
    distribution: str
    package: str
    bundle_id: str
    team_app_id: str
    signing_certificates: tuple[str, ...]
    api_hosts: tuple[str, ...]
    cleartext_hosts: tuple[str, ...]
    contract: str
    chain_id: int
    known_secrets: int
    apps: tuple[AppFacts, ...]


@probe(facts=MobileFacts, deadline=75, safety="S0", uses={"files": "read"})
def mobile(target: Target, connect: Connections) -> MobileFacts:
    """Read every artifact: manifest, signature, network rules, and the strings of code, scripts and resources."""
    section = target.mobile
    if section.enabled and not section.artifacts:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no mobile.artifacts in {target.path.name}; add the released files, or declare the item out of scope",
        )
    names = section.artifacts[: int(target.limits.app_files_max)] if section.enabled else []
    secrets = _secrets(target, connect) if names else ()
    until = time.monotonic() + target.limits.app_scan_max_s
    look = _Look(target, secrets, lambda: _check(connect, until))
    for name in names:
        connect.socket_allowed("files", "read", name)
    contract = target.contract.address.lower() if target.contract.enabled and section.names_contract else ""
    return MobileFacts(
        enabled=section.enabled,
        distribution=section.distribution,
        package=section.package,
        bundle_id=section.bundle_id,
        team_app_id=section.team_app_id,
        signing_certificates=tuple(section.signing_certificates),
        api_hosts=look.rules.api,
        cleartext_hosts=tuple(section.cleartext_hosts),
        contract=contract,
        chain_id=target.contract.chain_id if target.contract.enabled else 0,
        known_secrets=len({name for name, _ in secrets}),
        apps=tuple(look.app(target.file(name)) for name in names),
    )


def _check(connect: Connections, until: float) -> None:
    connect.remaining()
    if time.monotonic() > until:
        raise CannotLook(Reason.TIMEOUT, "the apps could not be read within limits.app_scan_max_s")


def _secrets(target: Target, connect: Connections) -> tuple[tuple[str, str], ...]:
    found = secret_values.known(target, connect)
    return tuple((name, value) for name, value in found if len(value) >= SECRET_SHORTEST)


def hosts(target: Target) -> tuple[str, ...]:
    """Return the hosts of the production API as the app knows them."""
    return (
        tuple(target.mobile.api_hosts)
        or target.public_names
        or (str(urlsplit(target.target.base_url).hostname),)
    )


class _Look:
    """Reads apps one after the other, under one set of rules."""

    def __init__(
        self, target: Target, secrets: tuple[tuple[str, str], ...], check: Callable[[], object]
    ) -> None:
        section = target.mobile
        self._released = frozenset(section.sha256)
        self._check = check
        self._contract = target.contract.address.lower() if target.contract.enabled else ""
        self.rules = Rules(
            api=hosts(target),
            allowed=(*section.allowed_hosts, *section.cleartext_hosts, *target.public_names),
            exact=bool(section.allowed_hosts),
            testnet=target.testnet.address if target.testnet and target.testnet.address else "",
            chain_id=target.contract.chain_id if target.contract.enabled else 0,
            patterns=section.forbidden_patterns,
            secrets=secrets,
        )

    def app(self, path: Path) -> AppFacts:
        """Return what a file is; a file that cannot be read is a fact as well."""
        sha256, problem = "", ""
        app, said = mobile_found.App(kind=""), _Said(self.rules, self._contract)
        oddities: tuple[str, ...] = ()
        try:
            sha256 = self._digest(path)
            with Archive(path, self._check) as archive:
                oddities = archive.problems
                app = mobile_app.read(path, archive, self._check)
                for text in mobile_app.texts(archive):
                    self._check()
                    said.add(text)
        except AppError as error:
            problem = str(error)
        except (struct.error, OSError, MemoryError) as error:
            problem = f"damaged: {error}"
        signed = app.signed
        return AppFacts(
            file=path.name,
            sha256=sha256,
            kind=app.kind,
            problem=problem[:200],
            released=sha256 in self._released if self._released else None,
            id=app.id[:200],
            version=app.version[:80],
            build=app.build[:80],
            min_os=app.min_os[:20],
            target_sdk=app.target_sdk,
            debuggable=app.debuggable,
            test_only=app.test_only,
            cleartext=app.cleartext,
            cleartext_hosts=tuple(app.cleartext_hosts[:HOSTS_MAX]),
            own_certificates=app.own_certificates,
            links=tuple(sorted(app.links))[:HOSTS_MAX],
            pins=tuple(Pins(*one) for one in app.pins[:HOSTS_MAX]),
            team_app_id=app.team_app_id[:200],
            schemes=tuple(signed.schemes),
            certificates=tuple(signed.certificates),
            subjects=tuple(signed.subjects),
            test_key=signed.test_key,
            verified=signed.verified,
            signature_problem=signed.problem[:200],
            oddities=(*oddities, *app.problems),
            api_hosts=tuple(sorted(said.api)),
            hosts=tuple(sorted(said.hosts))[:HOSTS_MAX],
            names_contract=said.contract,
            chain_ids=tuple(sorted(said.chains))[:HITS_MAX],
            hits=tuple(dict.fromkeys(said.hits))[:HITS_MAX],
            texts=said.count,
        )

    def _digest(self, path: Path) -> str:
        if not path.is_file():
            raise AppError("there is no such file")
        if path.stat().st_size > FILE_MAX_BYTES:
            raise AppError(f"larger than {FILE_MAX_BYTES >> 20} MiB")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while part := file.read(2**20):
                self._check()
                digest.update(part)
        return digest.hexdigest()


class _Said:
    """What an app's texts say, gathered."""

    def __init__(self, rules: Rules, contract: str) -> None:
        self._rules, self._contract = rules, contract
        self.api: set[str] = set()
        self.hosts: set[str] = set()
        self.chains: set[int] = set()
        self.hits: list[Hit] = []
        self.contract = False
        self.count = 0

    def add(self, text: Text) -> None:
        """Read one more."""
        self.count += 1
        lower = text.text.lower()
        self.api |= self._rules.named(text)
        self.hosts |= {host for host, _ in mobile_text.urls(text) if host not in self._rules.api}
        self.chains |= mobile_text.chains(text.text)
        self.contract |= bool(self._contract) and self._contract in lower
        if len(self.hits) < 10 * HITS_MAX:
            self.hits += self._rules.hits(text)
