"""What packet filters let strangers reach: captured rulesets of nft, iptables and ufw, and one rule at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_deploycheck.rules import iptables, nftables, ports
from pytest_deploycheck.rules.filter_conditions import Packet
from pytest_deploycheck.rules.packet_filter import Openness, Table, openness

SAMPLES = Path(__file__).with_name("samples")


def seen(tables: tuple[Table, ...], family: int = 4, protocol: str = "tcp") -> Openness:
    """Return what a stranger reaches by the interface eth0."""
    return openness(tables, Packet(family, protocol, ("eth0",)))


def words(mask: int) -> str:
    """Return ports as text."""
    return ports.words(ports.spans(mask))


@pytest.mark.parametrize("numbers", [(), (0,), (65535,), (0, 1, 2, 65535), (22, 80, 443, 8000, 8001, 8003)])
def test_sets_of_ports_come_back_whole(numbers: tuple[int, ...]) -> None:
    """A set of ports taken apart into stretches holds the same numbers."""
    stretches = ports.spans(ports.of(numbers))
    assert tuple(n for low, high in stretches for n in range(low, high + 1)) == numbers


def test_every_kind_of_rule_of_nft() -> None:
    """Sets, intervals, maps of verdicts, jumps, flags, redirections: read from what nft 1.0.6 printed."""
    tables, foreign = nftables.load((SAMPLES / "nft-1.0.6-many.json").read_text())
    assert not foreign
    # What comes from port 53 is let in, which a stranger may choose; port 25 was dropped before.
    assert words(seen(tables).open) == "1-24, 26-1024, 6379, 8000-8010, 8443, 9000-9003"
    assert words(seen(tables).sent) == "6379, 8443"
    assert words(seen(tables, 6).open) == "0-24, 26-65535"
    assert not seen(tables).unresolved


def test_ufw_by_iptables_save() -> None:
    """Limits, jumps, multicast and state as ufw writes them; what is only for 10.0.0.0/8 is not open."""
    four = iptables.load((SAMPLES / "ufw-0.36.2-iptables-save.txt").read_text(), "ip")
    six = iptables.load((SAMPLES / "ufw-0.36.2-ip6tables-save.txt").read_text(), "ip6")
    for family in (4, 6):
        found = seen((*four, *six), family)
        assert (words(found.open), found.unresolved) == ("22, 80, 443, 2222", 0)
    assert words(seen(four, protocol="udp").open) == "68"
    assert not seen(six, 6, "udp").open


def test_what_nft_cannot_show_is_told() -> None:
    """Tables made by iptables hold what nft's JSON leaves out: they are named, and nothing is sure."""
    tables, foreign = nftables.load((SAMPLES / "ufw-0.36.2-nft-1.0.6.json").read_text())
    assert foreign == {("ip", "filter"), ("ip6", "filter")}
    assert not seen(tables).open and seen(tables).unresolved


def ruleset(*rules: str, policy: str = "DROP", chains: str = "") -> tuple[Table, ...]:
    """Return the filter table of iptables with these rules of its INPUT."""
    lines = ["*filter", f":INPUT {policy} [0:0]", ":FORWARD DROP [0:0]", *chains.splitlines()]
    lines += [rule if rule.startswith("-A") else f"-A INPUT {rule}" for rule in rules]
    return iptables.load("\n".join([*lines, "COMMIT"]), "ip")


