"""What a packet filter lets strangers reach: rules followed as the kernel does, for all ports at once.

Each port is followed as "surely here" or "perhaps here" (behind a condition that is not understood). What
surely passes is open; what perhaps passes is unresolved, and proves nothing either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pytest_deploycheck.rules import ports
from pytest_deploycheck.rules.filter_conditions import Condition, Met, Packet

DEPTH_MAX = 32
"""Jumps within jumps; the kernel allows sixteen."""
IN_HOOKS = ("ingress", "prerouting")


@dataclass(frozen=True)
class Rule:
    """One rule: what follows where all its conditions hold.

    verdict: accept, drop, return, jump, goto, dnat, redirect, unknown (decided elsewhere, such as by a program) or
    nothing, where the packet goes on.  target: the chain of a jump.  port: the new destination port, 0 to
    keep it.
    """

    conditions: tuple[Condition, ...]
    verdict: str
    target: str = ""
    port: int = 0
    text: str = ""


@dataclass(frozen=True)
class Chain:
    """A chain; those with a hook are where packets start, in the order of their priority."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: str = ""
    priority: int = 0
    policy: str = "accept"


@dataclass(frozen=True)
class Table:
    """A table: its family (ip, ip6, inet, netdev), its name, its chains by name."""

    family: str
    name: str
    chains: Mapping[str, Chain]

    def covers(self, family: int) -> bool:
        """Whether packets of IPv4 or IPv6 come through it."""
        return self.family in ("inet", "netdev", {4: "ip", 6: "ip6"}[family])


@dataclass
class Seen:
    """Ports that are surely and perhaps somewhere."""

    sure: int = 0
    perhaps: int = 0

    def add(self, other: Seen) -> None:
        """Take in what another has."""
        self.sure |= other.sure
        self.perhaps |= other.perhaps

    def within(self, mask: int) -> Seen:
        """Return the part that is in a set of ports."""
        return Seen(self.sure & mask, self.perhaps & mask)

    def without(self, mask: int) -> Seen:
        """Return the part that is not."""
        return Seen(self.sure & ~mask, self.perhaps & ~mask)

    def doubted(self) -> Seen:
        """Return it with every port as a perhaps."""
        return Seen(0, self.sure | self.perhaps)


@dataclass
class Fate:
    """What became of ports in a chain: accepted, sent on to another address or port, or still there."""

    accepted: Seen = field(default_factory=Seen)
    sent: list[tuple[Rule, Seen]] = field(default_factory=list)
    left: Seen = field(default_factory=Seen)
    doubts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Openness:
    """What strangers reach by one protocol of one family.

    open: ports that are let in.  unresolved: ports of which that is not certain, with the rules in doubt.
    sent: those of the open ports that are handed on to another address or port.
    """

    open: int
    unresolved: int
    sent: int
    doubts: tuple[str, ...]


def openness(tables: Iterable[Table], packet: Packet) -> Openness:
    """Return what a ruleset lets in: past every chain on the way, handed on or received by the server."""
    own = [table for table in tables if table.covers(packet.family)]
    doubts: list[str] = []
    arriving = Seen(ports.ALL)
    sent: list[tuple[Rule, Seen]] = []
    for table, chain in _hooked(own, IN_HOOKS):
        fate = _base(table, chain, packet, arriving)
        arriving = fate.accepted
        sent += fate.sent
        doubts += fate.doubts
    let_in = _pass(own, ("input",), packet, arriving, doubts)
    handed = Seen()
    for rule, which in sent:
        hook = "forward" if rule.verdict == "dnat" else "input"
        moved = Seen(*(_moved(rule, mask) for mask in (which.sure, which.perhaps)))
        through = _pass(own, (hook,), replace(packet, translated=True), moved, doubts)
        handed.add(_back(rule, which, through))
    perhaps = (let_in.perhaps | handed.perhaps) & ~(let_in.sure | handed.sure)
    return Openness(
        let_in.sure | handed.sure, perhaps, handed.sure | handed.perhaps, tuple(dict.fromkeys(doubts))
    )


def _moved(rule: Rule, mask: int) -> int:
    return ports.span(rule.port, rule.port) if rule.port and mask else mask


def _back(rule: Rule, before: Seen, after: Seen) -> Seen:
    """Return the ports that strangers use for what passed under its new port."""
    if not rule.port:
        return after
    if after.sure:
        return before
    return before.doubted() if after.perhaps else Seen()


def _hooked(tables: list[Table], hooks: tuple[str, ...]) -> list[tuple[Table, Chain]]:
    found = [(table, chain) for table in tables for chain in table.chains.values() if chain.hook in hooks]
    return sorted(found, key=lambda pair: (hooks.index(pair[1].hook), pair[1].priority))


def _pass(
    tables: list[Table], hooks: tuple[str, ...], packet: Packet, arriving: Seen, doubts: list[str]
) -> Seen:
    for table, chain in _hooked(tables, hooks):
        fate = _base(table, chain, packet, arriving)
        arriving = fate.accepted
        doubts += fate.doubts
    return arriving


def _base(table: Table, chain: Chain, packet: Packet, arriving: Seen) -> Fate:
    """Follow a chain with a hook to its policy."""
    fate = _walk(table, chain, packet, arriving, 0)
    if chain.policy == "accept":
        fate.accepted.add(fate.left)
    return fate


def _walk(table: Table, chain: Chain, packet: Packet, here: Seen, depth: int) -> Fate:
    fate = Fate()
    returned = Seen()
    for rule in chain.rules:
        mask, met = conjunction(rule.conditions, packet)
        hit = here.within(mask)
        if met is Met.NO or not (hit.sure or hit.perhaps) or not rule.verdict:
            continue
        if met is Met.UNKNOWN:
            hit = hit.doubted()
        before = here
        if met is Met.YES:
            here = here.without(mask)
        elif met is Met.UNKNOWN and rule.verdict not in ("accept", "unknown", "dnat", "redirect"):
            # Whether it was taken away here is not known; what is accepted either way stays sure.
            here = Seen(before.sure & ~mask, before.perhaps | (before.sure & mask))
        if met is Met.UNKNOWN or rule.verdict == "unknown":
            fate.doubts.append(rule.text)
        match rule.verdict:
            case "accept":
                fate.accepted.add(hit)
            case "unknown":
                fate.accepted.add(hit.doubted())
            case "dnat" | "redirect":
                fate.sent.append((rule, hit))
            case "return":
                returned.add(hit)
            case "jump" | "goto":
                inner = _inner(table, rule, packet, hit, depth)
                fate.accepted.add(inner.accepted)
                fate.sent += inner.sent
                fate.doubts += inner.doubts
                (returned if rule.verdict == "goto" else here).add(inner.left)
    here.add(returned)
    fate.left = here
    return fate


def _inner(table: Table, rule: Rule, packet: Packet, hit: Seen, depth: int) -> Fate:
    chain = table.chains.get(rule.target)
    if chain is None or depth >= DEPTH_MAX:
        return Fate(left=hit.doubted(), doubts=[rule.text])
    return _walk(table, chain, packet, hit, depth + 1)


def conjunction(conditions: tuple[Condition, ...], packet: Packet) -> tuple[int, Met]:
    """Return for which ports all conditions may hold together, and whether they do."""
    mask, worst = ports.ALL, Met.YES
    for condition in conditions:
        among, met = condition.met(packet)
        mask &= among
        if met is Met.NO or not mask:
            return 0, Met.NO
        worst = max(worst, met)
    return mask, worst
