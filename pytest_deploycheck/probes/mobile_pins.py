"""The pins probe: keys that the apps demand of hosts, beside those that the hosts serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.handshake import look
from pytest_deploycheck.probes.tls import endpoints
from pytest_deploycheck.transports.names import addresses_of
from pytest_deploycheck.transports.parallel import each

if TYPE_CHECKING:
    from pytest_deploycheck.probes.mobile import MobileFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

HOSTS_MAX = 8
Chains = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PinnedKeys:
    """A host that a file pins. served: digests of the keys of each address' chain, leaf first.

    asked: the host is one of the target's TLS endpoints; others are not asked.  why: why there was no handshake.
    """

    file: str
    host: str
    pinned: tuple[str, ...]
    expiration: str
    asked: bool
    served: Chains
    why: str


@dataclass(frozen=True)
class MobilePinsFacts:
    """Every pinned host of every file; apps: how many files there are."""

    apps: int
    hosts: tuple[PinnedKeys, ...]


@probe(facts=MobilePinsFacts, deadline=20, needs=("net_gate",), uses={"edge": "handshake", "dns": "query"})
def mobile_pins(target: Target, connect: Connections, mobile_facts: MobileFacts) -> MobilePinsFacts:
    """Shake hands with the hosts that the apps pin, where there are any."""
    wanted = [(app.file, pins) for app in mobile_facts.apps for pins in app.pins][:HOSTS_MAX]
    ports = dict(endpoints(target)) if wanted else {}
    seen: dict[str, tuple[Chains, str]] = {}
    for host in dict.fromkeys(pins.host for _, pins in wanted):
        if host in ports:
            seen[host] = _served(target, connect, host, ports[host])
    found = []
    for file, pins in wanted:
        chains, why = seen.get(pins.host, ((), ""))
        found.append(
            PinnedKeys(file, pins.host, pins.digests, pins.expiration, pins.host in seen, chains, why)
        )
    return MobilePinsFacts(len(mobile_facts.apps), tuple(found))


def _served(target: Target, connect: Connections, host: str, port: int) -> tuple[Chains, str]:
    import certifi

    store = str(target.file(target.target.ca_file)) if target.target.ca_file else certifi.where()
    places = addresses_of(target, connect, host)
    found = each(lambda address: look(connect, host, port, address, store), places)
    chains = tuple(tuple(one.spki_sha256 for one in served.chain) for served in found if served.chain)
    return chains, "; ".join(served.error for served in found if served.error)[:200]
