"""Pre-Deployment Checklist, Infrastructure Setup: the firewall (item 4 of the default checklist)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import ports
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.firewall import Door, FirewallFacts
    from pytest_deploycheck.probes.ports import PortsFacts

FIREWALL = "Firewall configured (ports 22, 80, 443 open)"
DHCP_CLIENT = {4: 68, 6: 546}
"""A server that is given its address by DHCP takes the answers there."""


@pytest.mark.checklist("pre_deploy.infrastructure.firewall", text=FIREWALL)
def test_firewall_inside(firewall_facts: FirewallFacts) -> None:
    """The server's own filter drops by default and lets strangers in to allowed ports alone, IPv6 too."""
    facts = firewall_facts
    _own(facts)
    doors = [door for door in facts.doors if door.family == 4 or facts.six is not False]
    assert doors, "no packet filter was looked at"
    for door in doors:
        name = f"IPv{door.family} {door.protocol.upper()}"
        assert not door.by_default, f"{name} is open by default: {ports.words(door.open)} ({facts.tool})"
        extra = _mask(door.open) & ~_allowed(facts, door)
        handed = _mask(door.handed_on) & extra
        how = f"; handed on past the input chain: {_words(handed)}" if handed else ""
        assert not extra, f"{name} lets strangers in to {_words(extra)} as well ({facts.tool}){how}"
    if facts.unseen:
        unproven(Reason.NO_ACCESS, f"not all of the server's filter was seen: {facts.unseen}")
    for door in doors:
        doubtful = _mask(door.unresolved) & ~_allowed(facts, door)
        if doubtful:
            unproven(
                Reason.UNPARSEABLE,
                f"IPv{door.family} {door.protocol.upper()}: whether {_words(doubtful)} is open depends on rules "
                f"that were not understood, such as {(door.doubts or ('?',))[0][:160]}",
            )


@pytest.mark.checklist("pre_deploy.infrastructure.firewall", text=FIREWALL)
def test_firewall_after_reboot(firewall_facts: FirewallFacts) -> None:
    """Some unit loads the rules when the machine starts, and has rules to load."""
    _own(firewall_facts)
    if not firewall_facts.boot:
        unproven(Reason.NO_EVIDENCE, "no unit that loads a packet filter is known to the server's systemd")
    states = ", ".join(f"{unit.name} is {unit.enabled}" for unit in firewall_facts.boot)
    enabled = [unit for unit in firewall_facts.boot if unit.enabled in ("enabled", "static", "alias")]
    assert enabled, f"the rules are gone after a reboot: {states}"
    idle = ", ".join(unit.name for unit in enabled)
    assert any(unit.loads is not False for unit in enabled), (
        f"the rules are gone after a reboot: {idle} is enabled, but its configuration filters nothing"
    )


@pytest.mark.checklist("pre_deploy.infrastructure.firewall", text=FIREWALL)
def test_firewall_outside(ports_facts: PortsFacts) -> None:
    """From outside, the ports that are open are exactly those allowed, on every address of the server."""
    facts = ports_facts
    assert facts.allowed, "net.allowed_tcp is empty"
    assert facts.scans, "no address was scanned"
    seen = [scan for scan in facts.scans if not (scan.inside or scan.unreachable or scan.controls)]
    for scan in seen:
        extra = sorted(set(scan.open) - set(facts.allowed))
        assert not extra, f"{scan.address}: open to the public as well: {', '.join(map(str, extra))}"
        missing = sorted(set(facts.allowed) - set(scan.open))
        assert not missing, (
            f"{scan.address}: not open to the public: {', '.join(map(str, missing))}; net.allowed_tcp names them"
        )
    for scan in facts.scans:
        if scan.inside:
            unproven(Reason.NOT_ALLOWED, f"{scan.inside}: from here it may be reached past the wall")
        if scan.unreachable:
            unproven(
                Reason.NO_ACCESS, f"{scan.address} cannot be reached from this machine: {scan.unreachable}"
            )
        if scan.controls:
            unproven(
                Reason.NO_EVIDENCE,
                f"{scan.address}: ports that nobody uses are open as well ({scan.controls[0]}): something on the "
                "way answers for every port, or everything is open",
            )


def _own(facts: FirewallFacts) -> None:
    if facts.provider:
        unproven(
            Reason.NO_EVIDENCE,
            "net.filtered_by says that a provider's firewall filters; attest this item with its exported rules",
        )


def _allowed(facts: FirewallFacts, door: Door) -> int:
    if door.protocol == "tcp":
        return ports.of(facts.allowed_tcp)
    return ports.of((*facts.allowed_udp, DHCP_CLIENT[door.family]))


def _mask(stretches: tuple[tuple[int, int], ...]) -> int:
    found = 0
    for low, high in stretches:
        found |= ports.span(low, high)
    return found


def _words(mask: int) -> str:
    return ports.words(ports.spans(mask))
