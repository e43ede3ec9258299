"""The passwords probe: the secrets that machines use, how hard each is to guess, and who shares or shows one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.probes.contexts import words
from pytest_deploycheck.rules.strength import same, strength
from pytest_deploycheck.target.load import secrets as references

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_PROCESSES = "ps -eww -o pid=,args="
# Words chosen by whoever issued them, and mnemonics, which are words, are other items' matter.
_ISSUED = re.compile(r"(?i)token|api_?key|mnemonic|seed|licen[sc]e|dsn")
_SERVICES = (
    (re.compile(r"(?i)^(?:postgres(?:ql)?|pg|db|database)(?:_|pass|$)"), "postgres"),
    (re.compile(r"(?i)^(?:redis|valkey|cache)(?:_|pass|$)"), "redis"),
    (re.compile(r"(?i)^jwt|_jwt_"), "jwt"),
    (re.compile(r"(?i)^(?:grafana|gf)_\w*(?:token|key)"), "grafana token"),
    (re.compile(r"(?i)^(?:grafana|gf)_"), "grafana"),
)
_SCHEMES = {"postgres": "postgres", "postgresql": "postgres", "redis": "redis", "rediss": "redis"}
_TARGET = {
    "db.dsn": "postgres",
    "db.admin_dsn": "postgres",
    "redis.url": "redis",
    "auth.jwt_secret": "jwt",
    "grafana.token": "grafana token",
    "grafana.admin_password": "grafana",
}
_SHORTEST_SHOWN = 8


@dataclass(frozen=True)
class Secret:
    """A secret: its key, the service that it opens, bits and zxcvbn's score, and what is wrong with it."""

    key: str
    service: str
    bits: float
    score: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class PasswordsFacts:
    """The environment file's secrets, weighed; values are compared in memory only.

    db_key, redis_key: the keys of those two services.  secrets: those that the deployment chose itself.  keyless: keys that ought to hold a password and hold
    none, such as an address with a client certificate.  shared: groups of keys with one value, of different
    services.  compared: how many values were compared for that.  shown: (key, program) of secrets on a
    command line, which every user of the machine can read; processes: how many were looked at, None when
    those of other users are hidden.
    """

    db_key: str
    redis_key: str
    secrets: tuple[Secret, ...]
    keyless: tuple[str, ...]
    shared: tuple[tuple[str, ...], ...]
    compared: int
    shown: tuple[tuple[str, str], ...]
    processes: int | None

    def of(self, key: str) -> Secret | None:
        """Return a key's secret."""
        return next((secret for secret in self.secrets if secret.key == key), None)


def _reads(target: Target) -> Reads:
    return Reads(main=(_PROCESSES, *env.reads(target).main))


@probe(facts=PasswordsFacts, deadline=30, after=("ssh_gate",), uses={"host": "read"}, reads=_reads)
def passwords(target: Target, connect: Connections) -> PasswordsFacts:
    """Weigh the environment file's secrets, compare all that are known, and look for them on command lines."""
    values = env.values(target, connect)
    found = {key: part for key, value in values.items() if (part := password_of(target, key, value))}
    owners = {key: service_of(key, values[key]) for key in found}
    chosen = {key: value for key, value in found.items() if not _ISSUED.search(key) or "://" in values[key]}
    named = {**{f"env {key}": owners[key] for key in found}, **dict(_named(target))}
    texts = {f"env {key}": value for key, value in found.items()} | dict(_texts(target, connect))
    processes = _processes(connect)
    return PasswordsFacts(
        db_key=target.env.db_password_key,
        redis_key=target.env.redis_password_key,
        secrets=tuple(_weigh(target, key, value, owners[key], values[key]) for key, value in chosen.items()),
        keyless=tuple(
            key
            for key in (target.env.db_password_key, target.env.redis_password_key)
            if key in values and key not in found
        ),
        shared=tuple(group for group in same(texts) if _strangers(group, named)),
        compared=len(texts),
        shown=tuple(_shown(found, [line[1] for line in processes if len(line) > 1])),
        processes=len(processes) if any(line[0] == "1" for line in processes if line) else None,
    )


def password_of(target: Target, key: str, value: str) -> str:
    """Return the secret part of a value: an address's password, or the value of a key that names a secret."""
    if "://" in value:
        return _password_in(value)
    return value if env.is_secret(target, key) else ""


def _password_in(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def service_of(key: str, value: str) -> str:
    """Return which service a secret opens, with its user where the address has one; else the key itself."""
    if "://" in value:
        url = urlsplit(value)
        scheme = url.scheme.partition("+")[0].removeprefix("jdbc:")
        if scheme in _SCHEMES:
            return f"{_SCHEMES[scheme]}:{unquote(url.username or '')}".rstrip(":")
    return next((service for pattern, service in _SERVICES if pattern.search(key)), key)


def _processes(connect: Connections) -> list[list[str]]:
    """Return the number and the command line of each process on the main server; empty without a server."""
    try:
        return [line.split(None, 1) for line in connect.read(_PROCESSES).stdout.splitlines()]
    except CannotLook:
        return []


def _weigh(target: Target, key: str, secret: str, service: str, value: str) -> Secret:
    about = [service.partition(":")[2], service.partition(":")[0]]
    if "://" in value:
        about.append(urlsplit(value).path.strip("/").partition("/")[0])
    weighed = strength(secret, words(target, *about))
    return Secret(key, service, weighed.bits, weighed.score, weighed.faults(target.limits.secret_min_bits))


def _named(target: Target) -> Iterator[tuple[str, str]]:
    """Yield the target file's own secrets and the services that they open, of those that are known."""
    for name in references(target):
        if name in _TARGET:
            yield name, _TARGET[name]
        elif name.startswith("auth.") and name.endswith("account.password"):
            yield name, name


def _texts(target: Target, connect: Connections) -> Iterator[tuple[str, str]]:
    wanted = dict(_named(target))
    for name, reference in references(target).items():
        if name not in wanted:
            continue
        try:
            value = connect.secret(reference)
        except CannotLook:
            continue  # the probe that needs it says so
        yield name, _password_in(value) if "://" in value else value


def _strangers(group: tuple[str, ...], services: dict[str, str]) -> bool:
    """Whether keys of one value open different things: two names of one password are no sharing."""
    owners = {services[name] for name in group}
    kinds = {owner.partition(":")[0] for owner in owners}
    accounts = {owner for owner in owners if ":" in owner}
    return len(kinds) > 1 or len(accounts) > 1


def _shown(found: dict[str, str], lines: list[str]) -> Iterator[tuple[str, str]]:
    for key, secret in found.items():
        for line in lines:
            if len(secret) >= _SHORTEST_SHOWN and secret in line:
                yield key, line.split()[0].rpartition("/")[2][:60]
                break
