"""Checks of the container engine, over the facts of recorded engines with one thing changed at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes import docker_engine
from pytest_deploycheck.probes.docker_engine import ComposeTool, Engine, EngineUnit
from pytest_deploycheck.probes.docker_facts import DockerFacts
from tests.probes.docker_samples import facts, text, with_container
from tests.suites.checks import suite

CHECKS = suite("pre_deploy/test_infrastructure_docker.py")
ENABLED = EngineUnit("docker.service", "enabled", "active", False)


def run(name: str, seen: DockerFacts) -> None:
    """Run one check over facts."""
    given = {"docker_facts": seen, "limits": Limits()}
    function = CHECKS[name]
    wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
    function(**{key: value for key, value in given.items() if key in wanted})


def engine(**changes: Any) -> Engine:
    """Return the recorded engine, otherwise in something."""
    return dataclasses.replace(facts().engine, **changes)


def podman(**changes: Any) -> Engine:
    """Return podman as it was recorded, otherwise in something."""
    found = docker_engine.engine(text("podman-4.3-version.json"), text("podman-4.3-info.json"))
    assert found is not None
    return dataclasses.replace(found, **changes)


def units(*found: EngineUnit, **changes: Any) -> DockerFacts:
    """Return facts in which systemd knows these units."""
    return facts(units=found, **changes)


WRONG: list[tuple[str, DockerFacts, str]] = [
    ("test_docker", facts(engine=engine(version="24.0.9")), "docker is version 24.0.9, 25 is asked for"),
    ("test_docker", facts(engine=engine(version="library-import")), "does not tell its version"),
    ("test_docker", facts(engine=podman(version="3.4.4")), "podman is version 3.4.4"),
    ("test_docker_compose", facts(compose=ComposeTool("", "")), "no Compose plugin"),
    ("test_docker_compose", facts(compose=ComposeTool("", "1.29.2")), "the first Compose"),
    ("test_docker_compose", facts(compose=ComposeTool("2.9.0", "")), "2.21 is asked for"),
    ("test_docker_comes_back", units(), "no unit of systemd starts docker"),
    (
        "test_docker_comes_back",
        units(dataclasses.replace(ENABLED, enabled="disabled")),
        "docker.service is disabled and active",
    ),
    ("test_docker_comes_back", units(dataclasses.replace(ENABLED, enabled="masked")), "after a reboot"),
    (
        "test_docker_comes_back",
        units(
            dataclasses.replace(ENABLED, enabled="disabled"),
            EngineUnit("docker.socket", "enabled", "active", False),
        ),
        "after a reboot",
    ),
    (
        "test_docker_comes_back",
        units(dataclasses.replace(ENABLED, active="inactive")),
        "not the one that a reboot",
    ),
    ("test_docker_comes_back", units(ENABLED, engine=engine(rootless=True)), "the rootless docker"),
    (
        "test_docker_comes_back",
        units(dataclasses.replace(ENABLED, user=True), engine=engine(rootless=True), linger=False),
        "does not linger",
    ),
    ("test_docker_rotates_logs", facts(), "api-1 logs to json-file without max-size"),
    ("test_docker_has_no_open_door", facts(listeners=("0.0.0.0:2375",)), "0.0.0.0:2375"),
    (
        "test_docker_has_no_open_door",
        facts(engine=engine(plain_api=("http://0.0.0.0:4243",))),
        "http://0.0.0.0:4243",
    ),
]


@pytest.mark.parametrize(
    ("name", "seen", "says"), WRONG, ids=[f"{name}-{says[:24]}" for name, _, says in WRONG]
)
def test_wrong(name: str, seen: DockerFacts, says: str) -> None:
    """What is wrong fails, and the message says what."""
    with pytest.raises(AssertionError, match=says):
        run(name, seen)


UNSEEN: list[tuple[str, DockerFacts, str]] = [
    ("test_docker_comes_back", facts(units=None), "systemd does not answer"),
    (
        "test_docker_comes_back",
        units(dataclasses.replace(ENABLED, user=True), engine=engine(rootless=True), linger=None),
        "without a login",
    ),
    ("test_docker_rotates_logs", facts(containers=()), "no container runs"),
    ("test_docker_has_no_open_door", facts(listeners=None), "ss does not run"),
]


@pytest.mark.parametrize(("name", "seen", "says"), UNSEEN, ids=[f"{name}-{says}" for name, _, says in UNSEEN])
def test_unseen(name: str, seen: DockerFacts, says: str) -> None:
    """What the server does not tell is unproven."""
    with pytest.raises(Unproven, match=says):
        run(name, seen)


RIGHT: list[tuple[str, DockerFacts]] = [
    ("test_docker", facts()),
    ("test_docker", facts(engine=engine(version="29.1.3"))),
    ("test_docker", facts(engine=podman())),
    ("test_docker_compose", facts()),
    ("test_docker_compose", facts(compose=ComposeTool("v2.40.3-desktop.1".removeprefix("v"), ""))),
    ("test_docker_compose", facts(compose=ComposeTool("5.0.1", "1.29.2"))),
    ("test_docker_compose", facts(compose=ComposeTool("", "2.32.4"))),
    ("test_docker_comes_back", units(ENABLED)),
    ("test_docker_comes_back", units(EngineUnit("snap.docker.dockerd.service", "enabled", "active", False))),
    (
        "test_docker_comes_back",
        units(dataclasses.replace(ENABLED, user=True), engine=engine(rootless=True), linger=True),
    ),
    (
        "test_docker_comes_back",
        units(EngineUnit("podman-restart.service", "enabled", "inactive", False), engine=podman()),
    ),
    ("test_docker_rotates_logs", with_container(facts(), "api", log_max_size="10m")),
    ("test_docker_rotates_logs", with_container(facts(), "api", log_driver="local")),
    ("test_docker_rotates_logs", with_container(facts(), "api", log_driver="journald")),
    ("test_docker_rotates_logs", facts(containers=(), engine=engine(log_driver="local"))),
    ("test_docker_has_no_open_door", facts()),
]


@pytest.mark.parametrize(("name", "seen"), RIGHT, ids=[f"{name}-{n}" for n, (name, _) in enumerate(RIGHT)])
def test_other_engines_pass(name: str, seen: DockerFacts) -> None:
    """Engines that are installed otherwise and well are not failed."""
    run(name, seen)
