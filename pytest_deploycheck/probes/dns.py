"""The DNS probe: where each name leads, by public resolvers and by the zone's own servers, and who vouches for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes.dns_zone import Answer, Caa, Looker, NameServer, authentic, rcode_of
from pytest_deploycheck.rules.caa import names_of
from pytest_deploycheck.transports.dns import resolvers
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

HOSTS = Path("/etc/hosts")


@dataclass(frozen=True)
class Secured:
    """What DNSSEC says of a zone.

    delegated: the zone above names its key (DS), None where that could not be seen.  authentic: a resolver that
    validates vouches for the zone.  bogus: a validating resolver refuses what another question shows it has.
    validators: how many of the resolvers validate at all.
    """

    delegated: bool | None
    authentic: bool
    bogus: bool
    validators: int


@dataclass(frozen=True)
class Registered:
    """What the registry says of the registered name: its end, empty where the registry publishes none.

    problem: why it could not be asked.
    """

    domain: str
    expires_at: str
    problem: str


@dataclass(frozen=True)
class Domain:
    """One name.

    zone: the zone that holds it, empty when none was found.  hosts_file: where this machine's hosts file
    sends it, whatever DNS says.  registered: None where `dns.rdap` is empty.
    """

    name: str
    zone: str
    answers: tuple[Answer, ...]
    servers: tuple[NameServer, ...]
    caa: Caa | None
    secured: Secured
    registered: Registered | None
    hosts_file: tuple[str, ...]


@dataclass(frozen=True)
class DnsFacts:
    """Every name of the deployment.

    expected: addresses, or networks, that they may lead to.  issuers: CAA names of the authorities that are
    allowed in the target file; empty where it names none.
    """

    domains: tuple[Domain, ...]
    expected: tuple[str, ...]
    proxied: bool
    issuers: tuple[str, ...]
    require_caa: bool
    require_dnssec: bool


@probe(facts=DnsFacts, deadline=20, uses={"dns": "query", "rdap": "GET"})
def dns(target: Target, connect: Connections) -> DnsFacts:
    """Ask resolvers and the zones' own servers for every name, its CAA and its DNSSEC."""
    names = [name for name in target.public_names if not name.startswith("*")]
    if not names:
        raise CannotLook(Reason.NO_CONFIG, f"no name to look up in {target.path.name}; add target.domains")
    looker = Looker(connect, resolvers(connect), target.dns.authoritative_port)
    if looker.one(names[0], "A") is None:
        raise CannotLook(
            Reason.NO_ACCESS,
            f"none of dns.resolvers answers ({', '.join(target.dns.resolvers)}); name some that this machine reaches",
        )
    zones: dict[str, tuple[Secured, Registered | None]] = {}
    domains = []
    for name in names:
        zone = looker.zone(name)
        if zone not in zones:
            registered = _registered(connect, zone) if target.dns.rdap and zone else None
            zones[zone] = (_secured(looker, zone or name, names[0]), registered)
        domains.append(
            Domain(
                name=name,
                zone=zone,
                answers=looker.answers(name, zone),
                servers=looker.servers(zone) if zone else (),
                caa=looker.caa(name),
                secured=zones[zone][0],
                registered=zones[zone][1],
                hosts_file=tuple(_in_hosts_file(name)),
            )
        )
    section = target.dns
    return DnsFacts(
        domains=tuple(domains),
        expected=tuple(section.expected_ips),
        proxied=section.proxied,
        issuers=tuple(section.caa_issuers) or names_of(target.cert.allowed_issuers),
        require_caa=section.require_caa,
        require_dnssec=section.require_dnssec,
    )


def _secured(looker: Looker, zone: str, name: str) -> Secured:
    """Ask for the delegation's key, and each resolver for the zone with and without its checking."""
    delegation = looker.one(zone, "DS")
    known = delegation is not None and rcode_of(delegation) in ("NOERROR", "NXDOMAIN")
    delegated = any(records.rdtype == 43 for records in delegation.answer) if known and delegation else None
    vouched = bogus = False
    validators = 0
    for place in looker.resolvers:
        checked = looker.ask(place, zone, "SOA")
        if checked is not None and rcode_of(checked) == "SERVFAIL":
            unchecked = looker.ask(place, zone, "SOA", checking_disabled=True)
            bogus = bogus or (unchecked is not None and rcode_of(unchecked) == "NOERROR")
        # The root is signed, so that a resolver which does not vouch for it vouches for nothing.
        validates = authentic(looker.ask(place, ".", "SOA"))
        validators += validates
        vouched = vouched or (validates and authentic(checked))
    return Secured(delegated, vouched, bogus, validators)


def _registered(connect: Connections, zone: str) -> Registered:
    """Ask the registry (RDAP, RFC 9082 and 9083) when the zone's registration ends."""
    labels = zone.split(".")
    for first in range(max(1, len(labels) - 1)):
        domain = ".".join(labels[first:])
        try:
            document = _rdap(connect, f"/domain/{domain}")
        except (Dead, CannotLook) as why:
            return Registered(domain, "", why.message)
        if document is not None:
            ends = [
                str(event.get("eventDate", ""))
                for event in document.get("events", ())
                if isinstance(event, dict) and event.get("eventAction") == "expiration"
            ]
            return _ending(domain, ends[0] if ends else "")
    return Registered(zone, "", "")


def _ending(domain: str, end: str) -> Registered:
    """Read the moment that a registry tells (RFC 3339)."""
    if not end:
        return Registered(domain, "", "")
    try:
        moment = datetime.fromisoformat(end)
    except ValueError:
        return Registered(domain, "", f"it tells no moment that can be read: {end[:40]!r}")
    return Registered(domain, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(), "")


def _rdap(connect: Connections, path: str) -> dict[str, Any] | None:
    """Return the registry's document, None where it knows no such name; one redirect leads to the registry."""
    answer = connect.http("rdap").get(path)
    if answer.status in (301, 302, 303, 307, 308):
        url = urlsplit(answer.header("location") or "")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise CannotLook(Reason.UNPARSEABLE, f"{answer.url} redirects to nowhere")
        answer = connect.http("rdap", base=f"{url.scheme}://{url.netloc}").get(url.path)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise CannotLook(Reason.NO_ACCESS, f"{answer.url} answers {answer.status}")
    document = answer.json()
    if not isinstance(document, dict):
        raise CannotLook(Reason.UNPARSEABLE, f"{answer.url} answers no RDAP object")
    return document


def _in_hosts_file(name: str) -> Iterator[str]:
    try:
        lines = HOSTS.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if name.lower() in (one.lower() for one in names):
            yield address
