"""Deployment Process, Service Deployment: how the containers are, item 38 of the default checklist."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.docker_project import containers_of, services_of
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.docker_compose import Service
    from pytest_deploycheck.probes.docker_containers import Container
    from pytest_deploycheck.probes.docker_facts import DockerFacts
    from pytest_deploycheck.probes.docker_steady import SteadyFacts

HEALTH = ("deploy.services.health", "Health checks passing")


@pytest.mark.smoke
@pytest.mark.checklist(HEALTH[0], text=HEALTH[1])
def test_health(docker_facts: DockerFacts, limits: Limits) -> None:
    """Every declared service runs in its number and is healthy; what runs once has ended well."""
    containers_of(docker_facts)
    services = services_of(docker_facts)
    assert services, f"the project {docker_facts.project} declares no service"
    for service in services:
        containers = docker_facts.of(service.name)
        if service.name in docker_facts.oneshots:
            _judge_oneshot(service, containers)
            continue
        for one in containers:
            assert not one.oom_killed, f"{one.label} was killed for want of memory"
            assert one.state not in ("restarting", "dead", "paused"), f"{one.label} is {one.state}"
        running = [one for one in containers if one.running]
        ended = [f"{one.label} ended with {one.exit_code}" for one in containers if one.state == "exited"]
        assert len(running) == service.replicas, (
            f"{len(running)} of {service.replicas} containers of {service.name} run"
            + (f": {', '.join(ended)}" if ended else "")
        )
        for one in running:
            _judge_health(docker_facts, one, limits)
    lasting = {one.name for one in services} - docker_facts.oneshots
    for seen in docker_facts.listed or ():
        assert seen.service not in lasting or seen.state == "running", (
            f"Compose lists {seen.name} as {seen.state}, with exit status {seen.exit_code}"
        )
        assert seen.health != "unhealthy", f"Compose lists {seen.name} as unhealthy"


def _judge_oneshot(service: Service, containers: tuple[Container, ...]) -> None:
    if not containers:
        unproven(
            Reason.NO_EVIDENCE,
            f"{service.name} runs once, and its container is gone: nothing shows how it ended",
        )
    for one in containers:
        assert one.state == "exited", f"{one.label} runs once and is {one.state}: it has not ended"
        assert one.exit_code == 0, f"{one.label} ended with {one.exit_code}"
        assert not one.oom_killed, f"{one.label} was killed for want of memory"


def _judge_health(facts: DockerFacts, one: Container, limits: Limits) -> None:
    """Judge the health check of a running container, unless its service is exempt for a reason."""
    exempt = dict(facts.exempt)
    if one.service in exempt and one.health == "none":
        assert exempt[one.service].strip(), f"docker.exempt names {one.service} without a reason"
        return
    check = one.healthcheck
    assert check is not None and one.health != "none", (
        f"{one.label} has no health check; give it one, or a reason in docker.exempt"
    )
    assert not check.trivial, f"the health check of {one.label} proves nothing: {check.trivial}"
    assert one.health == "healthy", (
        f"{one.label} is {one.health}, {one.failing_streak} checks in a row failed"
    )
    assert one.failing_streak == 0, f"the last {one.failing_streak} health checks of {one.label} failed"
    age = _seconds(one.checks[-1][0], facts.asked_at) if one.checks else None
    if age is None:
        unproven(Reason.NO_EVIDENCE, f"{one.label} is healthy, and nothing tells since when")
    oldest = limits.services_check_age_factor * check.interval_s + check.timeout_s
    assert age <= oldest, (
        f"the last health check of {one.label} is {age:.0f} s old; it runs every {check.interval_s:g} s"
    )


@pytest.mark.smoke
@pytest.mark.checklist(HEALTH[0], text=HEALTH[1])
def test_health_does_not_flap(docker_facts: DockerFacts, limits: Limits) -> None:
    """No container that was restarted before has come up only just now: between two crashes it looks well."""
    running = [one for one in containers_of(docker_facts) if one.running]
    assert running, f"no container of {docker_facts.project} runs"
    for one in running:
        age = _seconds(one.started_at, docker_facts.asked_at)
        assert one.restarts == 0 or (age or 0) >= limits.services_stable_s, (
            f"{one.label} was restarted {one.restarts} times, {age or 0:.0f} s ago for the last time"
        )


@pytest.mark.checklist(HEALTH[0], text=HEALTH[1])
def test_health_lasts(docker_steady_facts: SteadyFacts, limits: Limits) -> None:
    """After a while the same processes run, as healthy as before."""
    facts = docker_steady_facts
    assert facts.containers, "no container ran at the first look"
    assert facts.window_s >= limits.services_stable_s, f"the looks are only {facts.window_s:g} s apart"
    for one in facts.containers:
        assert not one.gone, f"{one.label} was there and is gone {facts.window_s:g} s later"
        assert one.steady, (
            f"{one.label} did not run through {facts.window_s:g} s: {one.restarts - one.restarts_before} restarts, "
            f"started at {one.started_at or 'no time'}"
        )
        assert one.health in ("healthy", "none"), f"{one.label} is {one.health} after {facts.window_s:g} s"


def _seconds(earlier: str, later: str) -> float | None:
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:
        return None
