"""Scans of real listeners, and the vantages that are not believed."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.ports import PortsFacts, Scan
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECK = suite("pre_deploy/test_infrastructure_firewall.py")["test_firewall_outside"]


def scan(folder: Path, net: str, environment: str = "demo", more: str = "") -> Observation:
    """Scan with what `[net]` says."""
    text = f"""
[target]
name = "ports"
environment = "{environment}"
base_url = "https://127.0.0.1:1"
[net]
scan_common = false
{net}
[limits]
scan_timeout_s = 0.2
{more}
"""
    return gather(folder, text, "ports")["ports"]


@contextlib.contextmanager
def listening(count: int) -> Iterator[list[int]]:
    """Listen on some ports of 127.0.0.1."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        yield sorted(one.getsockname()[1] for one in sockets)


def test_open_and_refused_ports_are_told_apart(tmp_path: Path) -> None:
    """Two of three listeners are allowed: the third is open as well, and everything else is refused."""
    with listening(3) as ports:
        net = f'vantage = "local://"\naddresses = ["127.0.0.1"]\nallowed_tcp = {ports[:2]}\nsentinel_ports = [{ports[2]}, 1]'
        facts = scan(tmp_path, net).facts
    found = facts.scans[0]
    assert (list(found.open), found.controls, found.unreachable) == (ports, (), "")
    assert found.scanned == 4 and found.refused >= 1 and found.silent == 0
    with pytest.raises(AssertionError, match=f"open to the public as well: {ports[2]}"):
        CHECK(ports_facts=facts)


def test_exactly_what_is_allowed_passes(tmp_path: Path) -> None:
    """Every listener is allowed, and everything allowed listens."""
    with listening(2) as ports:
        net = f'vantage = "local://"\naddresses = ["127.0.0.1"]\nallowed_tcp = {ports}\nsentinel_ports = [1]'
        CHECK(ports_facts=scan(tmp_path, net).facts)


@pytest.mark.parametrize(
    ("net", "environment", "reason", "words"),
    [
        ('addresses = ["127.0.0.1"]', "demo", "no_config", "net.vantage"),
        (
            'vantage = "ssh://watch@example"',
            "production",
            "not_allowed",
            "no scan is started from ssh://watch@example",
        ),
        ('vantage = "local://"', "demo", "no_config", "add net.addresses"),
    ],
)
def test_without_a_vantage_or_an_address_nothing_is_scanned(
    net: str, environment: str, reason: str, words: str, tmp_path: Path
) -> None:
    """The next step is named."""
    found = scan(tmp_path, net, environment)
    assert (found.state, found.reason) == ("unseen", reason) and words in found.detail


def test_behind_a_cdn_the_servers_own_address_is_wanted(tmp_path: Path) -> None:
    """The names lead to the CDN, whose ports say nothing."""
    found = scan(
        tmp_path, 'vantage = "local://"', more='[dns]\nproxied = true\nexpected_ips = ["104.16.0.0/13"]'
    )
    assert found.reason == "no_config" and "net.addresses" in found.detail


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "::1", "fd00::1"])
def test_a_scan_from_inside_is_not_started(address: str, tmp_path: Path) -> None:
    """A private address, or this machine's own, may be reached past the wall, so nothing is scanned or proven."""
    found = scan(tmp_path, f'vantage = "local://"\naddresses = ["{address}"]', "production")
    assert found.facts.scans[0].scanned == 0
    with pytest.raises(Unproven, match="past the wall"):
        CHECK(ports_facts=found.facts)


GOOD = Scan("192.0.2.1", "", 400, (22, 80, 443), 0, 397, (), "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Scan("2001:db8::1", "", 400, (), 0, 0, (), "ENETUNREACH"), "cannot be reached"),
        (Scan("192.0.2.2", "", 400, (22, 80, 443), 0, 0, (51234,), ""), "answers for every port"),
    ],
)
def test_what_was_not_seen_is_unproven(found: Scan, words: str) -> None:
    """No way to an address, or a way on which something answers for all: beside a good one, nothing is proven."""
    with pytest.raises(Unproven, match=words):
        CHECK(ports_facts=PortsFacts("local://", False, (22, 80, 443), (), (GOOD, found)))


def test_an_open_port_counts_more_than_what_was_not_seen() -> None:
    """A finding at one address is not hidden by another that cannot be reached."""
    away = Scan("2001:db8::1", "", 400, (), 0, 0, (), "ENETUNREACH")
    bad = Scan("192.0.2.1", "", 400, (22, 80, 443, 5432), 0, 396, (), "")
    with pytest.raises(AssertionError, match="5432"):
        CHECK(ports_facts=PortsFacts("local://", False, (22, 80, 443), (), (away, bad)))


@pytest.mark.parametrize(
    ("allowed", "scans", "words"),
    [
        ((), (GOOD,), "allowed_tcp is empty"),
        ((22,), (), "no address"),
        ((22, 80, 443, 8443), (GOOD,), "8443"),
    ],
)
def test_nothing_scanned_is_nothing_proven(
    allowed: tuple[int, ...], scans: tuple[Scan, ...], words: str
) -> None:
    """No allowed port, no address, or a port that should be open and is not."""
    with pytest.raises(AssertionError, match=words):
        CHECK(ports_facts=PortsFacts("local://", False, allowed, (), scans))