@pytest.mark.parametrize(
    ("rule", "reached", "doubtful"),
    [
        ("-p tcp --dport 5432 -j ACCEPT", "5432", ""),
        ("-p tcp --dport 8000:8002 -j ACCEPT", "8000-8002", ""),
        ("-p tcp -m multiport --dports 80,443,9000:9001 -j ACCEPT", "80, 443, 9000-9001", ""),
        ("-p udp --dport 53 -j ACCEPT", "", ""),
        ("-i lo -j ACCEPT", "", ""),
        ("-i docker0 -j ACCEPT", "", ""),
        ("-i eth+ -p tcp --dport 9 -j ACCEPT", "9", ""),
        ("! -i docker0 -p tcp --dport 9 -j ACCEPT", "9", ""),
        ("-s 203.0.113.7/32 -p tcp --dport 5432 -j ACCEPT", "", ""),
        ("! -s 203.0.113.7/32 -p tcp --dport 5432 -j ACCEPT", "5432", ""),
        ("-s 128.0.0.0/1 -p tcp --dport 5432 -j ACCEPT", "5432", ""),
        ("-s 0.0.0.0/0 -p tcp --dport 5432 -j ACCEPT", "5432", ""),
        ("-m state --state NEW -p tcp --dport 7 -j ACCEPT", "7", ""),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "", ""),
        ("-p tcp -m tcp --syn --dport 7 -j ACCEPT", "7", ""),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport 7 -j ACCEPT", "7", ""),
        ("-p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT", "", ""),
        ("-m limit --limit 5/min -p tcp --dport 7 -j ACCEPT", "7", ""),
        ("-p tcp --sport 20 -j ACCEPT", "0-65535", ""),
        ("-m addrtype --dst-type BROADCAST -j ACCEPT", "", ""),
        ("-d 224.0.0.0/4 -j ACCEPT", "", ""),
        ("-d 198.51.100.1/32 -p tcp --dport 7 -j ACCEPT", "7", ""),
        ("-m policy --dir in --pol ipsec -j ACCEPT", "", ""),
        ("-m set --match-set friends src -p tcp --dport 7 -j ACCEPT", "", "7"),
        ("-p tcp --dport 7 -j NFQUEUE", "", "7"),
        ("-p tcp -m tcp --tcp-option 30 -j ACCEPT", "", "0-65535"),
        ("-p tcp --dport 7 -m conntrack --ctdir ORIGINAL -j ACCEPT", "7", ""),
        ("-p tcp --dport 7 -m conntrack --ctdir REPLY -j ACCEPT", "", ""),
        ('-p tcp --dport 7 -m comment --comment "-j DROP" -j ACCEPT', "7", ""),
        ("-m policy --dir in --pol none -p tcp --dport 7 -j ACCEPT", "7", ""),
        ('-p tcp --dport 7 -j LOG --log-prefix "a -j ACCEPT"', "", ""),
    ],
)
def test_one_rule(rule: str, reached: str, doubtful: str) -> None:
    """Before a policy of drop, a rule opens what a stranger can make it open, and no more."""
    found = seen(ruleset(rule))
    assert (words(found.open), words(found.unresolved)) == (reached, doubtful)


@pytest.mark.parametrize(
    ("rule", "reached", "doubtful"),
    [
        ("-j DROP", "", ""),
        ("-m set --match-set foes src -j DROP", "", "0-65535"),
        ("-m limit --limit 5/min -j DROP", "0-65535", ""),
        ("-m recent --update --seconds 30 --hitcount 6 --name SSH --rsource -j DROP", "0-65535", ""),
        ("-f -j DROP", "0-65535", ""),
        ("-m rpfilter --loose --invert -j DROP", "0-65535", ""),
        ("-m conntrack --ctstate INVALID -j DROP", "0-65535", ""),
        ("-p tcp -m tcp --tcp-option 30 -j DROP", "", "0-65535"),
        ("-m socket --transparent -j DROP", "", "0-65535"),
        ("-s 203.0.113.0/24 -j DROP", "0-65535", ""),
        ("! -s 203.0.113.0/24 -j DROP", "", ""),
        ("-p tcp ! --dport 22 -j REJECT", "22", ""),
    ],
)
def test_one_rule_that_shuts(rule: str, reached: str, doubtful: str) -> None:
    """Before a policy of accept, a rule shuts only what surely meets it."""
    found = seen(ruleset(rule, policy="ACCEPT"))
    assert (words(found.open), words(found.unresolved)) == (reached, doubtful)


def test_jumps_return_to_where_they_came_from() -> None:
    """What a chain leaves undecided goes on behind the jump; behind a goto, one level higher."""
    chains = ":a - [0:0]\n:b - [0:0]"
    rules = (
        "-j a",
        "-p tcp --dport 3 -j ACCEPT",
        "-A a -p tcp --dport 1 -j RETURN",
        "-A a -p tcp --dport 3 -g b",
    )
    more = ("-A a -p tcp --dport 1:2 -j ACCEPT", "-A b -p tcp --dport 9 -j ACCEPT")
    assert words(seen(ruleset(*rules, *more, chains=chains)).open) == "2-3"


