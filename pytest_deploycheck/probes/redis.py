"""The redis probe: what the cache says to a stranger, to a wrong password, and to the right one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.contexts import words
from pytest_deploycheck.rules.strength import strength
from pytest_deploycheck.transports.resp import Refused, Resp
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_SETTINGS = ("bind", "protected-mode", "aclfile", "maxmemory", "maxmemory-policy", "save", "appendonly")


@dataclass(frozen=True)
class AclUser:
    """A user of the server.

    nopass: any password is right.  commands: what it may run, as the server says it.  passwords: how many it
    has.  holds: the declared password is one of them.
    """

    name: str
    enabled: bool
    nopass: bool
    passwords: int
    holds: bool
    commands: str

    @property
    def harmless(self) -> bool:
        """Whether it may run nothing at all."""
        return self.commands.strip() in ("-@all", "")


@dataclass(frozen=True)
class RedisFacts:
    """One server and its answers, each by its first word: PONG, OK, NOAUTH, WRONGPASS, DENIED, ERR and so on.

    stranger: to PING before any login.  wrong: to a random password.
    declared: to the password of redis.url; ping: to PING after that.  user: who that is.  users: None when it
    may not ask; users_why says what to grant.  requirepass: set and equal to the declared password; None when
    it may not ask.  bits, faults: of the declared password.  settings: for information.
    """

    server: str
    version: str
    place: str
    loopback: bool
    stranger: str
    wrong: str
    declared: str
    ping: str
    user: str
    users: tuple[AclUser, ...] | None
    users_why: str
    requirepass: bool | None
    bits: float
    faults: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]


@probe(facts=RedisFacts, deadline=20, needs=("redis_gate",), uses={"redis": "read login"}, safety="S2")
def redis(target: Target, connect: Connections) -> RedisFacts:
    """Ask the cache as a stranger, with a wrong password, and with the right one for its users."""
    resp = connect.resp()
    place = resp.place
    stranger = resp.word("PING")
    wrong = resp.auth(secrets.token_urlsafe(12), place.user)
    resp.close()
    declared = resp.auth(place.password, place.user) if place.password else "none"
    ping = resp.word("PING")
    info = dict(_info(resp))
    users, why = _users(resp, place.password)
    settings = dict(_config(resp))
    requirepass = settings.pop("requirepass", None)
    weighed = strength(place.password, words(target, place.user))
    return RedisFacts(
        server="valkey" if "valkey_version" in info else "redis",
        version=info.get("valkey_version") or info.get("redis_version", ""),
        place=str(place),
        loopback=bool(place.path) or place.host in ("localhost", "127.0.0.1", "::1"),
        stranger=stranger,
        wrong=wrong,
        declared=declared,
        ping=ping,
        user=resp.word("ACL", "WHOAMI"),
        users=users,
        users_why=why,
        requirepass=None if requirepass is None else bool(requirepass) and requirepass == place.password,
        bits=weighed.bits,
        faults=weighed.faults(target.limits.secret_min_bits),
        settings=tuple(sorted(settings.items())),
    )


def _info(resp: Resp) -> Iterator[tuple[str, str]]:
    try:
        text = str(resp.ask("INFO", "server"))
    except Refused:
        return
    for line in text.splitlines():
        name, found, value = line.partition(":")
        if found and not name.startswith("#"):
            yield name, value


def _users(resp: Resp, password: str) -> tuple[tuple[AclUser, ...] | None, str]:
    """Return the users, or why they are not seen: no right to ask, or a server older than 6."""
    digest = sha256(password.encode()).hexdigest() if password else "none"
    try:
        lines = resp.ask("ACL", "LIST")
    except Refused as refusal:
        return (
            None,
            f"ACL LIST is answered {refusal.word}; give redis.url a user with +acl|list +config|get +info",
        )
    return tuple(_user(str(line), digest) for line in lines), ""


def _user(line: str, digest: str) -> AclUser:
    words = line.split()
    hashes = [word[1:] for word in words if word.startswith("#")]
    return AclUser(
        name=words[1] if len(words) > 1 else "",
        enabled="on" in words[2:],
        nopass="nopass" in words[2:],
        passwords=len(hashes),
        holds=digest in hashes,
        commands=" ".join(word for word in words[2:] if word[:1] in "+-")[:200],
    )


def _config(resp: Resp) -> Iterator[tuple[str, str]]:
    for name in ("requirepass", *_SETTINGS):
        try:
            pairs = resp.ask("CONFIG", "GET", name)
        except Refused:
            return
        if not isinstance(pairs, list):
            raise CannotLook(Reason.UNPARSEABLE, f"{resp.place} answers CONFIG GET with no list")
        yield from zip(map(str, pairs[::2]), map(str, pairs[1::2]), strict=False)
