"""Pre-Deployment Checklist, Infrastructure Setup: the container engine, item 2 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.docker_engine import EngineUnit, numbers
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.docker_facts import DockerFacts

DOCKER = ("pre_deploy.infrastructure.docker", "Docker and Docker Compose installed")
STARTS_AT_BOOT = ("enabled", "alias", "generated")
UNBOUNDED_LOGS = ("json-file", "k8s-file")
"""Log drivers that write to a file and never begin a new one unless a size is set."""
STARTERS = {
    "docker": ("docker.service", "snap.docker.dockerd.service"),
    "podman": ("podman-restart.service", "podman.service", "podman.socket"),
}
"""Units that bring an engine's containers back after a reboot; one of them must start by itself."""


@pytest.mark.checklist(DOCKER[0], text=DOCKER[1])
def test_docker(docker_facts: DockerFacts, limits: Limits) -> None:
    """An engine answers behind the docker command, and is recent enough to get fixes."""
    engine = docker_facts.engine
    oldest = limits.docker_podman_min if engine.kind == "podman" else limits.docker_engine_min
    assert numbers(engine.version), f"{engine.kind} does not tell its version: {engine.version!r}"
    assert numbers(engine.version)[0] >= oldest, (
        f"{engine.kind} is version {engine.version}, {oldest} is asked for"
    )


@pytest.mark.checklist(DOCKER[0], text=DOCKER[1])
def test_docker_compose(docker_facts: DockerFacts, limits: Limits) -> None:
    """Compose is the one that is still made, as a plugin or by itself, and not too old."""
    tool = docker_facts.compose
    assert tool.version, (
        f"docker-compose {tool.standalone} is the first Compose, which gets no fixes; install the plugin"
        if tool.standalone
        else "docker has no Compose plugin, and there is no docker-compose"
    )
    oldest = (limits.docker_compose_major_min, limits.docker_compose_minor_min)
    assert numbers(tool.version)[:2] >= oldest, (
        f"Compose is version {tool.version}, {oldest[0]}.{oldest[1]} is asked for"
    )


@pytest.mark.checklist(DOCKER[0], text=DOCKER[1])
def test_docker_comes_back(docker_facts: DockerFacts) -> None:
    """The engine is started by the machine's own start, so that a reboot is no outage."""
    engine = docker_facts.engine
    if docker_facts.units is None:
        unproven(
            Reason.NO_ACCESS, "systemd does not answer on the server: nothing shows what starts the engine"
        )
    units = [
        one
        for one in docker_facts.units
        if one.name in STARTERS.get(engine.kind, ()) and one.user is engine.rootless
    ]
    assert units, f"no unit of systemd starts {_described(engine.kind, engine.rootless)}"
    starting = [one for one in units if one.enabled in STARTS_AT_BOOT]
    assert starting, f"after a reboot nothing starts the engine: {', '.join(map(_state, units))}"
    if engine.kind == "docker":
        assert any(one.active == "active" for one in starting), (
            f"the engine answers, but not the one that a reboot starts: {', '.join(map(_state, starting))}"
        )
    if engine.rootless:
        if docker_facts.linger is None:
            unproven(Reason.NO_ACCESS, "the server does not tell whose units start without a login")
        assert docker_facts.linger, (
            "the rootless engine's user does not linger: it starts with the next login only"
        )


@pytest.mark.checklist(DOCKER[0], text=DOCKER[1])
def test_docker_rotates_logs(docker_facts: DockerFacts) -> None:
    """No running container may fill the disk with its log."""
    running = [one for one in docker_facts.containers if one.running]
    if not running and docker_facts.engine.log_driver in UNBOUNDED_LOGS:
        unproven(Reason.NO_EVIDENCE, "no container runs: nothing shows whether the engine bounds its logs")
    if not running:
        driver = docker_facts.engine.log_driver
        assert driver not in ("", *UNBOUNDED_LOGS), "the engine names no driver for logs"
    for one in running:
        assert one.log_driver not in UNBOUNDED_LOGS or one.log_max_size, (
            f"{one.label} logs to {one.log_driver} without max-size: its log grows until the disk is full"
        )


@pytest.mark.checklist(DOCKER[0], text=DOCKER[1])
def test_docker_has_no_open_door(docker_facts: DockerFacts) -> None:
    """The engine's API, which is root on the server, is not to be had without encryption."""
    assert not docker_facts.engine.plain_api, (
        f"the engine answers without encryption at {', '.join(docker_facts.engine.plain_api)}"
    )
    if docker_facts.listeners is None:
        unproven(Reason.NO_ACCESS, "ss does not run on the server: nothing shows who listens on 2375")
    assert not docker_facts.listeners, f"something listens at {', '.join(docker_facts.listeners)}"


def _described(kind: str, rootless: bool) -> str:
    return f"the rootless {kind}" if rootless else kind


def _state(unit: EngineUnit) -> str:
    return f"{unit.name} is {unit.enabled or 'unknown'} and {unit.active or 'unknown'}"
