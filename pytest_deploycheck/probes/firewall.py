"""The firewall probe: what the server's own packet filter lets strangers reach, of either family.

`nft -j list ruleset` shows all that the kernel filters by, but not what iptables' own matches say; tables that
hold such are read from `iptables-save` instead.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.rules import iptables, nftables, ports
from pytest_deploycheck.rules.filter_conditions import Packet
from pytest_deploycheck.rules.packet_filter import Openness, Table, openness
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.shell import Done

NFT = "nft -j list ruleset"
SAVES = {"ip": "iptables-save", "ip6": "ip6tables-save"}
LEGACY = {"ip": "iptables-legacy-save", "ip6": "ip6tables-legacy-save"}
LEGACY_WARNING = "legacy tables present"
ROUTES = {4: "ip -j -4 route show default", 6: "ip -j -6 route show default"}
ADDRESSES = "ip -j addr show scope global"
BOOT_UNITS = ("nftables", "netfilter-persistent", "iptables", "ip6tables", "ufw", "firewalld", "shorewall")
UNITS = f"systemctl show -p Id,UnitFileState,ActiveState {' '.join(BOOT_UNITS)}"
UFW = "cat /etc/ufw/ufw.conf"
DEFAULT_SHARE = 0.5
"""A family of whose ports more than this share is open, accepts by default."""
GLOBAL_SIX = ipaddress.ip_network("2000::/3")
Stretches = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Door:
    """What strangers reach by one protocol of one family, ports as stretches (low, high).

    handed_on: those of the open ports that go to another address or port (DNAT), past the input chains.
    unresolved: ports of which the rules do not tell; doubts: the rules that were not understood.
    """

    family: int
    protocol: str
    open: Stretches
    handed_on: Stretches
    unresolved: Stretches
    doubts: tuple[str, ...]

    @property
    def by_default(self) -> bool:
        """Whether so much is open that it must be the default."""
        return sum(high - low + 1 for low, high in self.open) > DEFAULT_SHARE * 65536


@dataclass(frozen=True)
class BootUnit:
    """A unit that loads a ruleset when the machine starts.

    enabled: the state of its file (enabled, disabled, …).  loads: its configuration holds a filter for what
    comes in, None where that was not read.
    """

    name: str
    enabled: str
    active: str
    loads: bool | None


@dataclass(frozen=True)
class FirewallFacts:
    """The server's filter.

    tool: what it was read by.  unseen: what the tools say that they do not show, empty for all.  interfaces: those of the default routes, None where they could not be seen.
    addresses: the server's own, beyond loopback.  six: it has an IPv6 address that others can reach, None
    where that could not be seen.  boot: units that load rulesets, those that exist.  provider: `net.filtered_by`
    says that a provider's firewall does it.
    """

    tool: str
    unseen: str
    doors: tuple[Door, ...]
    interfaces: tuple[str, ...] | None
    addresses: tuple[str, ...]
    six: bool | None
    boot: tuple[BootUnit, ...]
    allowed_tcp: tuple[int, ...]
    allowed_udp: tuple[int, ...]
    provider: bool


def _reads(target: Target) -> Reads:
    files = (f"cat {target.net.rules_file}", UFW)
    return Reads(main=(NFT, *SAVES.values(), *LEGACY.values(), *ROUTES.values(), ADDRESSES, UNITS, *files))


@probe(facts=FirewallFacts, deadline=15, needs=("ssh_gate",), uses={"host": "read"}, reads=_reads)
def firewall(target: Target, connect: Connections) -> FirewallFacts:
    """Read the packet filter of the main server and work out what it lets in."""
    tool, tables, unseen = _tables(connect)
    interfaces = _interfaces(connect)
    addresses = _addresses(connect.read(ADDRESSES))
    return FirewallFacts(
        tool=tool,
        doors=tuple(
            _door(openness(tables, Packet(family, protocol, interfaces)), family, protocol)
            for family in (4, 6)
            for protocol in ("tcp", "udp")
        ),
        interfaces=interfaces,
        unseen=unseen,
        addresses=tuple(address for _, address in addresses or ()),
        six=None if addresses is None else any(_reached(*one, interfaces) for one in addresses),
        boot=tuple(_boot(connect, target.net.rules_file)),
        allowed_tcp=tuple(target.net.allowed_tcp),
        allowed_udp=tuple(target.net.allowed_udp),
        provider=target.net.filtered_by == "provider",
    )


def _tables(connect: Connections) -> tuple[str, tuple[Table, ...], str]:
    """Return how the tables were read, those of both families, and what was not seen of them.

    Of nft's, those that iptables made come from iptables-save; those of iptables' older kind nft never shows.
    """
    listed = connect.read(NFT)
    saved = {family: connect.read(command) for family, command in SAVES.items()}
    if listed.status != 0 and any(one.status != 0 for one in saved.values()):
        raise CannotLook(
            Reason.NO_ACCESS, f"the server's packet filter cannot be read: {_why(listed, saved)}"
        )
    try:
        made = {
            family: iptables.load(done.stdout, family) for family, done in saved.items() if not done.status
        }
        older, unseen = _older(connect, saved, made)
        if listed.status != 0:
            return "iptables-save", (*(one for group in made.values() for one in group), *older), unseen
        tables, foreign = nftables.load(listed.stdout)
    except (nftables.NotNft, iptables.NotIptables) as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"the server's packet filter has another shape: {error}"
        ) from None
    # A table that is in doubt and that iptables-save does not have either stays, with its doubts.
    better = {(one.family, one.name): one for group in made.values() for one in group}
    whole = tuple(
        better.get((one.family, one.name), one) if (one.family, one.name) in foreign else one
        for one in tables
    )
    if not older:  # iptables-save may be of the older kind itself
        older = tuple(
            one for family, group in made.items() if "nf_tables" not in saved[family].stdout for one in group
        )
    return "nft and iptables-save" if foreign or older else "nft", (*whole, *older), unseen


def _older(
    connect: Connections, saved: Mapping[str, Done], made: dict[str, tuple[Table, ...]]
) -> tuple[tuple[Table, ...], str]:
    """Return the tables of iptables' older kind, where iptables-save itself is of the newer; and what is hidden."""
    found: list[Table] = []
    for family, command in LEGACY.items():
        newer = "nf_tables" in saved[family].stdout or LEGACY_WARNING in saved[family].stderr
        done = connect.read(command)
        if done.status == 0 and newer:
            found += iptables.load(done.stdout, family)
        elif LEGACY_WARNING in saved[family].stderr:
            return tuple(found), f"{saved[family].stderr.strip().lstrip('# ')[:160]}"
    return tuple(found), ""


