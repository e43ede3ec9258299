"""Faults of Infrastructure Setup, the container engine: away, too old, open to all, or gone after a reboot."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.docker import engine
from tests.faults import tools
from tests.faults.containers import command, deployed
from tests.faults.harness import fault
from tests.faults.services import HEALTH, IMAGES, ORDER
from tests.faults.tools import edited

DOCKER = "pre_deploy.infrastructure.docker"
ENGINE: dict[str, Any] = {"probes": ("docker",), "needs": ("containers", "server")}
CONTAINERS = (IMAGES, ORDER, HEALTH)


@fault(DOCKER, "the client answers and no engine", **ENGINE)
@contextmanager
def no_engine(demo: Deployment) -> Iterator[None]:
    """Take the engine's socket away, so that the client finds nobody."""
    place = engine.socket_path(demo.world)
    aside = place.with_name("aside.sock")
    place.rename(aside)
    try:
        yield
    finally:
        aside.rename(place)


@fault(DOCKER, "docker is not installed", **ENGINE)
@contextmanager
def not_installed(demo: Deployment) -> Iterator[None]:
    """Let the server know no such command."""
    with command(demo, "docker", "echo 'sh: 1: docker: not found' >&2; exit 127"):
        yield


@fault(DOCKER, "the engine is of a version that gets no fixes", **ENGINE)
@contextmanager
def old_engine(demo: Deployment) -> Iterator[None]:
    """Let the engine tell an older version; everything else it says is its own."""
    real = (
        demo.world.path("server", "bin", "docker")
        .read_text()
        .replace("exec ", "")
        .removeprefix("#!/bin/sh\n")
    )
    version = ".".join(map(str, engine.tools.engine_version()))
    with command(demo, "docker", f"{{\n{real}\n}} | sed 's/{version}/20.10.24/g'"):
        yield


@fault(DOCKER, "Compose is the first one", also=CONTAINERS, **ENGINE)
@contextmanager
def first_compose(demo: Deployment) -> Iterator[None]:
    """Take the plugin away, and let the old program answer in its place."""
    with no_plugin(demo), command(demo, "docker-compose", "echo 1.29.2"):
        yield


@fault(DOCKER, "there is no Compose", also=CONTAINERS, **ENGINE)
@contextmanager
def no_compose(demo: Deployment) -> Iterator[None]:
    """Take the plugin away."""
    with no_plugin(demo):
        yield


@contextmanager
def no_plugin(demo: Deployment) -> Iterator[None]:
    """Let the docker command find no plugin."""
    settings = demo.world.path("docker", "client", "config.json")
    with edited(settings, ("cli-plugins", "none")):
        yield


@fault(DOCKER, "Compose is too old", also=(IMAGES,), **ENGINE)
@contextmanager
def old_compose(demo: Deployment) -> Iterator[None]:
    """Let Compose tell an older version; everything else it says is its own."""
    real = demo.world.path("server", "bin", "docker").read_text().removeprefix("#!/bin/sh\n")
    with command(
        demo, "docker", f'test "$*" != "compose version --short" || {{ echo 2.20.3; exit; }}\n{real}'
    ):
        yield


@fault(DOCKER, "the engine is not enabled", **ENGINE)
@contextmanager
def not_enabled(demo: Deployment) -> Iterator[None]:
    """Let the engine run today, and not after the next reboot."""
    with unit(demo, UnitFileState="disabled"):
        yield


@fault(DOCKER, "the engine runs and its unit does not", **ENGINE)
@contextmanager
def not_active(demo: Deployment) -> Iterator[None]:
    """Let somebody have started the engine by hand."""
    with unit(demo, ActiveState="failed", SubState="failed"):
        yield


@fault(DOCKER, "no unit starts the engine", **ENGINE)
@contextmanager
def no_unit(demo: Deployment) -> Iterator[None]:
    """Let systemd know nothing of an engine."""
    with unit(demo, LoadState="not-found"):
        yield


@contextmanager
def unit(demo: Deployment, **changes: str) -> Iterator[None]:
    """Change what systemd says of the engine."""
    with tools.units_edited(demo, lambda units: units["docker.service"].update(changes)):
        yield


@fault(DOCKER, "a container's log grows for ever", **ENGINE)
@contextmanager
def unbounded_log(demo: Deployment) -> Iterator[None]:
    """Deploy a service without a size for its log."""
    with deployed(demo, logging=None):
        yield


@fault(DOCKER, "somebody listens on the port of the plain API", **ENGINE)
@contextmanager
def plain_port(demo: Deployment) -> Iterator[None]:
    """Listen on port 2375, as an engine with -H tcp:// does."""
    with socket.socket() as server:
        # An address of its own, since other workers of the tests may do the same.
        server.bind((f"127.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}.2", 2375))
        server.listen()
        yield
