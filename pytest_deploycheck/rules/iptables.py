"""`iptables-save` as tables of rules, of either family; what is not understood becomes an unknown condition."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from pytest_deploycheck.rules import ports
from pytest_deploycheck.rules.filter_conditions import (
    AddressType,
    Choice,
    Condition,
    Destination,
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
from pytest_deploycheck.rules.packet_filter import Chain, Rule, Table

_HOOKS = {"INPUT": "input", "FORWARD": "forward", "PREROUTING": "prerouting"}
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_TARGETS = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "drop",
    "TARPIT": "drop",
    "RETURN": "return",
    "DNAT": "dnat",
    "REDIRECT": "redirect",
}
_GO_ON = frozenset(
    "LOG NFLOG ULOG MARK CONNMARK CONNSECMARK SECMARK TCPMSS CT NOTRACK SET CLASSIFY CHECKSUM AUDIT TRACE TTL HL TOS "
    "DSCP IDLETIMER LED RATEEST TEE MASQUERADE SNAT NETMAP".split()
)
_PLAIN_MODULES = frozenset(
    "tcp udp conntrack state multiport addrtype comment iprange pkttype policy rpfilter icmp icmp6 ipv6-icmp".split()
)
_CHANCE_MODULES = frozenset(
    "limit hashlimit recent connlimit statistic quota time connbytes rt frag ipv6header hl ttl dscp tos length".split()
)


_SILENT_FLAGS = frozenset("-j -g --jump --goto -4 -6 --ipv4 --ipv6 --comment".split())
"""Options that are no condition."""
_TEXTS = frozenset({"--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string", "--name"})
"""Options whose value is a person's text, which may look like an option itself."""
_WHOLE_MODULES = frozenset("policy rpfilter".split()) | _CHANCE_MODULES
"""Modules of which one option, or the name, says all: the others narrow down what is a choice or never anyway."""


class NotIptables(Exception):
    """The text is not what iptables-save prints."""


def load(text: str, family: str) -> tuple[Table, ...]:
    """Return the tables of one family, "ip" or "ip6"."""
    tables: list[Table] = []
    chains: dict[str, Chain] = {}
    name = ""
    for line in text.splitlines():
        try:
            if line.startswith("*"):
                name, chains = line[1:].strip(), {}
            elif line.startswith(":"):
                chain, policy, *_ = line[1:].split()
                chains[chain] = _chain(name, chain, policy)
            elif line.startswith(("-A ", "[")):
                words = shlex.split(line[line.index("-A ") :])
                owner = chains[words[1]]
                chains[words[1]] = replace(owner, rules=(*owner.rules, _rule(words[2:], line, chains)))
            elif line.strip() == "COMMIT":
                tables.append(Table(family, name, chains))
        except (ValueError, KeyError, IndexError) as error:
            raise NotIptables(f"{type(error).__name__} in {line[:120]!r}") from None
    return tuple(tables)


def _chain(table: str, name: str, policy: str) -> Chain:
    hook = _HOOKS.get(name, "")
    # "-" is the policy of a chain without one.
    accepts = policy in ("ACCEPT", "-")
    return Chain(name, (), hook, _PRIORITIES.get(table, 0), "accept" if accepts else "drop")


def _rule(words: list[str], line: str, chains: dict[str, Chain]) -> Rule:
    options = list(_options(words))
    conditions = tuple(_conditions(options))
    verdict, target, port = "", "", 0
    for flag, values, _ in options:
        if flag in ("-j", "-g"):
            target = values[0]
            if target in chains:
                verdict = "goto" if flag == "-g" else "jump"
            else:
                verdict = _TARGETS.get(target, "" if target in _GO_ON else "unknown")
        elif flag in ("--to-destination", "--to-ports"):
            # A range of ports keeps no promise about which.
            last = (
                values[0].rpartition(":")[2] if flag == "--to-destination" and ":" in values[0] else values[0]
            )
            port = int(last) if last.isdigit() else 0
    return Rule(conditions, verdict, target, port, line.strip()[:300])


def _options(words: list[str]) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each option with its values and whether a `!` stands before it."""
    negated, flag = False, ""
    values: list[str] = []
    ahead = False
    for word in words:
        if word == "!":
            ahead = True
        elif flag in _TEXTS and not values:
            values.append(word)
        elif word.startswith("-") and not word[1:2].isdigit():
            if flag:
                yield flag, values, negated
            flag, values, negated, ahead = word, [], ahead, False
        else:
            values.append(word)
    if flag:
        yield flag, values, negated


def _conditions(options: list[tuple[str, list[str], bool]]) -> Iterator[Condition]:
    """Yield what each option asks for; one that is not known is an unknown condition."""
    module = ""
    protocol = next((values[0] for flag, values, _ in options if flag in ("-p", "--protocol")), "")
    for flag, values, negated in options:
        value = values[0] if values else ""
        if flag in ("-m", "--match"):
            module = value
        elif flag in ("-j", "-g", "--jump", "--goto"):
            return  # what follows belongs to the target
        match flag:
            case "-p" | "--protocol":
                yield Protocol(negated, frozenset({value}))
            case "-s" | "--source":
                yield Source(negated, networks(value.split(",")))
            case "-d" | "--destination":
                yield Destination(negated, networks(value.split(",")))
            case "--src-range":
                yield Source(negated, networks([value]))
            case "--dst-range":
                yield Destination(negated, networks([value]))
            case "-i" | "--in-interface":
                yield Incoming(negated, (value.removesuffix("+") + ("*" if value.endswith("+") else ""),))
            case "-o" | "--out-interface" | "--sport" | "--sports" | "--source-ports":
                yield Choice()
            case "--dport" | "--dports" | "--destination-ports" | "--ports":
                yield Port(negated, _ports(value), (protocol,) if protocol in ("tcp", "udp") else ())
            case "--ctstate" | "--state":
                yield State(negated, frozenset(value.lower().split(",")))
            case "--ctstatus":
                yield State(negated, frozenset(value.lower().split(",")))
            case "--ctdir":
                yield Never(negated != (value == "ORIGINAL"))
            case "-f" | "--fragment":
                yield Choice()
            case "--tcp-flags":
                mask, wanted = (_flags(one) for one in values[:2])
                yield Flags(negated, mask, wanted)
            case "--syn":
                yield Flags(negated, frozenset({"fin", "syn", "rst", "ack"}), frozenset({"syn"}))
            case "--dst-type" | "--pkt-type":
                yield AddressType(negated, frozenset(value.lower().split(",")))
            case "--pol":
                # No stranger comes through IPsec.
                yield Never(negated != (value == "none"))
            case "--invert":
                yield Never()  # of rpfilter: the way back is another
            case "--icmp-type" | "--icmpv6-type":
                yield Never()
            case "-m" | "--match" if value in _CHANCE_MODULES:
                yield Choice()
            case "-m" | "--match":
                if value not in _PLAIN_MODULES:
                    yield Unknown(text=value)
            case _ if flag not in _SILENT_FLAGS and module not in _WHOLE_MODULES:
                yield Unknown(text=flag)


def _ports(value: str) -> int:
    found = 0
    for part in value.split(","):
        low, colon, high = part.partition(":")
        found |= ports.span(int(low or 0), int(high or 65535) if colon else int(low))
    return found


def _flags(value: str) -> frozenset[str]:
    if value == "ALL":
        return frozenset({"fin", "syn", "rst", "psh", "ack", "urg"})
    return frozenset() if value == "NONE" else frozenset(value.lower().split(","))
