"""A server's packet filter as its own tools print it, by whatever tool it was made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.firewall import FirewallFacts
from tests.probes.targets import gather
from tests.suites.checks import suite

SAMPLES = Path(__file__).parents[1] / "rules" / "samples"
CHECKS = suite("pre_deploy/test_infrastructure_firewall.py")
EMPTY = '{"nftables": [{"metainfo": {"version": "1.0.6"}}]}'
UFW = {
    "nft": (SAMPLES / "ufw-0.36.2-nft-1.0.6.json").read_text(),
    "iptables-save": (SAMPLES / "ufw-0.36.2-iptables-save.txt").read_text(),
    "ip6tables-save": (SAMPLES / "ufw-0.36.2-ip6tables-save.txt").read_text(),
}
ROUTES = '[{"dst": "default", "dev": "eth0"}]'
SHOWN = '[{"ifname": "eth0", "addr_info": [{"local": "198.51.100.4"}, {"local": "2001:db8::4"}]}]'
UNITS = "Id=nftables.service\nUnitFileState=disabled\nActiveState=inactive\n\nId=ufw.service\nUnitFileState=enabled\nActiveState=active"
CAT = 'if [ "$1" = /etc/ufw/ufw.conf ]; then echo ENABLED=yes; else exec /bin/cat "$@"; fi'
IP = f"case \"$*\" in *addr*) echo '{SHOWN}';; *) echo '{ROUTES}';; esac"


def tools(folder: Path, **scripts: str) -> None:
    """Put programs into a folder: each a shell script, or, by the name of a tool, what it prints."""
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def prints(folder: Path, name: str, text: str) -> None:
    """Let a tool print a text."""
    (folder / f"{name}.out").write_text(text)
    tools(folder, **{name.replace("-", "_"): f"exec /bin/cat {folder}/{name}.out"})


def look(folder: Path, monkeypatch: pytest.MonkeyPatch, net: str = "") -> Observation:
    """Look at this machine, with the folder's programs before its own."""
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    text = f"""
[target]
name = "wall"
environment = "dev"
base_url = "https://127.0.0.1:1"
[host]
uri = "local://"
[net]
allowed_tcp = [22, 80, 443, 2222]
{net}
"""
    return gather(folder, text, "firewall")["firewall"]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Return a folder of tools as on a server with ufw."""
    for name, text in UFW.items():
        prints(tmp_path, name, text)
    prints(tmp_path, "systemctl", UNITS)
    tools(tmp_path, ip=IP, cat=CAT)
    return tmp_path


def judge(facts: FirewallFacts) -> None:
    """Run the checks of the inside."""
    CHECKS["test_firewall_inside"](firewall_facts=facts)
    CHECKS["test_firewall_after_reboot"](firewall_facts=facts)


def test_ufw_passes(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nft's JSON leaves out is read from iptables-save."""
    facts = look(server, monkeypatch).facts
    assert (facts.tool, facts.interfaces, facts.six) == ("nft and iptables-save", ("eth0",), True)
    assert facts.addresses == ("198.51.100.4", "2001:db8::4")
    judge(facts)


