"""A small world for drills: one service, shell commands, and a target file about them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.drill.driver import drilled

HERE = Path(__file__).parent
NEW, OLD = "a" * 40, "b" * 40
TARGET = """\
[target]
name = "small"
environment = "{environment}"
base_url = "http://127.0.0.1:{port}"
[release]
version = "2.0"
commit = "{new}"
db_rollback = "restore"
[health]
version_path = "/version"
[auth]
login_path = ""
[rollback]
manifest = "previous.json"
maintenance_on = "echo on >> done; touch maintenance"
maintenance_off = "echo off >> done; rm -f maintenance"
snapshot_cmd = '''echo snapshot >> done; echo '{{"id": "s1", "items": {{"database": {{}}}}}}' '''
previous_cmd = "echo previous >> done; echo {old} > version"
restore_cmd = '''echo "restore $DEPLOYCHECK_SNAPSHOT" >> done; echo '{{"from": "s1"}}' '''
forward_cmd = "echo forward >> done; rm -f broken; echo {new} > version"
routes = ["/", "/token"]
operator_source = "127.0.0.2"
[limits]
drill_quiet_s = 0.1
drill_stable_s = 0.1
drill_probe_s = 0.05
drill_close_max_s = 20
drill_open_max_s = 20
drill_previous_max_s = 3
"""


class World:
    """The folder with the target file, and what was done in it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.target = folder / "target.toml"

    def write(self, environment: str = "staging", **changes: str) -> None:
        """Write the target file; changes replace commands."""
        text = TARGET.format(environment=environment, port=self.port, new=NEW, old=OLD)
        lines = text.splitlines()
        for name, value in changes.items():
            lines = [line for line in lines if not line.startswith(f"{name} =")]
            lines.insert(lines.index("[rollback]") + 1, f"{name} = {json.dumps(value)}")
        self.target.write_text("\n".join(lines) + "\n")

    @property
    def done(self) -> list[str]:
        """What commands were run, in their order."""
        path = self.folder / "done"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def closed(self) -> bool:
        """Whether the door is closed."""
        return (self.folder / "maintenance").exists()

    @property
    def version(self) -> str:
        """The commit that the service tells."""
        return (self.folder / "version").read_text().strip()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a drill."""
        command = [sys.executable, "-m", "tests.drill.driver", str(self.target), *words]
        return subprocess.Popen(command, cwd=HERE.parents[1], stderr=subprocess.PIPE, text=True)

    def drill(self) -> dict[str, Any]:
        """Run a drill to its end in this process, and return its record."""
        return drilled(self.target)


@contextmanager
def small_world(folder: Path) -> Iterator[World]:
    """Run the service in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "version").write_text(NEW)
    (folder / "previous.json").write_text(json.dumps({"version": "1.9", "commit": OLD}))
    process = subprocess.Popen([sys.executable, str(HERE / "service.py"), str(folder), str(port)])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the service does not listen"
                time.sleep(0.05)
        world = World(folder, port)
        world.write()
        yield world
    finally:
        # The prober of a drill that was killed, and that nobody took up.
        for config in (folder / "drills").glob("*.prober.json"):
            config.with_suffix(".stop").touch()
        process.kill()
        process.wait()
