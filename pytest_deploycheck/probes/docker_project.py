"""What the checks of containers begin with: the project's containers and services, or why there are none to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.docker_compose import Service
    from pytest_deploycheck.probes.docker_containers import Container
    from pytest_deploycheck.probes.docker_facts import DockerFacts


def containers_of(facts: DockerFacts) -> tuple[Container, ...]:
    """Return the project's containers that run here; Unproven without a project, AssertionError without any."""
    if not facts.project:
        unproven(Reason.NO_CONFIG, facts.services_unseen or "no project of Compose; name docker.project")
    own = tuple(one for one in facts.own if one.service not in facts.external)
    assert own, f"the project {facts.project} has no container"
    return own


def services_of(facts: DockerFacts) -> tuple[Service, ...]:
    """Return the declared services that run here; Unproven where the project's files cannot be read.

    AssertionError where Compose refuses the files for services that wait for each other.
    """
    containers_of(facts)
    assert "dependency cycle" not in facts.services_unseen, facts.services_unseen
    if facts.services is None:
        unproven(Reason.NO_ACCESS, facts.services_unseen)
    return tuple(one for one in facts.services if one.name not in facts.external)