def test_iptables_alone_passes(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without nft is read by iptables-save."""
    tools(server, nft="echo 'nft: not found' >&2; exit 127")
    facts = look(server, monkeypatch).facts
    assert facts.tool == "iptables-save"
    judge(facts)


def test_without_iptables_save_nothing_is_sure(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nft cannot show a rule and nothing else can, the inside is unproven and not failed."""
    tools(server, iptables_save="exit 127", ip6tables_save="exit 127")
    with pytest.raises(Unproven, match="not understood"):
        judge(look(server, monkeypatch).facts)


def test_a_server_without_ipv6_needs_no_filter_for_it(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With IPv4 addresses alone, what ip6tables lets in is open to nobody."""
    prints(server, "ip6tables-save", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    with pytest.raises(AssertionError, match="IPv6 TCP is open by default"):
        judge(look(server, monkeypatch).facts)
    tools(server, ip=IP.replace(', {"local": "2001:db8::4"}', ""))
    judge(look(server, monkeypatch).facts)


def test_an_inner_network_of_containers_is_no_way_in(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private IPv6 address on a bridge is none that the public reaches."""
    prints(server, "ip6tables-save", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    bridge = '{"ifname": "docker0", "addr_info": [{"local": "fd00:1::1"}]}'
    shown = SHOWN.replace(', {"local": "2001:db8::4"}', "").replace("]}]", f"]}}, {bridge}]")
    tools(server, ip=IP.replace(SHOWN, shown))
    facts = look(server, monkeypatch).facts
    assert facts.addresses == ("198.51.100.4", "fd00:1::1") and facts.six is False
    judge(facts)


OLDER = "*filter\n:INPUT {} [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
NEWER = "# Generated by iptables-save v1.8.9 (nf_tables)\n"
WARNING = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them"


@pytest.mark.parametrize("itself", [True, False], ids=["iptables-save is the older", "beside the newer"])
def test_rules_of_iptables_older_kind_count(
    itself: bool, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not shown by nft at all; the kernel filters by them all the same."""
    prints(server, "nft", EMPTY)
    for family in ("iptables", "ip6tables"):
        prints(server, f"{family}-save" if itself else f"{family}-legacy-save", OLDER.format("DROP"))
        if not itself:
            tools(server, **{f"{family}_save": f"echo '{NEWER}'; echo '{WARNING}' >&2"})
    judge(look(server, monkeypatch).facts)


def test_rules_that_are_hidden_leave_it_unproven(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool says that there is more, and what would show it is not there."""
    text = UFW["iptables-save"]
    (server / "save.out").write_text(text)
    tools(server, iptables_save=f"/bin/cat {server}/save.out; echo '{WARNING}' >&2")
    with pytest.raises(Unproven, match="iptables-legacy tables present"):
        judge(look(server, monkeypatch).facts)


def test_no_filter_at_all_fails(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty ruleset lets everybody in."""
    prints(server, "nft", EMPTY)
    with pytest.raises(AssertionError, match="IPv4 TCP is open by default"):
        judge(look(server, monkeypatch).facts)


def test_a_providers_firewall_is_for_a_person_to_vouch_for(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the target file says that a provider filters, the server's own rules are not judged."""
    prints(server, "nft", EMPTY)
    with pytest.raises(Unproven, match="attest"):
        judge(look(server, monkeypatch, 'filtered_by = "provider"').facts)


def test_without_rights_the_grant_is_named(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but root sees rules."""
    refused = "echo 'Operation not permitted (you must be root)' >&2; exit 1"
    tools(server, nft=refused, iptables_save=refused, ip6tables_save=refused)
    found = look(server, monkeypatch)
    assert (found.state, found.reason) == ("unseen", "no_access") and "host.sudo" in found.detail


@pytest.mark.parametrize(
    ("tool", "text"), [("nft", "table inet filter {"), ("iptables-save", "-A INPUT -j ACCEPT")]
)
def test_another_shape_is_unparseable(
    tool: str, text: str, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of what the tools would not print."""
    prints(server, tool, text)
    assert look(server, monkeypatch).reason == "unparseable"


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ("Id=ufw.service\nUnitFileState=disabled\nActiveState=active", "ufw.service is disabled"),
        ("Id=nftables.service\nUnitFileState=enabled\nActiveState=active", "filters nothing"),
    ],
)
def test_rules_must_come_back_after_a_reboot(
    units: str, words: str, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit is off, or what it loads is the distribution's empty file."""
    prints(server, "systemctl", units)
    (server / "nftables.conf").write_text("#!/usr/sbin/nft -f\nflush ruleset\n")
    with pytest.raises(AssertionError, match=words):
        judge(look(server, monkeypatch, f'rules_file = "{server}/nftables.conf"').facts)


def test_without_systemd_it_is_not_known_what_comes_back(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unit is known: unproven."""
    tools(server, systemctl="exit 1")
    with pytest.raises(Unproven, match="no unit"):
        judge(look(server, monkeypatch).facts)


def test_facts_survive_the_record(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen can be written and judged again."""
    found = look(server, monkeypatch)
    assert json.loads(json.dumps(found.to_json()))["facts"]["doors"][0]["open"]
