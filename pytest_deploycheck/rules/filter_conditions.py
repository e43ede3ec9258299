"""Conditions of packet filter rules, and whether the first packet of a stranger meets them.

A stranger is anybody on the internet: new connection, any source address that nobody listed, any source port,
by the interface of the default route. What he may choose (`CHOICE`) he chooses as it suits him.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase

from pytest_deploycheck.rules import ports

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
WIDE = {4: 1 << 24, 6: 1 << 112}
"""Addresses beyond which a list of sources counts as the public (own): an eighth bit of the address space."""


class Met(IntEnum):
    """Whether a condition holds. UNKNOWN is for conditions that are not understood."""

    NO = 0
    YES = 1
    CHOICE = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Packet:
    """The packet that is followed: its family, its protocol, and the interfaces that the public comes by.

    interfaces: None where they are not known.  translated: its destination was rewritten on the way in.
    """

    family: int
    protocol: str
    interfaces: tuple[str, ...] | None = None
    translated: bool = False


@dataclass(frozen=True)
class Condition:
    """One condition. `ports` are the destination ports that can meet it; all where it is not about them."""

    negated: bool = False

    def met(self, packet: Packet) -> tuple[int, Met]:
        """Return the destination ports for which it may hold, and whether it does."""
        found = self.holds(packet)
        if self.negated and found in (Met.NO, Met.YES):
            found = Met.YES if found is Met.NO else Met.NO
        return ports.ALL, found

    def holds(self, packet: Packet) -> Met:
        """Whether it holds, without its negation."""
        return Met.UNKNOWN


@dataclass(frozen=True)
class Unknown(Condition):
    """A condition that is not understood."""

    text: str = ""


@dataclass(frozen=True)
class Choice(Condition):
    """A condition that holds now and then, or as the sender likes: rates, counts, source ports."""

    def holds(self, packet: Packet) -> Met:
        """Say that it does if one tries."""
        return Met.CHOICE


@dataclass(frozen=True)
class Never(Condition):
    """A condition that no first packet of a stranger meets, such as having come through IPsec."""

    def holds(self, packet: Packet) -> Met:
        """Say that it does not."""
        return Met.NO


@dataclass(frozen=True)
class Port(Condition):
    """The destination port is one of a set, of one of some protocols (any, where none is named)."""

    among: int = 0
    protocols: tuple[str, ...] = ()

    def met(self, packet: Packet) -> tuple[int, Met]:
        """Return the ports themselves."""
        if self.protocols and packet.protocol not in self.protocols:
            return 0, Met.NO
        among = ports.ALL & ~self.among if self.negated else self.among
        return among, Met.YES if among else Met.NO


@dataclass(frozen=True)
class Protocol(Condition):
    """The transport protocol, by name or number."""

    names: frozenset[str] = frozenset()

    def holds(self, packet: Packet) -> Met:
        """Compare by name, or by the number of IANA's registry."""
        number = {"tcp": "6", "udp": "17"}[packet.protocol]
        return Met.YES if self.names & {packet.protocol, number, "all", "0"} else Met.NO


@dataclass(frozen=True)
class Family(Condition):
    """IPv4 or IPv6."""

    families: frozenset[int] = frozenset()

    def holds(self, packet: Packet) -> Met:
        """Compare by number."""
        return Met.YES if packet.family in self.families else Met.NO


@dataclass(frozen=True)
class Source(Condition):
    """The sender's address is in one of some networks."""

    networks: tuple[Network, ...] = ()

    def met(self, packet: Packet) -> tuple[int, Met]:
        """Put a stranger in no network that was listed, unless the list covers much of the internet."""
        own = [network for network in self.networks if network.version == packet.family]
        if self.networks and not own:
            return ports.ALL, Met.NO  # a match on the other family's header fails, negated or not
        if any(network.prefixlen == 0 for network in own):
            found = Met.YES
        else:
            public = sum(network.num_addresses for network in own if not _inner(network))
            found = Met.CHOICE if public > WIDE[packet.family] else Met.NO
        if self.negated and found is not Met.CHOICE:
            found = Met.YES if found is Met.NO else Met.NO
        return ports.ALL, found


@dataclass(frozen=True)
class Destination(Condition):
    """The receiver's address is in one of some networks; which addresses a server has is not known here."""

    networks: tuple[Network, ...] = ()

    def met(self, packet: Packet) -> tuple[int, Met]:
        """Let nobody outside reach loopback or link-local addresses, or groups."""
        own = [network for network in self.networks if network.version == packet.family]
        if self.networks and not own:
            return ports.ALL, Met.NO
        if any(network.prefixlen == 0 for network in own):
            found = Met.YES
        else:
            found = Met.NO if all(map(_elsewhere, own)) else Met.CHOICE
        if self.negated and found is not Met.CHOICE:
            found = Met.YES if found is Met.NO else Met.NO
        return ports.ALL, found


@dataclass(frozen=True)
class Incoming(Condition):
    """It came in by one of some interfaces; names may be patterns."""

    names: tuple[str, ...] = ()

    def holds(self, packet: Packet) -> Met:
        """Let the public come by the interface of the default route, and never by loopback."""
        if all(name == "lo" for name in self.names):
            return Met.NO
        if packet.interfaces is None:
            return Met.UNKNOWN
        return (
            Met.YES
            if any(fnmatchcase(real, name) for real in packet.interfaces for name in self.names)
            else Met.NO
        )


@dataclass(frozen=True)
class State(Condition):
    """What connection tracking says: the first packet of a connection is new."""

    names: frozenset[str] = frozenset()

    def holds(self, packet: Packet) -> Met:
        """Take it for new, untracked, or rewritten."""
        if self.names & {"new", "untracked"} or (packet.translated and "dnat" in self.names):
            return Met.YES
        return Met.NO


@dataclass(frozen=True)
class Flags(Condition):
    """TCP flags: of those in `mask` exactly `wanted` are set; the first packet has SYN alone."""

    mask: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()

    def holds(self, packet: Packet) -> Met:
        """Compare with SYN alone; other protocols have no flags."""
        if packet.protocol != "tcp":
            return Met.NO
        return Met.YES if {"syn"} & self.mask == self.wanted else Met.NO


@dataclass(frozen=True)
class AddressType(Condition):
    """The kind of the destination (local, broadcast, multicast, …) as the routing table has it."""

    names: frozenset[str] = frozenset()

    def holds(self, packet: Packet) -> Met:
        """Take what comes in as being for this machine itself."""
        return Met.YES if self.names & {"local", "unicast"} else Met.NO


def networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Return networks written as addresses, prefixes or ranges (`a-b`); ValueError for anything else."""
    found: list[Network] = []
    for word in words:
        low, dash, high = word.partition("-")
        if dash:
            first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
            found += ipaddress.summarize_address_range(first, last)
        else:
            found.append(ipaddress.ip_network(word, strict=False))
    return tuple(found)


def _inner(network: Network) -> bool:
    return network.is_private or network.is_link_local or network.is_loopback or network.is_multicast


def _elsewhere(network: Network) -> bool:
    broadcast = str(network) == "255.255.255.255/32"
    return network.is_loopback or network.is_multicast or network.is_link_local or broadcast
