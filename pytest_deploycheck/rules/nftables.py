"""`nft -j list ruleset` as tables of rules; what is not understood becomes an unknown condition, never nothing.

The shapes are those of libnftables-json(5), read with nft 1.0.6 and 1.0.9.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.rules.filter_conditions import Choice, Condition
from pytest_deploycheck.rules.nftables_match import Sets, equal, match
from pytest_deploycheck.rules.packet_filter import Chain, Rule, Table

_NOTHING = frozenset(
    "counter log mangle notrack secmark set map ct\x20helper ct\x20timeout ct\x20expectation flow dup "
    "masquerade snat tproxy synproxy last".split(" ")
)
"""Statements after which the packet goes on."""
_CHOICES = frozenset({"limit", "quota", "meter", "ct count"})
_ENDS = {
    "accept": "accept",
    "drop": "drop",
    "reject": "drop",
    "return": "return",
    "queue": "unknown",
    "fwd": "drop",
}
_TEXT_MAX = 300


class NotNft(Exception):
    """The text is not what nft prints."""


def load(text: str) -> tuple[tuple[Table, ...], frozenset[tuple[str, str]]]:
    """Return the tables, and the (family, name) of those that iptables made and nft cannot show wholly."""
    try:
        entries = safe_json.loads(text)["nftables"]
        rules: dict[tuple[str, str, str], list[Rule]] = {}
        sets: dict[tuple[str, str], dict[str, Any]] = {}
        foreign = set()
        for entry in entries:
            for kind in ("set", "map"):
                if kind in entry:
                    one = entry[kind]
                    sets.setdefault((one["family"], one["table"]), {})[one["name"]] = one
        for entry in entries:
            if "rule" in entry:
                one = entry["rule"]
                place = (one["family"], one["table"])
                if any("xt" in expression for expression in one.get("expr", ())):
                    foreign.add(place)
                made = read_rule(one.get("expr", ()), Sets(sets.get(place, {})))
                rules.setdefault((*place, one["chain"]), []).extend(made)
        tables: dict[tuple[str, str], dict[str, Chain]] = {}
        for entry in entries:
            if "table" in entry:
                tables.setdefault((entry["table"]["family"], entry["table"]["name"]), {})
            if "chain" in entry:
                one = entry["chain"]
                key = (one["family"], one["table"])
                tables.setdefault(key, {})[one["name"]] = _chain(one, rules.get((*key, one["name"]), []))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotNft(f"{type(error).__name__}: {str(error)[:120]}") from None
    return tuple(Table(family, name, chains) for (family, name), chains in tables.items()), frozenset(foreign)


def _chain(one: Mapping[str, Any], rules: Sequence[Rule]) -> Chain:
    return Chain(
        one["name"], tuple(rules), one.get("hook", ""), int(one.get("prio", 0)), one.get("policy", "accept")
    )


def read_rule(expressions: Sequence[Mapping[str, Any]], sets: Sets) -> Iterator[Rule]:
    """Yield a rule as one or, where it has a set of pairs or a map of verdicts, several."""
    text = json.dumps(list(expressions))[:_TEXT_MAX]
    ways: list[tuple[Condition, ...]] = [()]
    for expression in expressions:
        (kind, value), *_ = expression.items()
        if kind == "match":
            alternatives = match(value, sets)
            ways = [(*way, *more) for way, more in itertools.product(ways, alternatives)]
        elif kind in _CHOICES or (kind in ("set", "map") and value.get("stmt")):
            # A set that is filled with a rate or a count for each sender matches by these.
            ways = [(*way, Choice()) for way in ways]
        elif kind == "vmap":
            for way in ways:
                yield from _verdict_map(way, value, sets, text)
        elif kind in ("jump", "goto"):
            yield from (Rule(way, kind, target=str(value["target"]), text=text) for way in ways)
        elif kind in _ENDS:
            yield from (Rule(way, _ENDS[kind], text=text) for way in ways)
        elif kind in ("dnat", "redirect"):
            yield from (Rule(way, kind, port=_port(value), text=text) for way in ways)
        elif kind == "xt" and (value or {}).get("type") == "match":
            ways = [(*way, Condition()) for way in ways]
        elif kind == "xt":
            # A target of iptables, such as LOG or REJECT, whose kind alone is told.
            if str((value or {}).get("name", "")) not in ("LOG", "NFLOG", "MARK", "CT", "SET", "TCPMSS"):
                yield from (Rule(way, "unknown", text=text) for way in ways)
        elif kind not in _NOTHING:
            ways = [(*way, Condition()) for way in ways]


def _port(value: Any) -> int:
    """Return the port that a destination is rewritten to, 0 where it stays or is one of several."""
    port = value.get("port") if isinstance(value, Mapping) else None
    return port if isinstance(port, int) else 0


def _verdict_map(way: tuple[Condition, ...], value: Any, sets: Sets, text: str) -> Iterator[Rule]:
    pairs = sets.elements(value["data"])
    for pair in pairs or ():
        key, verdict = pair
        (kind, then), *_ = verdict.items()
        for more in equal(value["key"], key, sets):
            conditions = (*way, *more)
            if kind in ("jump", "goto"):
                yield Rule(conditions, kind, target=str(then["target"]), text=text)
            else:
                yield Rule(conditions, _ENDS.get(kind, ""), text=text)
    if pairs is None:
        yield Rule((*way, Condition()), "unknown", text=text)
