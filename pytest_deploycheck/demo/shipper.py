"""The log agent: follows every log file of the demo and pushes its lines to Loki. A process of its own.

DIR/shipper/config.json says what is followed (`sources`: service, path, further labels), where it goes
(`loki`), how often files are looked at (`poll_s`) and by how much its clock is off (`skew_s`); SIGHUP makes
an edit effective. DIR/shipper/positions.json remembers how far each file was shipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import log_lines
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.standin_http import Listener, Request, Response
from pytest_deploycheck.demo.world import World

SOURCES = (
    ("app1", "logs/app1.jsonl"),
    ("app2", "logs/app2.jsonl"),
    ("nginx", "logs/nginx-access.jsonl"),
    ("nginx", "logs/nginx-error.log"),
    ("postgres", "logs/postgres.log"),
    ("valkey", "logs/valkey.log"),
)
SERVICES = tuple(dict.fromkeys(service for service, _ in SOURCES))
_POLL_S = 0.2
_MAX_READ_BYTES = 1 << 20
_MAX_BACKOFF_S = 2.0
_PUSH_TIMEOUT_S = 5.0


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def configure(world: World) -> None:
    """Write the configuration, over whatever was there."""
    config = {
        "loki": world.url("loki"),
        "poll_s": _POLL_S,
        "skew_s": 0,
        "sources": [
            {"path": path, "labels": {"service": service, "host": "demo", "file": Path(path).name}}
            for service, path in SOURCES
        ],
    }
    world.path("shipper", "config.json").write_text(json.dumps(config, indent=2) + "\n")


def daemon(world: World) -> Daemon:
    """Return the agent; it waits for files and for Loki as long as it must."""
    configure(world)
    port = world.port("shipper")
    return Daemon(
        "shipper",
        [sys.executable, "-m", "pytest_deploycheck.demo.shipper", world.dir],
        home=world.path("shipper"),
        ready=lambda: answers(port),
    )


def reload(world: World, daemon: Daemon) -> None:
    """Make an edited configuration effective."""
    del world
    daemon.signal(signal.SIGHUP)


@dataclass
class Tail:
    """One followed file: where reading goes on, and in which file it was."""

    path: Path
    inode: int = 0
    offset: int = 0

    def read(self) -> list[str]:
        """Return the complete lines that were added; a replaced or shortened file is read from its start."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self.inode or status.st_size < self.offset:
                    self.inode, self.offset = status.st_ino, 0
                if status.st_size == self.offset:
                    return []
                file.seek(self.offset)
                chunk = file.read(_MAX_READ_BYTES)
        except OSError:
            return []
        end = chunk.rfind(b"\n") + 1
        if end == 0 and len(chunk) == _MAX_READ_BYTES:
            end = len(chunk)  # a line longer than the buffer is shipped in parts
        self.offset += end
        return [line for line in chunk[:end].decode(errors="replace").splitlines() if line.strip()]


@dataclass
class Shipper:
    """Reads, stamps and pushes until told to end; unsent lines wait until Loki answers again."""

    world: World
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)  # (service, level)
    sent: int = 0
    dropped: int = 0
    retries: int = 0
    _tails: dict[str, Tail] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._positions = self.world.path("shipper", "positions.json")
        self.config: dict[str, Any] = {}
        self.load()

    def load(self) -> None:
        """Read the configuration again."""
        self.config = json.loads(self.world.path("shipper", "config.json").read_text())
        known: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self._positions.read_text())
        for source in self.config["sources"]:
            path = source["path"]
            if path not in self._tails:
                self._tails[path] = Tail(self.world.dir / path, **known.get(path, {}))
            for level in log_lines.LEVELS:
                self.lines[(source["labels"].get("service", ""), level)] += 0

    def collect(self) -> list[dict[str, Any]]:
        """Return the new lines of every source, as streams of a push request."""
        skew = int(float(self.config.get("skew_s", 0)) * 10**9)
        streams = []
        for source in self.config["sources"]:
            values = []
            for line in self._tails[source["path"]].read():
                written, level = log_lines.parse(line)
                # A line without a time belongs to the one before it; without that, to now.
                at = written or self._last.get(source["path"]) or time.time_ns()
                self._last[source["path"]] = at
                self.lines[(source["labels"].get("service", ""), level)] += 1
                values.append([str(at + skew), line])
            if values:
                streams.append({"stream": source["labels"], "values": values})
        return streams

    def push(self, streams: list[dict[str, Any]], ended: threading.Event) -> None:
        """Deliver, again while Loki is away or overloaded; what it refuses is dropped and counted."""
        count = sum(len(stream["values"]) for stream in streams)
        body = json.dumps({"streams": streams}).encode()
        wait = 0.1
        while not ended.is_set():
            request = urllib.request.Request(  # noqa: S310 - the address is configured
                f"{self.config['loki']}/loki/api/v1/push", body, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=_PUSH_TIMEOUT_S):  # noqa: S310
                    self.sent += count
                    return
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    self.dropped += count
                    return
            except OSError:
                pass
            self.retries += 1
            ended.wait(wait)
            wait = min(wait * 2, _MAX_BACKOFF_S)

    def run(self, ended: threading.Event, reload: threading.Event) -> None:
        """Follow the files until `ended`; whenever `reload` is set, read the configuration again."""
        while not ended.wait(float(self.config.get("poll_s", _POLL_S))):
            if reload.is_set():
                reload.clear()
                self.load()
            streams = self.collect()
            if streams:
                self.push(streams, ended)
                if not ended.is_set():
                    self._save()

    def _save(self) -> None:
        places = {path: {"inode": tail.inode, "offset": tail.offset} for path, tail in self._tails.items()}
        scratch = self._positions.with_suffix(".new")
        scratch.write_text(json.dumps(places, indent=2) + "\n")
        scratch.replace(self._positions)

    def metrics(self, request: Request) -> Response:
        """Serve /metrics."""
        if request.path != "/metrics":
            return Response("404 page not found\n", 404)
        page = "# TYPE shipper_lines_total counter\n"
        for (service, level), count in sorted(self.lines.items()):
            page += f'shipper_lines_total{{source="{service}",level="{level}"}} {count}\n'
        for name, value in (("sent", self.sent), ("dropped", self.dropped), ("retries", self.retries)):
            page += f"# TYPE shipper_{name}_total counter\nshipper_{name}_total {value}\n"
        return Response(page, content_type="text/plain; version=0.0.4")


def main(directory: str) -> None:
    """Run until SIGTERM or SIGINT."""
    ended, reload = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    world = World.load(Path(directory))
    shipper = Shipper(world)
    Listener(world.port("shipper"), shipper.metrics).start()
    shipper.run(ended, reload)


if __name__ == "__main__":
    main(sys.argv[1])
