"""What faults do to the demo's containers: by its engine, and by the Compose project's file."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.docker import project

LEAF = "worker"
"""The service that no other one waits for: what is done to it disturbs nobody's order."""
_SETTLE_S = 10.0


@contextmanager
def declared(demo: Deployment, service: str, **changes: Any) -> Iterator[None]:
    """Change keys of a service in the project's file, None takes one out; the containers stay as they are."""
    path = demo.world.path("docker", "compose.yml")
    before = path.read_bytes()
    content = yaml.safe_load(before)
    entry = content["services"][service]
    for key, value in changes.items():
        assert entry.get(key) != value, (
            f"{service} has {key}={value!r} already; the fault would break nothing"
        )
        entry[key] = value
    content["services"][service] = {key: value for key, value in entry.items() if value is not None}
    path.write_text(yaml.safe_dump(content))
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def deployed(demo: Deployment, service: str = LEAF, **changes: Any) -> Iterator[None]:
    """Change a service in the project's file and bring it up like that; afterwards the same backwards."""
    try:
        with declared(demo, service, **changes):
            bring_up(demo, service)
            yield
    finally:
        bring_up(demo, service)
        project.wait_healthy(demo.world)


def bring_up(demo: Deployment, service: str, *options: str) -> None:
    """Make the containers of one service anew where its declaration asks for it, and of no other one."""
    project.compose(demo.world, "up", "--detach", "--no-deps", *options, service)


@contextmanager
def made_anew(demo: Deployment, service: str = LEAF) -> Iterator[None]:
    """Make a service's container anew afterwards, whatever became of it."""
    try:
        yield
    finally:
        bring_up(demo, service, "--force-recreate")
        project.wait_healthy(demo.world)


@contextmanager
def run(demo: Deployment, name: str, image: str, *options: str) -> Iterator[None]:
    """Run a container by hand, and take it away afterwards."""
    bounded = ("--log-opt", "max-size=1m")
    project.docker(demo.world, "run", "--detach", "--name", name, *bounded, *options, image)
    try:
        yield
    finally:
        project.docker(demo.world, "rm", "--force", name)


def container(service: str = LEAF, number: int = 1) -> str:
    """Return a container's name."""
    return f"{project.NAME}-{service}-{number}"


def inspect(demo: Deployment, name: str) -> dict[str, Any]:
    """Return what the engine says of a container."""
    found: dict[str, Any] = json.loads(project.docker(demo.world, "inspect", name))[0]
    return found


def until(demo: Deployment, name: str, wanted: Any) -> None:
    """Wait until the engine says of a container what `wanted` asks for."""
    deadline = time.monotonic() + _SETTLE_S
    while not wanted(inspect(demo, name)):
        assert time.monotonic() < deadline, f"{name} did not come to that: {inspect(demo, name)['State']}"
        time.sleep(0.05)


def crash(demo: Deployment, name: str) -> None:
    """Kill a container's process from outside, as the kernel does, and wait until the engine started it again."""
    before = inspect(demo, name)
    first = demo.world.path("docker", "namespace").read_text().strip()
    inside = ["nsenter", "--target", first, "--pid", "--mount", "kill", "-9", str(before["State"]["Pid"])]
    subprocess.run(inside, check=True)
    until(demo, name, lambda now: now["RestartCount"] > before["RestartCount"] and now["State"]["Running"])


def image_of(demo: Deployment, name: str) -> str:
    """Return the reference that a container was made from."""
    return str(inspect(demo, name)["Config"]["Image"])


@contextmanager
def command(demo: Deployment, name: str, script: str) -> Iterator[None]:
    """Put another program before the server's PATH under a name; afterwards the one that was there."""
    path: Path = demo.world.path("server", "bin", name)
    before = path.read_text() if path.exists() else None
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
