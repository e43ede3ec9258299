"""The matches of nftables' rules as conditions: ports, addresses, interfaces, states, flags."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.rules import ports
from pytest_deploycheck.rules.filter_conditions import (
    AddressType,
    Choice,
    Condition,
    Destination,
    Family,
    Flags,
    Incoming,
    Never,
    Port,
    Protocol,
    Source,
    State,
    Unknown,
    networks,
)

Ways = list[tuple[Condition, ...]]
"""Alternatives, each a conjunction: a rule matches when one of them holds."""
_TRANSPORTS = ("tcp", "udp", "th", "sctp", "dccp", "udplite")
_FAMILIES = {"ipv4": 4, "ip": 4, "ipv6": 6, "ip6": 6}
_BY_CHOICE = frozenset({"exthdr", "rt", "numgen", "jhash", "symhash", "osf"})
_HEADER_CHOICES = frozenset(
    {"ttl", "hoplimit", "length", "dscp", "ecn", "id", "frag-off", "flowlabel", "version"}
)
_FLAG_BITS = {0x01: "fin", 0x02: "syn", 0x04: "rst", 0x08: "psh", 0x10: "ack", 0x20: "urg"}


class NotUnderstood(Exception):
    """A match has a form that is not known here."""


@dataclass(frozen=True)
class Sets:
    """The named sets and maps of a table."""

    named: Mapping[str, Any]

    def elements(self, value: Any) -> list[Any] | None:
        """Return the elements of a set, written out or named; None for a name that is not there."""
        if isinstance(value, str) and value.startswith("@"):
            found = self.named.get(value[1:])
            return None if found is None else [_bare(one) for one in found.get("elem", ())]
        if isinstance(value, Mapping) and "set" in value:
            value = value["set"]
        values = value if isinstance(value, list) else [value]
        return [_bare(one) for one in values]


def _bare(element: Any) -> Any:
    """Take an element out of its clothes: timeouts, counters, comments."""
    if isinstance(element, Mapping) and "elem" in element:
        return element["elem"]["val"]
    return element


def match(value: Mapping[str, Any], sets: Sets) -> Ways:
    """Return the conditions of one match expression."""
    op, left, right = str(value["op"]), value["left"], value["right"]
    try:
        if isinstance(left, Mapping) and "concat" in left:
            if op not in ("==", "in"):
                raise NotUnderstood
            elements = sets.elements(right)
            if elements is None:
                raise NotUnderstood
            return [way for element in elements for way in equal(left, element, sets)]
        return [(_condition(op, left, right, sets),)]
    except (NotUnderstood, ValueError, KeyError, TypeError):
        return [(Unknown(text=str(value)[:120]),)]


def equal(left: Any, element: Any, sets: Sets) -> Ways:
    """Return the conditions under which an expression equals one element of a set or map."""
    try:
        if isinstance(left, Mapping) and "concat" in left:
            parts = element["concat"] if isinstance(element, Mapping) else element
            if len(parts) != len(left["concat"]):
                raise NotUnderstood
            return [
                tuple(
                    _condition("==", one, [part], sets)
                    for one, part in zip(left["concat"], parts, strict=True)
                )
            ]
        return [(_condition("==", left, [element], sets),)]
    except (NotUnderstood, ValueError, KeyError, TypeError):
        return [(Unknown(text=f"{left} {element}"[:120]),)]


def _condition(op: str, left: Any, right: Any, sets: Sets) -> Condition:
    (kind, value), *_ = left.items()
    if kind == "&":
        return _masked(op, value, right)
    if kind == "payload":
        return _payload(op, value, right, sets)
    if kind == "fib" and value.get("result") == "type":
        return AddressType(op == "!=", _names(sets, right))
    if kind == "fib" and isinstance(right, bool):
        # No way back to the sender: a stranger has one, by the interface that he came by.
        return Never(right != (op == "!="))
    if kind in _BY_CHOICE:
        return Choice()
    if kind in ("meta", "ct"):
        return _by_key(f"{kind} {value['key']}", op, right, sets)
    raise NotUnderstood


def _by_key(key: str, op: str, right: Any, sets: Sets) -> Condition:
    negated = op == "!="
    makers: dict[str, Callable[[frozenset[str]], Condition]] = {
        "meta iifname": lambda names: Incoming(negated, tuple(names)),
        "meta iif": lambda names: Incoming(negated, tuple(names)),
        "meta l4proto": lambda names: Protocol(negated, names),
        "meta nfproto": lambda names: Family(negated, _families(names)),
        "meta protocol": lambda names: Family(negated, _families(names)),
        "ct state": lambda names: State(negated, names),
        "ct status": lambda names: State(negated, names),
        "meta pkttype": lambda names: AddressType(
            negated, frozenset({"host": "local"}.get(n, n) for n in names)
        ),
        "ct direction": lambda names: Never(negated != ("original" in names)),
        **{f"meta {name}": lambda names: Choice() for name in ("length", "time", "day", "hour", "random")},
        # By which way it will leave depends on where it is sent on to.
        "meta oifname": lambda names: Choice(),
        "meta oif": lambda names: Choice(),
        "meta secpath": lambda names: Never(),
    }
    if key not in makers:
        raise NotUnderstood
    return makers[key](_names(sets, right))


def _payload(op: str, value: Mapping[str, Any], right: Any, sets: Sets) -> Condition:
    protocol, name = str(value["protocol"]), str(value["field"])
    negated = op == "!="
    if name == "dport" and protocol in _TRANSPORTS:
        among = _ports(op, right, sets)
        return Port(negated, among, () if protocol == "th" else (protocol,))
    if name == "sport" and protocol in _TRANSPORTS:
        return Choice()
    if protocol in ("ip", "ip6") and name in ("saddr", "daddr"):
        found = networks(_address(one) for one in _known(sets, right))
        return (Source if name == "saddr" else Destination)(negated, found)
    if protocol in ("ip", "ip6") and name in _HEADER_CHOICES:
        return Choice()
    if (protocol, name) in (("ip", "protocol"), ("ip6", "nexthdr")):
        return Protocol(negated, _names(sets, right))
    if protocol in ("icmp", "icmpv6", "igmp", "esp", "ah", "comp", "arp"):
        return Never()
    if protocol == "tcp" and name == "flags":
        wanted = _flags(right)
        if op in ("in", "=="):
            # `tcp flags syn` means that syn is among those set; with `==` they are all.
            every = frozenset(_FLAG_BITS.values())
            only = frozenset({"syn"})
            return Flags(False, wanted & only if op == "in" else every, only if op == "in" else wanted)
    raise NotUnderstood


def _masked(op: str, sides: Sequence[Any], right: Any) -> Condition:
    """Read `tcp flags & (fin | syn) == syn`."""
    what, mask = sides
    header = what.get("payload", {}).get("field") if isinstance(what, Mapping) else ""
    if header in _HEADER_CHOICES:
        return Choice()
    if what != {"payload": {"protocol": "tcp", "field": "flags"}} or op not in ("==", "!="):
        raise NotUnderstood
    return Flags(op == "!=", _flags(mask), _flags(right))


def _flags(value: Any) -> frozenset[str]:
    if isinstance(value, int):
        return frozenset(name for bit, name in _FLAG_BITS.items() if value & bit)
    if isinstance(value, str):
        return frozenset({value})
    if isinstance(value, Mapping) and "|" in value:
        value = value["|"]
    return frozenset().union(*(_flags(one) for one in value))


def _known(sets: Sets, right: Any) -> list[Any]:
    elements = sets.elements(right)
    if elements is None:
        raise NotUnderstood
    return elements


def _names(sets: Sets, right: Any) -> frozenset[str]:
    return frozenset(str(one) for one in _known(sets, right))


def _families(names: frozenset[str]) -> frozenset[int]:
    return frozenset(_FAMILIES[name] for name in names if name in _FAMILIES)


def _ports(op: str, right: Any, sets: Sets) -> int:
    if op in ("<", "<=", ">", ">="):
        number = int(right)
        return {
            "<": ports.span(0, number - 1),
            "<=": ports.span(0, number),
            ">": ports.span(number + 1, 65535),
            ">=": ports.span(number, 65535),
        }[op]
    found = 0
    for one in _known(sets, right):
        if isinstance(one, Mapping):
            low, high = one["range"]
            found |= ports.span(int(low), int(high))
        else:
            found |= ports.span(int(one), int(one))
    return found


def _address(one: Any) -> str:
    if isinstance(one, str):
        ipaddress.ip_network(one, strict=False)
        return one
    if "prefix" in one:
        return f"{one['prefix']['addr']}/{one['prefix']['len']}"
    low, high = one["range"]
    return f"{low}-{high}"
