"""`demo up` runs in the foreground: it says what becomes ready, and ends cleanly on a signal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_deploycheck import target
from pytest_deploycheck.demo.units import UNITS, healthy
from pytest_deploycheck.demo.world import World

from .conftest import gone

# Far beyond the two seconds that it takes on an idle laptop.
PATIENCE_S = 90.0


@contextmanager
def running(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the command; whatever the test does, it is over afterwards."""
    command = [sys.executable, "-m", "pytest_deploycheck.demo", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Read the output up to and with the line that holds the words."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"no line with {words!r} in: {''.join(lines)}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_whole_deployment_comes_up_and_goes(tmp_path: Path, number: signal.Signals) -> None:
    """Every unit is told, /health through the edge is ok, the target file loads, a signal ends it all."""
    with running(tmp_path) as process:
        text = "".join(lines_until(process, "Ctrl-C stops it"))
        for unit in UNITS:
            assert f" s  {unit.name}\n" in text or f"absent  {unit.name}: " in text
        answer = healthy(World.load(tmp_path))
        assert (answer["http_status"], answer["status"]) == (200, "ok")
        assert answer["commit"] == World.load(tmp_path).release.commit
        assert {part["status"] for part in answer["components"].values()} == {"ok"}
        loaded = target.load(tmp_path / "target.toml")
        assert loaded.target.base_url == World.load(tmp_path).url("edge")
        assert loaded.db is not None
        assert loaded.db.dsn.resolve().get_secret_value().startswith("postgresql://deploycheck:")
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "stopped\n"
    assert gone(tmp_path) == {}


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    """Ctrl-C before everything is up stops what was started."""
    with running(tmp_path) as process:
        lines_until(process, " s  ")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert "stopped while starting\n" in process.stdout.read()
    assert gone(tmp_path) == {}


def test_a_server_that_ends_is_told(tmp_path: Path) -> None:
    """A server killed by hand is named with its log, and the others go on."""
    with running(tmp_path) as process:
        lines_until(process, "Ctrl-C stops it")
        pid = int(World.load(tmp_path).path("valkey", "valkey.pid").read_text())
        subprocess.run(["kill", "-KILL", str(pid)], check=True)
        (line,) = lines_until(process, "ended")
        assert line.split() == ["ended", "valkey:", str(tmp_path / "logs" / "valkey.log")]
        assert healthy(World.load(tmp_path))["http_status"] == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert gone(tmp_path) == {}


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """Status 1, the reason on stderr, and nothing left."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "data").write_text("a file where a folder should be")
    with running(tmp_path) as process:
        lines_until(process, "the deployment could not start: ")
        assert process.wait(PATIENCE_S) == 1
    assert gone(tmp_path) == {}
