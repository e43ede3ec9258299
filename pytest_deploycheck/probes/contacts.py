"""Who is called for what: the project's own list of contacts. Addresses and numbers are judged here and not kept."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.rules.placeholders import placeholder
from pytest_deploycheck.transports.dns import ask, resolvers
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SIZE_MAX_BYTES = 2**20
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63})"
)
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MADE_UP = re.compile(r"(\d)\1{6,}|0123456|1234567|555-?01\d\d")
_NOBODY = re.compile(r"(?i)^(?:n/?a|none|nobody|unknown|tba|someone|john doe|jane doe|first last|name)$")


@dataclass(frozen=True)
class Person:
    """A person of the list; wrong: what does not hold of her entry, in words without the values.

    mail_domain: of her address; takes_mail: whether it has a mail server, None where that was not asked.
    """

    key: str
    name: str
    wrong: tuple[str, ...]
    mail_domain: str
    takes_mail: bool | None


@dataclass(frozen=True)
class RoleContacts:
    """Who answers for a role, by keys of persons; empty where nobody is named."""

    role: str
    primary: str
    secondary: str
    escalation: tuple[str, ...]


@dataclass(frozen=True)
class ContactsFacts:
    """The list of contacts.

    wanted: the roles that must be in it.  digest: sha256 of the file.  problem: why it cannot be read.
    """

    path: str
    problem: str
    digest: str
    wanted: tuple[str, ...]
    roles: tuple[RoleContacts, ...]
    people: tuple[Person, ...]

    def person(self, said: str) -> Person | None:
        """Return somebody by key or name, without regard to case."""
        plain = said.strip().lower()
        return next((one for one in self.people if plain in (one.key.lower(), one.name.lower())), None)


@probe(facts=ContactsFacts, deadline=20, uses={"files": "read", "dns": "query"})
def contacts(target: Target, connect: Connections) -> ContactsFacts:
    """Read the list of contacts, and judge each entry."""
    section = target.contacts
    if not section.file:
        raise CannotLook(
            Reason.NO_CONFIG, f"no contacts.file in {target.path.name}; add it, and contacts.roles"
        )
    connect.socket_allowed("files", "read", section.file)
    path = target.file(section.file)
    content, problem = _content(path)
    values = _values(path, content) if content else {}
    found = dict(_people(values))
    asked = (
        _asked(connect, {domain(one) for one in found.values()} - {""}) if section.mail_domains_asked else {}
    )
    return ContactsFacts(
        path=section.file,
        problem=problem,
        digest=hashlib.sha256(content).hexdigest() if content else "",
        wanted=tuple(section.roles),
        roles=tuple(_roles(values)),
        people=tuple(_person(key, entry, asked) for key, entry in found.items()),
    )


def _content(path: Path) -> tuple[bytes, str]:
    try:
        with path.open("rb") as opened:
            content = opened.read(SIZE_MAX_BYTES + 1)
    except OSError as error:
        return b"", f"{path.name} cannot be read: {error.strerror}"
    if len(content) > SIZE_MAX_BYTES:
        return b"", f"{path.name} is larger than 1 MiB"
    return content, "" if content.strip() else f"{path.name} is empty"


def _values(path: Path, content: bytes) -> Mapping[str, Any]:
    import yaml

    text = content.decode("utf-8", "replace")
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError) as error:
        where = str(error).splitlines()[0][:160] if path.suffix == ".toml" else "not valid YAML"
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {where}") from None
    if not isinstance(found, Mapping):
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is no mapping with people and roles")
    return found


def _people(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield everybody by key: those of `people`, and those who are written out in a role."""
    listed = values.get("people")
    if isinstance(listed, Mapping):
        yield from ((str(key), entry) for key, entry in listed.items() if isinstance(entry, Mapping))
    for role in _mapping(values.get("roles")).values():
        for place in ("primary", "secondary"):
            entry = _mapping(role).get(place)
            if isinstance(entry, Mapping):
                yield _key(entry), entry


def _key(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, Mapping) else str(entry or "")


def _roles(values: Mapping[str, Any]) -> Iterator[RoleContacts]:
    for name, role in _mapping(values.get("roles")).items():
        entry = _mapping(role)
        steps = entry.get("escalation", values.get("escalation"))
        yield RoleContacts(
            role=str(name),
            primary=_key(entry.get("primary")),
            secondary=_key(entry.get("secondary")),
            escalation=tuple(map(str, steps)) if isinstance(steps, list) else (),
        )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def domain(entry: Mapping[str, Any]) -> str:
    """Return the domain of an entry's address; empty where it is none."""
    found = _EMAIL.fullmatch(str(entry.get("email", "")).strip())
    return found[1].lower() if found else ""


def _person(key: str, entry: Mapping[str, Any], asked: Mapping[str, bool | None]) -> Person:
    place = domain(entry)
    return Person(key, str(entry.get("name", key))[:80], tuple(wrong(entry, key)), place, asked.get(place))


def wrong(entry: Mapping[str, Any], key: str = "") -> Iterator[str]:
    """Yield what does not hold of an entry; no value is told."""
    name, said = str(entry.get("name", key)).strip(), entry.get("phone", "")
    # In YAML, +49… without quotes is a number, whose sign is lost.
    phone = f"+{said}" if isinstance(said, int) else str(said).strip()
    plain = re.sub(r"[\s().-]", "", phone)
    if not name or _NOBODY.match(name) or placeholder(name):
        yield "has no real name"
    if not domain(entry):
        yield "has no email address of the form name@domain"
    elif placeholder(str(entry["email"])):
        yield "has an email address that stands for another"
    if not _E164.fullmatch(plain):
        yield "has no telephone number of the form +49301234567 (E.164)"
    elif _MADE_UP.search(phone) or _MADE_UP.search(plain):
        yield "has a telephone number that stands for another"
    zone = str(entry.get("time_zone") or entry.get("timezone") or "")
    if not _is_zone(zone):
        yield "has no time zone such as Europe/Berlin"


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and zoneinfo.ZoneInfo(name) is not None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _asked(connect: Connections, domains: set[str]) -> dict[str, bool | None]:
    """Ask the resolvers for the mail servers of domains (RFC 5321, 5.1: an address will do)."""
    servers = resolvers(connect)
    found: dict[str, bool | None] = {}
    for name in sorted(domains)[:20]:
        answers = [
            answer for kind in ("MX", "A") if (answer := ask(connect, servers[0], name, kind)) is not None
        ]
        found[name] = any(answer.answer for answer in answers) if answers else None
    return found
