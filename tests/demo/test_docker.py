"""The demo's container engine: a project that works, an engine that keeps to itself, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.docker import engine, project, tools
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.probes import docker_engine

MISSING = tools.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=f"no container engine: {MISSING}")
GONE_S = 10.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a deployment of the engine with its project."""
    with Deployment.only(tmp_path_factory.mktemp("docker"), "containers") as deployment:
        yield deployment


def processes(world: World) -> list[int]:
    """Return the processes that belong to a folder's engine, or run in its containers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                group = (entry / "cgroup").read_text()
                if (str(world.dir) in words or engine.cgroup(world) in group) and int(
                    entry.name
                ) != os.getpid():
                    found.append(int(entry.name))
    return found


def left_behind(world: World) -> list[str]:
    """Return whatever is left of a folder's engine: processes, mounts, control groups, its socket."""
    found = [f"process {pid}" for pid in processes(world)]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(world.dir) in line]
    found += [str(folder) for folder in engine._cgroups(world)]
    return found + ["its socket"] * engine.socket_path(world).exists()


def gone(world: World) -> list[str]:
    """Return what is left after a while, in which everything should go."""
    deadline = time.monotonic() + GONE_S
    while (left := left_behind(world)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@needs_engine
def test_the_project_is_up_and_healthy(demo: Deployment) -> None:
    """Two instances and every other service are healthy, the migrations are done, and the proxy reaches them."""
    rows = project.compose(demo.world, "ps", "--all", "--format", "json").splitlines()
    states = [(one["Service"], one["State"], one["Health"], one["ExitCode"]) for one in map(json.loads, rows)]
    lasting = ("app", "app", "nginx", "postgres", "rpc", "valkey", "worker")
    assert sorted(states) == sorted(
        [*((name, "running", "healthy", 0) for name in lasting), ("migrate", "exited", "", 0)]
    )
    through = ["exec", "nginx", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/cgi-bin/health"]
    assert json.loads(project.compose(demo.world, *through)) == {"status": "ok"}


@needs_engine
def test_the_stand_ins_notice_a_dead_database(demo: Deployment) -> None:
    """The application's health check really asks: without the database it answers that it is down."""
    project.docker(demo.world, "pause", f"{project.NAME}-postgres-1")
    try:
        asked = project.compose(
            demo.world, "exec", "app", "wget", "-O", "-", "http://127.0.0.1:8000/cgi-bin/health", check=False
        )
        assert "ok" not in asked
    finally:
        project.docker(demo.world, "unpause", f"{project.NAME}-postgres-1")


@needs_engine
def test_the_engine_keeps_to_its_own_network(demo: Deployment) -> None:
    """Published ports listen in the engine's namespace and nowhere else on this machine."""
    inside = subprocess.run(
        [*engine.inside(demo.world), "ss", "-ltnH"], capture_output=True, text=True, check=True
    )
    assert {"0.0.0.0:80", "0.0.0.0:443"} <= {line.split()[3] for line in inside.stdout.splitlines()}
    assert (
        Path("/proc/self/ns/net").readlink()
        != Path(f"/proc/{demo.world.path('docker', 'namespace').read_text().strip()}/ns/net").readlink()
    )


@needs_engine
def test_no_container_runs_as_root_or_without_bounds(demo: Deployment) -> None:
    """Every container has a user, a memory limit and a log that ends."""
    ids = project.docker(demo.world, "ps", "--all", "--quiet").split()
    for one in json.loads(project.docker(demo.world, "inspect", *ids)):
        assert one["Config"]["User"] not in ("", "0", "root"), one["Name"]
        assert one["HostConfig"]["Memory"] > 0, one["Name"]
        assert one["HostConfig"]["LogConfig"]["Config"]["max-size"], one["Name"]


@needs_engine
def test_a_restarted_engine_has_its_project_again(demo: Deployment) -> None:
    """The engine begins empty, and the project is brought up on it once more."""
    before = project.docker(demo.world, "ps", "--quiet").split()
    demo.restart("docker")
    after = project.docker(demo.world, "ps", "--quiet").split()
    assert len(after) == len(before) == 7
    assert not set(after) & set(before)


@needs_engine
def test_an_open_door_is_told_by_the_engine_itself(tmp_path: Path) -> None:
    """An engine that listens without encryption says so, which is how the probe knows."""
    with Deployment.only(tmp_path, "docker") as deployment:
        world = deployment.world
        engine.configure(world, hosts=[f"unix://{engine.socket_path(world)}", "tcp://127.0.0.1:2375"])
        deployment.restart("docker")
        found = docker_engine.engine(
            project.docker(world, "version", "--format", "{{json .}}"),
            project.docker(world, "info", "--format", "{{json .}}"),
        )
    assert found is not None
    assert found.plain_api == ("http://127.0.0.1:2375",)
    assert gone(world) == []


@needs_engine
def test_nothing_is_left_after_a_kill(tmp_path: Path) -> None:
    """When the process that started it is killed, engine, containers, mounts and control groups go."""
    code = (
        "import sys, time, pathlib; from pytest_deploycheck.demo.deployment import Deployment; "
        "Deployment.only(pathlib.Path(sys.argv[1]), 'containers').start(); print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    world = World.load(tmp_path)
    assert left_behind(world)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert gone(world) == []


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that cannot run the engine says what it lacks and what would help."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in str(tools.missing.__wrapped__())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "FETCHED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "tests/docker.sh" in str(tools.missing.__wrapped__())
