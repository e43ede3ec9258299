"""Faults of Infrastructure Setup: the packet filter, seen on the server and from outside."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo import wall
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.harness import fault
from tests.faults.tools import edited

FIREWALL = "pre_deploy.infrastructure.firewall"
# What is open to the public may be the database's port, or the cache's.
DATA = ("pre_deploy.security.db_access", "pre_deploy.security.redis_auth")
BOTH: dict[str, Any] = {
    "probes": ("firewall", "ports"),
    "also": DATA,
    "needs": ("wall",),
    "limits": {"scan_tries": 1},
}
INSIDE: dict[str, Any] = {"probes": ("firewall",), "needs": ("wall",)}
OUTSIDE: dict[str, Any] = {
    "probes": ("ports",),
    "also": DATA,
    "needs": ("wall",),
    "limits": {"scan_tries": 1},
}
PUBLIC = "elements = { 22, 80, 443 }"
LAST = "        tcp dport @public_tcp accept\n"
FORWARD = "    chain forward {"


@contextmanager
def walled(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Change the server's packet filter and load it; afterwards the same backwards."""
    try:
        with edited(demo.world.path("wall", "nftables.conf"), *changes):
            wall.load(demo.world)
            yield
    finally:
        wall.load(demo.world)


def add(rule: str) -> tuple[str, str]:
    """Return the change that adds a rule to the input chain."""
    return LAST, f"{LAST}        {rule}\n"


@fault(FIREWALL, "a dashboard's port is open as well", **BOTH)
@contextmanager
def extra_port(demo: Deployment) -> Iterator[None]:
    """Open 3000, as somebody did to have a quick look."""
    with walled(demo, (PUBLIC, "elements = { 22, 80, 443, 3000 }")):
        yield


@fault(FIREWALL, "an interval of ports covers the database", **BOTH)
@contextmanager
def interval(demo: Deployment) -> Iterator[None]:
    """Jump to a chain that lets a thousand ports in."""
    chain = "    chain services {\n        tcp dport 5000-6000 accept\n    }\n\n"
    with walled(demo, (FORWARD, chain + FORWARD), add("jump services"), ("chain input", "chain input")):
        yield


@fault(FIREWALL, "a published port goes past the input chain, as the rules have it", **INSIDE)
@fault(FIREWALL, "a published port goes past the input chain, as outside sees it", **OUTSIDE)
@contextmanager
def published(demo: Deployment) -> Iterator[None]:
    """Hand 6379 on to a container's address, as a published port does: the input chain never sees it."""
    outside = wall.links(demo.world)[0][0].partition("/")[0]
    nat = f"""
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        tcp dport 6379 dnat to {outside}:6379
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        masquerade
    }}
}}
"""
    with listening(outside, 6379), walled(demo, (FORWARD, FORWARD), *_forwarded(nat)):
        yield


def _forwarded(nat: str) -> list[tuple[str, str]]:
    established = "        ct state established,related accept\n    }\n}\n"
    return [
        (
            established,
            f"        ct state established,related accept\n        ct status dnat accept\n    }}\n}}\n{nat}",
        )
    ]


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Accept connections, as the container behind a published port would."""
    with socket.create_server((address, port)) as server:

        def accept() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@fault(FIREWALL, "IPv6 is not filtered, and outside sees what listens", **OUTSIDE)
@fault(FIREWALL, "IPv6 is not filtered", **INSIDE)
@contextmanager
def only_four(demo: Deployment) -> Iterator[None]:
    """Filter IPv4 alone, as `table ip` does."""
    with walled(demo, ("table inet filter", "table ip filter"), ("{ icmp, ipv6-icmp }", "icmp")):
        yield


@fault(FIREWALL, "IPv6 is let in by a rule", **INSIDE)
@contextmanager
def six_accepted(demo: Deployment) -> Iterator[None]:
    """Let everything in that comes by IPv6."""
    with walled(demo, add("meta nfproto ipv6 accept")):
        yield


@fault(FIREWALL, "the policy is accept", **INSIDE)
@contextmanager
def accepting(demo: Deployment) -> Iterator[None]:
    """Leave the base chain at accept, so that its rules decide nothing."""
    with walled(
        demo, ("hook input priority filter; policy drop;", "hook input priority filter; policy accept;")
    ):
        yield


@fault(FIREWALL, "no rules are loaded, and outside sees what listens", **OUTSIDE)
@fault(FIREWALL, "no rules are loaded", **BOTH)
@contextmanager
def no_rules(demo: Deployment) -> Iterator[None]:
    """Flush the ruleset and load none."""
    text = demo.world.path("wall", "nftables.conf").read_text()
    with walled(demo, (text[text.index("table inet") :], "")):
        yield


@fault(FIREWALL, "HTTPS is shut", **OUTSIDE)
@contextmanager
def https_shut(demo: Deployment) -> Iterator[None]:
    """Leave 443 out of the set."""
    with walled(demo, (PUBLIC, "elements = { 22, 80 }")):
        yield


@fault(FIREWALL, "who comes from port 53 is let in", **INSIDE)
@contextmanager
def by_source_port(demo: Deployment) -> Iterator[None]:
    """Let answers of name servers in by their source port, which anybody may use."""
    with walled(demo, add("tcp sport 53 accept")):
        yield


@fault(FIREWALL, "UDP is open", **INSIDE)
@contextmanager
def udp_open(demo: Deployment) -> Iterator[None]:
    """Let everybody ask the server's own resolver."""
    with walled(demo, add("udp dport 53 accept")):
        yield


@fault(FIREWALL, "every port is redirected", **BOTH)
@contextmanager
def redirected(demo: Deployment) -> Iterator[None]:
    """Send every port to 443, so that each of them answers."""
    nat = "\ntable inet nat {\n    chain p {\n        type nat hook prerouting priority dstnat;\n        meta l4proto tcp redirect to :443\n    }\n}\n"
    with walled(demo, *_forwarded(nat)):
        yield


@fault(FIREWALL, "whether the database is open hangs on a mark", becomes=Verdict.UNPROVEN, **INSIDE)
@contextmanager
def marked(demo: Deployment) -> Iterator[None]:
    """Let in what some other program marked."""
    with walled(demo, add("meta mark 0x2a tcp dport 5432 accept")):
        yield


@contextmanager
def unit_changed(demo: Deployment, unit: str, **values: str) -> Iterator[None]:
    """Change what systemd says of a unit."""
    with tools.units_edited(demo, lambda units: units[unit].update(values)):
        yield


@fault(FIREWALL, "the rules are not loaded at boot", **INSIDE)
@contextmanager
def not_at_boot(demo: Deployment) -> Iterator[None]:
    """Disable the unit that loads them; they stay in force until the next reboot."""
    with unit_changed(demo, "nftables.service", UnitFileState="disabled"):
        yield


@fault(FIREWALL, "what is loaded at boot filters nothing", **INSIDE)
@contextmanager
def empty_at_boot(demo: Deployment) -> Iterator[None]:
    """Keep the rules in force and lose their file, as when they were typed in by hand."""
    path = demo.world.path("wall", "nftables.conf")
    text = path.read_text()
    with edited(path, (text[text.index("table inet") :], "")):
        yield