def nft(
    *rules: str, hook: str = "input", kind: str = "filter", family: str = "inet", priority: int = 0
) -> list[object]:
    """Return entries of nft's JSON: a table of its own with one chain that drops, and rules given as JSON."""
    name = f"{hook}{priority}"
    chain = {
        "family": family,
        "table": name,
        "name": "c",
        "type": kind,
        "hook": hook,
        "prio": priority,
        "policy": "drop",
    }
    made = [
        {"rule": {"family": family, "table": name, "chain": "c", "expr": json.loads(rule)}} for rule in rules
    ]
    return [{"table": {"family": family, "name": name}}, {"chain": chain}, *made]


def dport(number: int, verdict: str) -> str:
    """Return a rule for one TCP port."""
    match = {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": number}
    return json.dumps([{"match": match}, json.loads(verdict)])


ACCEPT = '{"accept": null}'


def test_every_chain_on_the_way_must_let_it_through() -> None:
    """Accept ends one chain only: a later one with the same hook still drops."""
    entries = nft(dport(22, ACCEPT), dport(80, ACCEPT)) + nft(
        dport(80, ACCEPT), dport(443, ACCEPT), priority=10
    )
    tables, _ = nftables.load(json.dumps({"nftables": entries}))
    assert words(seen(tables).open) == "80"


def test_a_set_that_counts_senders_shuts_nothing() -> None:
    """`add @flood { ip saddr limit rate over 10/second } drop` drops floods, and lets a stranger in."""
    flood = {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@flood"}
    counted = {**flood, "stmt": [{"limit": {"rate": 10, "per": "second", "inv": True}}]}
    for statement, reached in ((counted, "22"), (flood, "")):
        entries = nft(json.dumps([{"set": statement}, {"drop": None}]), dport(22, ACCEPT))
        tables, _ = nftables.load(json.dumps({"nftables": entries}))
        assert words(seen(tables).open) == reached


@pytest.mark.parametrize(("forwarded", "reached"), [(True, "22, 6379"), (False, "22")])
def test_what_is_handed_on_never_meets_input(forwarded: bool, reached: str) -> None:
    """A port sent to another address is open when forwarding lets it through, whatever input says."""
    entries = nft(dport(22, ACCEPT))
    entries += [
        {"table": {"family": "ip", "name": "nat"}},
        {
            "chain": {
                "family": "ip",
                "table": "nat",
                "name": "p",
                "type": "nat",
                "hook": "prerouting",
                "prio": -100,
                "policy": "accept",
            }
        },
        {
            "rule": {
                "family": "ip",
                "table": "nat",
                "chain": "p",
                "expr": json.loads(dport(6379, '{"dnat": {"addr": "172.17.0.2", "port": 6380}}')),
            }
        },
    ]
    entries += nft(dport(6380 if forwarded else 6379, ACCEPT), hook="forward")
    tables, _ = nftables.load(json.dumps({"nftables": entries}))
    assert words(seen(tables).open) == reached


def test_docker_publishes_past_input() -> None:
    """Docker's own rules open a published port; one published on 127.0.0.1 stays inside."""
    text = """*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432
-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 6379 -j DNAT --to-destination 172.17.0.3:6379
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 5432 -j ACCEPT
-A DOCKER -d 172.17.0.3/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 6379 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT"""
    assert words(seen(iptables.load(text, "ip")).open) == "443, 5432"
    shut = text.replace("-A DOCKER-USER -j RETURN", "-A DOCKER-USER -i eth0 -p tcp -j DROP")
    assert words(seen(iptables.load(shut, "ip")).open) == "443"


def test_no_ruleset_is_no_wall() -> None:
    """Where nothing filters, everything is open."""
    tables, _ = nftables.load('{"nftables": [{"metainfo": {"version": "1.0.6"}}]}')
    assert seen(tables).open == ports.ALL


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": 3}', '{"nftables": [{"rule": {}}]}'])
def test_another_shape_is_no_ruleset(text: str) -> None:
    """Nothing is made of what nft would not print."""
    with pytest.raises(nftables.NotNft):
        nftables.load(text)


@pytest.mark.parametrize(
    "text", ["-A INPUT -j ACCEPT", "*filter\n:INPUT DROP\n-A INPUT -s nowhere -j ACCEPT"]
)
def test_another_shape_is_no_iptables_save(text: str) -> None:
    """Nothing is made of what iptables-save would not print."""
    with pytest.raises(iptables.NotIptables):
        iptables.load(text, "ip")
