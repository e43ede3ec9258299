"""Fifty servers at once: each logged in to once, asked three commands at most, and hardly later than one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fleet.servers import Fleet, Load
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load

SERVERS = 50


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run fifty SSH servers, 20 ms away."""
    with Fleet(tmp_path_factory.mktemp("fleet"), SERVERS) as running:
        yield running


def look(fleet: Fleet, count: int) -> tuple[float, Observation]:
    """Look at the first servers by a whole run; the seconds it took, and what was seen."""
    begun = time.monotonic()
    seen = Run(load(fleet.target(count))).gather(["host"], registry())["host"]
    return time.monotonic() - begun, seen


def test_fifty_servers(fleet: Fleet, tmp_path: Path) -> None:
    """Fifty servers take no more than three times as long as one, by one login and three commands each."""
    one_s, first = look(fleet, 1)
    assert first.state == "seen", first.detail
    before = [fleet.load(number) for number in range(SERVERS)]
    many_s, seen = look(fleet, SERVERS)
    assert seen.state == "seen", seen.detail
    assert [server.uri for server in seen.facts.servers] == fleet.uris
    assert seen.facts.unreachable == ()
    for server in seen.facts.servers:
        assert server.mem_total_bytes and server.cpus and server.filesystems and server.steal is not None
    for number, old in enumerate(before):
        new = fleet.load(number)
        asked = Load(new.logins - old.logins, new.commands - old.commands)
        assert asked.logins == 1, f"server {number}: {asked}"
        assert asked.commands <= 3, f"server {number}: {asked}"
    assert many_s <= 3 * one_s, f"{SERVERS} servers took {many_s:.1f} s, one {one_s:.1f} s"


def test_a_dead_server_among_fifty_is_named(fleet: Fleet) -> None:
    """One server of fifty that is not there is the only one that is missing."""
    target = fleet.target(SERVERS)
    gone = "ssh://nobody@127.0.0.1:1"
    target.write_text(target.read_text().replace(f'"{fleet.uris[30]}"', f'"{gone}"'))
    seen = Run(load(target)).gather(["host"], registry())["host"]
    assert [one.uri for one in seen.facts.unreachable] == [gone]
    assert len(seen.facts.servers) == SERVERS - 1
