"""The service as a Compose project on the demo's engine: DIR/docker/compose.yml, brought up afresh at start."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.docker import engine, tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

NAME = "token-service"
_TIMEOUT_S = 60.0
_HEALTHY_S = 20.0


class DockerError(RuntimeError):
    """A docker command failed; the message has the end of what it said."""


def available() -> str | None:
    """Return None, or why this machine runs no engine of the demo's own."""
    return tools.missing()


def daemons(world: World) -> list[Daemon]:
    """Write the project's file; its processes are the engine's."""
    write(world)
    return []


def write(world: World) -> None:
    """Write the project's file for the release."""
    values: dict[str, Any] = {
        name.replace("-", "_"): image.reference for name, image in images.ensure(world).items()
    }
    values["env_file"] = json.dumps(str(service.env_file(world)))
    values["build"] = json.dumps(str(world.path("server", "checkout")))
    render("compose.yml", world.path("docker", "compose.yml"), **values)


def up(world: World) -> None:
    """Bring every service up, and wait until each is healthy."""
    compose(world, "up", "--detach", "--quiet-pull", "--remove-orphans")
    wait_healthy(world)


def wait_healthy(world: World) -> None:
    """Return when no container is starting any more; DockerError when one is after 20 s."""
    deadline = time.monotonic() + _HEALTHY_S
    while True:
        starting = docker(world, "ps", "--filter", "health=starting", "--format", "{{.Names}}").split()
        if not starting:
            return
        if time.monotonic() > deadline:
            raise DockerError(f"still starting after {_HEALTHY_S:g} s: {', '.join(starting)}")
        time.sleep(0.1)


def docker(world: World, *arguments: str, check: bool = True) -> str:
    """Run the docker command against the demo's engine and return what it printed."""
    command = [str(tools.find("docker")), *arguments]
    environment = {**os.environ, **engine.client_environment(world), "PATH": tools.search_path()}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_TIMEOUT_S)
    if check and done.returncode != 0:
        said = "\n".join(done.stderr.splitlines()[-6:])
        raise DockerError(f"docker {' '.join(arguments[:4])} ended with {done.returncode}:\n{said}")
    return done.stdout


def compose(world: World, *arguments: str, check: bool = True) -> str:
    """Run docker compose on the project."""
    return docker(
        world, "compose", "--file", str(world.path("docker", "compose.yml")), *arguments, check=check
    )


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return what the target file says of the project."""
    return {
        "docker": {"project": NAME},
        # The folder's first start began the deployment, and each start after it repeats it.
        "release": {"deploy_started_at": world.release.deployed_at},
        "limits": {"services_stable_s": 1.0},
        "standins": {
            "containers": "small programs in the containers; the demo's servers run beside them as processes"
        },
    }
