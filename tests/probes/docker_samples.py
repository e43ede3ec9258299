"""Recorded answers of Docker 26.1 and podman 4.3: as facts, and as a `docker` command that prints them.

compose-2.20-ps.json is the only file that no program wrote: it has the same containers in the older shape.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

from pytest_deploycheck.probes import docker_compose, docker_engine
from pytest_deploycheck.probes.docker import events
from pytest_deploycheck.probes.docker_containers import Container, container, image, moment
from pytest_deploycheck.probes.docker_engine import EngineUnit
from pytest_deploycheck.probes.docker_facts import DockerFacts

FOLDER = Path(__file__).parent / "samples" / "docker"
COMMIT_LABEL = "org.opencontainers.image.revision"


def text(name: str) -> str:
    """Return a recorded answer."""
    return (FOLDER / name).read_text()


def entries(name: str) -> list[dict[str, Any]]:
    """Return a recorded JSON array."""
    found: list[dict[str, Any]] = json.loads(text(name))
    return found


def facts(**changes: Any) -> DockerFacts:
    """Return what the probe makes of the recorded project, which is well; with some facts changed."""
    engine = docker_engine.engine(text("docker-26.1-version.json"), text("docker-26.1-info.json"))
    assert engine is not None
    declared, digests = docker_compose.declaration(text("compose-2.26-declared.txt"))
    images = tuple(map(image, entries("docker-26.1-images.json")))
    released = {_service_of(one.label("title")): one.digests[0][1] for one in images}
    made = DockerFacts(
        engine=engine,
        compose=docker_engine.ComposeTool("2.26.1", ""),
        units=(EngineUnit("docker.service", "enabled", "active", False),),
        linger=False,
        listeners=(),
        project="shop",
        projects=("shop",),
        services=docker_compose.services(declared, digests),
        services_unseen="",
        containers=tuple(map(container, entries("docker-26.1-inspect.json"))),
        listed=docker_compose.listed(text("compose-2.26-ps.ndjson")),
        images=images,
        events=events(text("docker-26.1-events.ndjson")),
        released=tuple(released.items()),
        commit=next(one.label("revision") for one in images if one.label("title") == "token-api"),
        source="",
        deploy_started_at="",
        third_party=(),
        exempt=(),
        oneshot=(),
        external=(),
        order=(),
        asked_at=moment(docker_engine.document(text("docker-26.1-info.json"))["SystemTime"]),
    )
    return dataclasses.replace(made, **changes)


def _service_of(title: str) -> str:
    """Return the service's name under which the target file releases an image; else the image's own."""
    return {"postgres": "db"}.get(title, title)


def with_container(base: DockerFacts, service: str, **changes: Any) -> DockerFacts:
    """Return facts in which the containers of a service are otherwise."""
    changed = (
        dataclasses.replace(one, **changes) if one.service == service else one for one in base.containers
    )
    return dataclasses.replace(base, containers=tuple(changed))


def with_service(base: DockerFacts, name: str, **changes: Any) -> DockerFacts:
    """Return facts in which a service is declared otherwise."""
    assert base.services is not None
    changed = (dataclasses.replace(one, **changes) if one.name == name else one for one in base.services)
    return dataclasses.replace(base, services=tuple(changed))


def the(base: DockerFacts, service: str) -> Container:
    """Return the container of a service that has one."""
    [found] = base.of(service)
    return found


def shim(folder: Path, maker: str = "docker-26.1", **instead: str) -> Path:
    """Write a `docker` that prints what was recorded, and return its folder, to be put before PATH.

    instead: shell commands in the place of an answer, by its name: version, info, ids, inspect, images,
    events, compose_version, declared, hashes, ps, images_of, state.
    """
    inspect, images = FOLDER / f"{maker}-inspect.json", FOLDER / f"{maker}-images.json"
    config, _, digests = text("compose-2.26-declared.txt").partition("\n}\n")
    (folder / "config.json").write_text(config + "\n}\n")
    (folder / "digests.txt").write_text(digests)
    ids = [str(one["Id"]) for one in json.loads(inspect.read_text())]
    answers = {
        "version": f"cat {FOLDER / maker}-version.json",
        "info": f"cat {FOLDER / maker}-info.json",
        "ids": f"printf '%s\\n' {shlex.join(ids)}",
        "inspect": f"cat {inspect}",
        "labels": "echo 'shop|/srv/shop|/srv/shop/compose.yml|'",
        "images": f"cat {images}",
        "events": f"cat {FOLDER / 'docker-26.1-events.ndjson'}",
        "compose_version": "echo 2.26.1",
        "declared": f"cat {folder / 'config.json'}",
        "hashes": f"cat {folder / 'digests.txt'}",
        "ps": f"cat {FOLDER / 'compose-2.26-ps.ndjson'}",
        **instead,
    }
    patterns = {
        "compose version*": "compose_version",
        "compose *config --format json": "declared",
        "compose *config --hash*": "hashes",
        "compose *ps *": "ps",
        "version *": "version",
        "info *": "info",
        "ps *": "ids",
        "events *": "events",
        "image inspect *": "images",
        "inspect --format *Labels*": "labels",
        "inspect *": "inspect",
    }
    cases = "\n".join(
        f"  {pattern.replace(' ', chr(92) + ' ')}) {answers[name]} ;;" for pattern, name in patterns.items()
    )
    script = folder / "docker"
    script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\n')
    script.chmod(0o755)
    return folder
