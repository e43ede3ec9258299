"""Measure a look at one and at fifty servers, and the same facts by testinfra, one command after another.

    python benchmarks/fleet/measure.py [--servers 50] [--plain 5] [--runs 3] [FOLDER]

Prints a table in Markdown. Ratios are what counts; seconds say more about the machine.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet.servers import DELAY_S, Fleet, Load
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from pytest_deploycheck.transports.shell import Done

WINDOW_S = 0.5
"""Seconds between the two looks at the counters: 5 in production, where they would hide what is measured here."""


@dataclass(frozen=True)
class Measured:
    """One row: how long it took, and the most that one server was asked."""

    what: str
    servers: int
    seconds: float
    most: Load


class PlainTestinfra:
    """What the probe `host` asks, over testinfra as it is: a command after another, a server after another."""

    def __init__(self, uris: Sequence[str], ssh_config: Path) -> None:
        testinfra = importlib.import_module("testinfra")
        self._hosts = {uri: testinfra.get_host(uri, ssh_config=str(ssh_config)) for uri in uris}
        self._done: dict[tuple[str, str], Done] = {}

    def servers(self) -> tuple[str, ...]:
        """Return the servers."""
        return tuple(self._hosts)

    def dead_servers(self) -> dict[str, str]:
        """Return those that run no command: here an exception ends everything."""
        return {}

    def read(self, command: str, server: str) -> Done:
        """Run a command, once."""
        if (server, command) not in self._done:
            sent_at = time.time()
            done = self._hosts[server].run(command)
            out, err = done.stdout_bytes.decode(errors="replace"), done.stderr_bytes.decode(errors="replace")
            self._done[server, command] = Done(done.rc, out, err, sent_at, time.time())
        return self._done[server, command]

    def fetch(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Run the commands that only a first look could tell of."""
        for server, commands in wanted.items():
            for command in commands:
                self.read(command, server)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)


def ours(target: Path) -> Any:
    """Look by a whole run, connections and their end included."""
    seen = Run(load(target)).gather(["host"], registry())["host"]
    if seen.state != "seen":
        raise RuntimeError(seen.detail)
    return seen.facts


def plain(target: Path, uris: Sequence[str], ssh_config: Path) -> Any:
    """Look by testinfra."""
    loaded = load(target)
    connect = PlainTestinfra(uris, ssh_config)
    commands = importlib.import_module("pytest_deploycheck.probes.host").FIRST
    for uri in uris:
        for command in commands:
            connect.read(command, uri)
    return registry()["host"].function(target=loaded, connect=connect, limits=loaded.limits)


def timed(fleet: Fleet, what: str, count: int, runs: int, look: Callable[[], Any]) -> Measured:
    """Look some times; the median, and the most that a server saw in one of them."""
    seconds, most = [], Load(0, 0)
    for _ in range(runs):
        before = [fleet.load(number) for number in range(count)]
        begun = time.monotonic()
        facts = look()
        seconds.append(time.monotonic() - begun)
        if len(facts.servers) != count or any(not one.filesystems for one in facts.servers):
            raise RuntimeError(f"{what}: not everything was seen on {count} servers")
        for number, old in enumerate(before):
            new = fleet.load(number)
            most = Load(
                max(most.logins, new.logins - old.logins), max(most.commands, new.commands - old.commands)
            )
    return Measured(what, count, statistics.median(seconds), most)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=None)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument(
        "--plain", type=int, default=5, help="servers that testinfra is measured on besides one"
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fleet-"))
    rows = []
    with Fleet(folder, options.servers) as fleet:
        for count in (1, options.servers):
            target = fleet.target(count, f"host_steal_window_s = {WINDOW_S}")
            rows.append(timed(fleet, "ours", count, options.runs, partial(ours, target)))
        for count in (1, options.plain):
            target, uris = fleet.target(count, f"host_steal_window_s = {WINDOW_S}"), fleet.uris[:count]
            look = partial(plain, target, uris, fleet.ssh_config)
            rows.append(timed(fleet, "testinfra, one command after another", count, 1, look))
    print(f"A round trip takes {DELAY_S * 1000:.0f} ms more than on loopback.\n")
    print("| look | servers | wall time | a server: logins | a server: commands |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.what} | {row.servers} | {row.seconds:.2f} s | {row.most.logins} | {row.most.commands} |"
        )
    one, many, plain_one, plain_some = rows
    print(f"\n{many.servers} servers take {many.seconds / one.seconds:.2f} times as long as one.")
    print(f"testinfra / ours on one server: {plain_one.seconds / one.seconds:.1f}")
    rate = (plain_some.seconds - plain_one.seconds) / (plain_some.servers - 1)
    estimate = plain_one.seconds + rate * (many.servers - 1)
    print(
        f"testinfra / ours on {many.servers} servers, from {rate:.2f} s for each more: {estimate / many.seconds:.0f}"
    )
    if not shutil.which("serverspec-init"):
        print("serverspec was not measured: no Ruby gem is installed here.")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
