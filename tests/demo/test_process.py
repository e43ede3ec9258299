"""Daemons: awaited, stopped with their children, and swept up when their parent is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_deploycheck.demo.process import Daemon, StartError, answers
from pytest_deploycheck.demo.world import World

from .conftest import gone, processes_of

# A shell whose child ignores SIGTERM, as a stubborn worker would.
STUBBORN = "trap 'exit 0' TERM; (trap '' TERM; exec sleep 600) & while :; do wait; done"


def never() -> bool:
    """Not ready."""
    return False


def always() -> bool:
    """Ready at once."""
    return True


def test_waits_until_the_server_answers(tmp_path: Path) -> None:
    """A daemon is ready when its port answers, not when its process exists."""
    port = World(tmp_path).port("web")
    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    daemon = Daemon("web", argv, home=tmp_path / "web", ready=lambda: answers(port))
    daemon.start()
    try:
        daemon.wait_ready()
        assert answers(port)
        assert (tmp_path / "web" / "web.pid").read_text() == f"{daemon.pid}\n"
    finally:
        daemon.stop()
    assert not daemon.running
    assert daemon.pid is None
    assert not (tmp_path / "web" / "web.pid").exists()


def test_a_daemon_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The error holds the status and the last 20 lines, with the deployment's secrets taken out."""
    secret = World(tmp_path).secret("jwt_secret")
    script = f"seq 1 30; echo the key is {secret}; exit 3"
    daemon = Daemon("bad", ["sh", "-c", script], home=tmp_path / "bad", ready=never)
    daemon.start()
    with pytest.raises(StartError, match=r"bad ended with status 3 before it was ready") as caught:
        daemon.wait_ready()
    lines = str(caught.value).splitlines()
    assert lines[-1] == "the key is ***"
    assert len(lines[1:]) == 20
    daemon.stop()


def test_a_daemon_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    """The start timeout ends the wait and is named."""
    daemon = Daemon("slow", ["sleep", "600"], home=tmp_path, ready=never, start_timeout=0.2)
    daemon.start()
    with pytest.raises(StartError, match=r"slow was not ready after 0.2 s; .*slow.log is empty"):
        daemon.wait_ready()
    daemon.stop()


def test_stop_takes_the_children_too(tmp_path: Path) -> None:
    """A child that ignores SIGTERM does not survive its leader."""
    daemon = Daemon("tree", ["sh", "-c", STUBBORN], home=tmp_path, ready=always)
    daemon.start()
    while len(processes_of(tmp_path)) < 2:
        time.sleep(0.02)
    daemon.stop()
    assert gone(tmp_path) == {}


def test_stop_kills_after_the_grace_period(tmp_path: Path) -> None:
    """A leader that ignores SIGTERM is killed."""
    script = "trap '' TERM; echo up; while :; do sleep 600; done"
    daemon = Daemon("deaf", ["sh", "-c", script], home=tmp_path, ready=always)
    daemon.start()
    while "up" not in daemon.log.read_text():
        time.sleep(0.02)
    daemon.stop(grace=0.2)
    assert gone(tmp_path) == {}


def test_only_the_given_environment_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller has in its environment stays there, but for PATH and the like."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-children")
    daemon = Daemon("env", ["env"], home=tmp_path, ready=never, env={"REDIS_URL": "here"})
    daemon.start()
    with pytest.raises(StartError):
        daemon.wait_ready()
    text = daemon.log.read_text()
    assert "REDIS_URL=here" in text
    assert "PATH=" in text
    assert "not-for-children" not in text
    daemon.stop()


def test_nothing_survives_a_killed_parent(tmp_path: Path) -> None:
    """When the parent is killed, its daemon ends, and so does a child that ignores the polite signal."""
    code = f"""
import os, signal, time
from pathlib import Path
from pytest_deploycheck.demo.process import Daemon
Daemon("tree", ["sh", "-c", {STUBBORN!r}], home=Path({str(tmp_path)!r}), ready=lambda: True).start()
print("started", flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    while len(processes_of(tmp_path)) < 2:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(tmp_path) == {}


def test_a_lost_watchdog_is_replaced(tmp_path: Path) -> None:
    """After the watchdog itself was killed, the next daemon brings a new one, which knows the older too."""
    code = f"""
import os, signal, subprocess, time
from pathlib import Path
from pytest_deploycheck.demo.process import Daemon
def start(name):
    Daemon(name, ["sleep", "600"], home=Path({str(tmp_path)!r}), ready=lambda: True).start()
start("one")
watchdog = ""
while not watchdog:
    children = Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split()
    named = [pid for pid in children if b"watchdog.py" in Path(f"/proc/{{pid}}/cmdline").read_bytes()]
    watchdog = "".join(named)
os.kill(int(watchdog), signal.SIGKILL)
os.waitpid(int(watchdog), 0)
start("two")
print("started", flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    while len(processes_of(tmp_path)) < 2:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(tmp_path) == {}