def _why(listed: Done, saved: Mapping[str, Done]) -> str:
    lines = [
        (done.stderr.strip().splitlines() or [f"exit status {done.status}"])[-1]
        for done in (listed, *saved.values())
    ]
    return f"{'; '.join(dict.fromkeys(lines))[:200]}; it takes root's rights: host.sudo, or another user in host.uri"


def _door(found: Openness, family: int, protocol: str) -> Door:
    relevant = found.doubts[:5] if found.unresolved else ()
    return Door(
        family=family,
        protocol=protocol,
        open=ports.spans(found.open),
        handed_on=ports.spans(found.sent),
        unresolved=ports.spans(found.unresolved),
        doubts=relevant,
    )


def _interfaces(connect: Connections) -> tuple[str, ...] | None:
    """Return the interfaces of the default routes; None when there is none to be seen."""
    found: list[str] = []
    for command in ROUTES.values():
        done = connect.read(command)
        for route in _json(done) or ():
            found += [route["dev"]] if isinstance(route, dict) and isinstance(route.get("dev"), str) else []
    return tuple(dict.fromkeys(found)) or None


def _reached(interface: str, address: str, public: tuple[str, ...] | None) -> bool:
    """Whether others may reach an IPv6 address: a global one, or one where the default route leads."""
    if ":" not in address:
        return False
    return ipaddress.ip_address(address) in GLOBAL_SIX or public is None or interface in public


def _addresses(done: Done) -> tuple[tuple[str, str], ...] | None:
    """Return interface and address of each, None where they were not told."""
    entries = _json(done)
    if entries is None:
        return None
    return tuple(
        (str(entry.get("ifname", "")), str(one["local"]))
        for entry in entries
        if isinstance(entry, dict)
        for one in entry.get("addr_info", ())
        if isinstance(one, dict) and "local" in one and not one.get("tentative")
    )


def _json(done: Done) -> list[object] | None:
    try:
        found = safe_json.loads(done.stdout or "[]") if done.status == 0 else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _boot(connect: Connections, rules_file: str) -> Iterator[BootUnit]:
    """Yield the units that the machine has."""
    file, ufw = connect.read(f"cat {rules_file}"), connect.read(UFW)
    loads = {
        "nftables.service": "hook input" in file.stdout or "include" in file.stdout
        if not file.status
        else None,
        "ufw.service": "ENABLED=yes" in ufw.stdout.splitlines() if not ufw.status else None,
    }
    for block in connect.read(UNITS).stdout.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        name, state = values.get("Id", ""), values.get("UnitFileState", "")
        if state:
            yield BootUnit(name, state, values.get("ActiveState", ""), loads.get(name))
