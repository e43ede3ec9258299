"""Questions about names and zones to resolvers and name servers, as facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_deploycheck.rules.caa import Property
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.dns import Server, ask
from pytest_deploycheck.transports.parallel import each

A, NS, CNAME, SOA, AAAA, DS, CAA = 1, 2, 5, 6, 28, 43, 257
_KINDS = {A: "A", NS: "NS", SOA: "SOA", AAAA: "AAAA", DS: "DS", CAA: "CAA"}


@dataclass(frozen=True)
class Answer:
    """What one server says of a name.

    server: its name and address.  authoritative: it is one of the zone's own, and says so.  rcode: NOERROR,
    NXDOMAIN, SERVFAIL, …; empty where no answer came.  aliases: the CNAME chain.  ends: the chain's end is in
    the answer, so that `addresses` are all there are.  ttl_s: the longest of its records, None without any.
    """

    server: str
    authoritative: bool
    rcode: str
    aliases: tuple[str, ...]
    addresses: tuple[str, ...]
    ends: bool
    ttl_s: int | None


@dataclass(frozen=True)
class NameServer:
    """One of a zone's own servers; answers: some address of it answers authoritatively for the zone."""

    name: str
    addresses: tuple[str, ...]
    answers: bool


@dataclass(frozen=True)
class Caa:
    """The record set that counts for a name (RFC 8659, section 3), and the name that it was found at."""

    domain: str
    properties: tuple[Property, ...]


@dataclass
class Looker:
    """Asks, remembers what belongs to whole zones, and asks nobody again who said nothing."""

    connect: Connections
    resolvers: list[Server]
    port: int
    _silent: set[Server] = field(default_factory=set)
    _zones: dict[str, str] = field(default_factory=dict)
    _servers: dict[str, tuple[NameServer, ...]] = field(default_factory=dict)

    def ask(self, place: Server, name: str, kind: str, **options: bool) -> Any | None:
        """Return a server's answer, None from one that was silent before."""
        if place in self._silent:
            return None
        answer = ask(self.connect, place, name, kind, **options)
        if answer is None:
            self._silent.add(place)
        return answer

    def one(self, name: str, kind: str, *, checking_disabled: bool = True) -> Any | None:
        """Return the answer of the first resolver that has one other than a failure."""
        last = None
        for place in self.resolvers:
            last = self.ask(place, name, kind, checking_disabled=checking_disabled) or last
            if last is not None and last.rcode() in (0, 3):
                return last
        return last

    def zone(self, name: str) -> str:
        """Return the name of the zone that holds a name: where the SOA is; empty when none was found."""
        labels = name.rstrip(".").split(".")
        for first in range(len(labels)):
            candidate = ".".join(labels[first:])
            if candidate not in self._zones:
                found = self.one(candidate, "SOA")
                own = found is not None and any(_is(records, candidate, SOA) for records in found.answer)
                self._zones[candidate] = candidate if own else ""
            if self._zones[candidate]:
                return candidate
        return ""

    def servers(self, zone: str) -> tuple[NameServer, ...]:
        """Return the zone's own servers and which of them answer for it."""
        if zone not in self._servers:
            found = self.one(zone, "NS")
            names = sorted(
                str(record.target).rstrip(".").lower()
                for records in (found.answer if found is not None else ())
                if _is(records, zone, NS)
                for record in records
            )
            self._servers[zone] = tuple(each(lambda name: self._server(zone, name), names))
        return self._servers[zone]

    def _server(self, zone: str, name: str) -> NameServer:
        found = [self.one(name, kind) for kind in ("A", "AAAA")]
        places = tuple(sorted(address for one in found for address in addresses(one)))
        answers = False
        for address in places:
            answer = self.ask((address, self.port), zone, "SOA", recursion=False)
            answers = answers or (answer is not None and answer.rcode() == 0 and _is_authoritative(answer))
        return NameServer(name, places, answers)

    def answers(self, name: str, zone: str) -> tuple[Answer, ...]:
        """Return what every resolver and every address of the zone's own servers says of a name."""
        wanted = [(_place(one), one, True) for one in self.resolvers]
        wanted += [
            (f"{server.name} ({address})", (address, self.port), False)
            for server in self.servers(zone)
            if server.answers
            for address in server.addresses
        ]
        found = each(lambda task: self._answer(name, *task), wanted)
        return tuple(one for one in found if one.rcode or not one.authoritative)

    def _answer(self, name: str, shown: str, place: Server, recursion: bool) -> Answer:
        both = [self.ask(place, name, kind, recursion=recursion) for kind in ("A", "AAAA")]
        came = [one for one in both if one is not None]
        bad = [one for one in came if one.rcode() != 0]
        rcode = rcode_of(bad[0] if bad else came[0]) if came else ""
        aliases = tuple(dict.fromkeys(alias for one in came for alias in _aliases(one, name)))
        where = sorted({address for one in came for address in addresses(one)})
        ttls = [records.ttl for one in came for records in one.answer if records.rdtype in (A, AAAA, CNAME)]
        return Answer(
            server=shown,
            authoritative=not recursion,
            rcode=rcode,
            aliases=aliases,
            addresses=tuple(where),
            ends=bool(where) or not aliases,
            ttl_s=max(ttls) if ttls else None,
        )

    def caa(self, name: str) -> Caa | None:
        """Return the CAA record set that counts: of the name, or of the nearest name above it."""
        labels = name.rstrip(".").split(".")
        for first in range(len(labels)):
            candidate = ".".join(labels[first:])
            found = self.one(candidate, "CAA")
            properties = tuple(
                (
                    int(record.flags),
                    record.tag.decode("ascii", "replace"),
                    record.value.decode("utf-8", "replace"),
                )
                for records in (found.answer if found is not None else ())
                if records.rdtype == CAA
                for record in records
            )
            if properties:
                return Caa(candidate, tuple(sorted(properties)))
        return None


def addresses(answer: Any | None) -> list[str]:
    """Return the addresses in an answer."""
    sets = answer.answer if answer is not None else ()
    return [str(record) for records in sets if records.rdtype in (A, AAAA) for record in records]


def rcode_of(answer: Any) -> str:
    """Return a response code by its name."""
    import dns.rcode

    return dns.rcode.to_text(answer.rcode())


def authentic(answer: Any | None) -> bool:
    """Whether a resolver vouches for an answer (RFC 4035, section 3.2.3)."""
    import dns.flags

    return answer is not None and bool(answer.flags & dns.flags.AD)


def _is_authoritative(answer: Any) -> bool:
    import dns.flags

    return bool(answer.flags & dns.flags.AA)


def _is(records: Any, name: str, kind: int) -> bool:
    return records.rdtype == kind and str(records.name).rstrip(".").lower() == name.rstrip(".").lower()


def _aliases(answer: Any, name: str) -> list[str]:
    """Follow the CNAME chain in an answer."""
    targets = {
        str(records.name).rstrip(".").lower(): str(records[0].target).rstrip(".").lower()
        for records in answer.answer
        if records.rdtype == CNAME
    }
    found: list[str] = []
    current = name.rstrip(".").lower()
    while current in targets and targets[current] not in found:
        current = targets[current]
        found.append(current)
    return found


def _place(server: Server) -> str:
    address, port = server
    return address if port == 53 else f"{address} port {port}"
