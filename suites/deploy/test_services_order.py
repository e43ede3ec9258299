"""Deployment Process, Service Deployment: what was started when, item 37 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.docker_project import containers_of, services_of
from pytest_deploycheck.rules.image_refs import parse
from pytest_deploycheck.rules.startup_order import (
    COMPLETED,
    HEALTHY,
    Edge,
    Waits,
    circle,
    holds,
    role,
    wanted,
)
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.docker_compose import Service
    from pytest_deploycheck.probes.docker_containers import Container
    from pytest_deploycheck.probes.docker_facts import DockerFacts
    from pytest_deploycheck.probes.healthchecks import HealthCheck

ORDER = ("deploy.services.order", "Services started in correct order")
CHECKS_KEPT = 5
"""Results of health checks that the engine remembers; with fewer the first one is among them."""


@pytest.mark.checklist(ORDER[0], text=ORDER[1])
def test_order(docker_facts: DockerFacts) -> None:
    """The project waits for its database, cache and node to be healthy and for its migrations to be done."""
    services = services_of(docker_facts)
    declared = _declared(services)
    assert not circle(declared), f"services wait for each other: {' -> '.join(circle(declared))}"
    edges = _edges(docker_facts, services)
    if not edges and len(services) > 1:
        unproven(
            Reason.NO_CONFIG,
            "no service is known by its name; say what must be up before what in docker.order",
        )
    known = {one.name for one in services}
    for edge in edges:
        for name in (edge.dependent, edge.dependency):
            assert name in known, f"docker.order names {name}, which the project does not declare"
        assert holds(edge, declared), (
            f"{edge.dependent} does not wait for {edge.dependency}"
            + (f" with condition {edge.condition}" if edge.condition else "")
            + f": {_waits(edge, declared)}"
        )
    if not edges:
        assert len(services) == 1, f"the project {docker_facts.project} declares no service"


@pytest.mark.checklist(ORDER[0], text=ORDER[1])
def test_order_waits_for_something(docker_facts: DockerFacts) -> None:
    """Every service that another one waits for until it is healthy has a health check, which says something."""
    services = services_of(docker_facts)
    assert services, f"the project {docker_facts.project} declares no service"
    for service in services:
        for edge in service.depends_on:
            if edge.condition != HEALTHY or edge.service in docker_facts.external:
                continue
            found = next((one for one in services if one.name == edge.service), None)
            check = _health_check(docker_facts, found) if found else None
            assert check is not None, (
                f"{service.name} waits for {edge.service} to be healthy, which has no health check"
            )
            assert not check.trivial, (
                f"{service.name} waits for {edge.service}, whose health check proves nothing: {check.trivial}"
            )


@pytest.mark.checklist(ORDER[0], text=ORDER[1])
def test_order_as_it_happened(docker_facts: DockerFacts) -> None:
    """No container was started before what it waits for was up, as far back as the engine remembers."""
    services = services_of(docker_facts)
    assert docker_facts.own, f"the project {docker_facts.project} has no container"
    seen, unseen = 0, []
    for service in services:
        for edge in service.depends_on:
            for dependent in docker_facts.of(service.name):
                if not _of_this_deployment(docker_facts, dependent):
                    continue
                for dependency in docker_facts.of(edge.service):
                    up = _up_before(docker_facts, dependency, edge.condition, dependent.started_at)
                    if up is None:
                        unseen.append(f"{dependent.label} after {dependency.label}")
                        continue
                    seen += 1
                    assert up <= dependent.started_at, (
                        f"{dependent.label} was started at {dependent.started_at}, before {dependency.label} "
                        f"was {_was(edge.condition)} at {up}"
                    )
    if unseen:
        unproven(
            Reason.NO_EVIDENCE,
            f"both were started again since, and the engine remembers no earlier start: {', '.join(unseen[:4])}",
        )
    if not seen and len(services) > 1:
        unproven(Reason.NO_EVIDENCE, "no container of this deployment waits for another one")


@pytest.mark.checklist(ORDER[0], text=ORDER[1])
def test_order_needed_no_second_try(docker_facts: DockerFacts, limits: Limits) -> None:
    """No container had to be restarted since the deployment: one that crashes until the rest is up looks ordered."""
    own = containers_of(docker_facts)
    assert own, f"the project {docker_facts.project} has no container"
    for one in own:
        restarts = one.restarts if _of_this_deployment(docker_facts, one) else 0
        assert restarts <= limits.services_restarts_max, (
            f"{one.label} was restarted {restarts} times since the deployment"
        )


def _health_check(facts: DockerFacts, service: Service) -> HealthCheck | None:
    """Return a service's health check as declared now, else its image's, of which its containers tell."""
    made = [one.healthcheck for one in facts.of(service.name) if one.config_hash in service.config_hashes]
    return service.healthcheck or next((check for check in made if check), None)


def _up_before(facts: DockerFacts, one: Container, condition: str, started_at: str) -> str | None:
    """Return when a dependency was up, at the latest that is known; None when only later starts are known."""
    if condition == COMPLETED:
        again = one.started_at > started_at and one.created_at < started_at
        return None if again else one.finished_at or None
    if one.created_at > started_at and not (facts.deploy_started_at and not one.finished_at):
        return None  # another container was there before it
    if one.finished_at and one.finished_at > started_at:
        return one.created_at  # it was stopped later than that, so it ran before
    if one.finished_at and one.started_at > started_at:
        return None
    if condition == HEALTHY and not one.finished_at:
        return max(one.started_at, _first_healthy(facts, one))
    return one.started_at


def _first_healthy(facts: DockerFacts, one: Container) -> str:
    """Return when a container that never stopped was healthy for the first time; empty when that is forgotten."""
    if len(one.checks) < CHECKS_KEPT:
        return next((at for at, status in one.checks if status == 0), "")
    told = [event for event in facts.events if event.container == one.id]
    if any(event.action == "start" for event in told):
        return next((event.at for event in told if event.action == "health_status: healthy"), "")
    return ""


def _of_this_deployment(facts: DockerFacts, one: Container) -> bool:
    """Whether a container was started since the deployment began; any may be when that is not known."""
    return not facts.deploy_started_at or one.started_at >= facts.deploy_started_at


def _edges(facts: DockerFacts, services: tuple[Service, ...]) -> tuple[Edge, ...]:
    """Return what must be up before what: as the target file says, else by well-known names."""
    conditions = {"migrate": COMPLETED, "db": HEALTHY, "cache": HEALTHY, "node": HEALTHY}
    images = {one.name: parse(one.image).name if one.image else "" for one in services}
    if facts.order:
        return tuple(
            Edge(dependent, dependency, _condition(facts, dependency, images, conditions))
            for dependent, dependency in facts.order
        )
    own = set(facts.product)
    return tuple(
        edge
        for edge in wanted(images, facts.oneshots)
        if not own or edge.dependent in own or role(edge.dependent, images[edge.dependent]) == "edge"
    )


def _condition(facts: DockerFacts, name: str, images: dict[str, str], conditions: dict[str, str]) -> str:
    if name in facts.oneshots:
        return COMPLETED
    return conditions.get(role(name, images.get(name, "")), "")


def _declared(services: tuple[Service, ...]) -> dict[str, tuple[Waits, ...]]:
    return {
        one.name: tuple(Waits(edge.service, edge.condition) for edge in one.depends_on) for one in services
    }


def _waits(edge: Edge, declared: dict[str, tuple[Waits, ...]]) -> str:
    told = [f"{one.service} ({one.condition})" for one in declared.get(edge.dependent, ())]
    return f"it waits for {', '.join(told)}" if told else "it waits for nothing"


def _was(condition: str) -> str:
    return {COMPLETED: "done", HEALTHY: "healthy"}.get(condition, "started")
