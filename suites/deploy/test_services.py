"""Deployment Process, Service Deployment: what runs in containers, items 36 and 38 of the default checklist."""

from __future__ import annotations

from datetime import datetime

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.docker_compose import Service
from pytest_deploycheck.probes.docker_containers import Container, Image
from pytest_deploycheck.probes.docker_engine import numbers
from pytest_deploycheck.probes.docker_facts import DockerFacts
from pytest_deploycheck.probes.docker_steady import SteadyFacts
from pytest_deploycheck.rules.image_refs import full, parse
from pytest_deploycheck.verdict import Reason

IMAGES = ("deploy.services.images", "Docker images built successfully")
HEALTH = ("deploy.services.health", "Health checks passing")


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images(docker_facts: DockerFacts) -> None:
    """Every container has the image that was released: by its digest, or the id of one that never left here."""
    containers = _own(docker_facts)
    if not docker_facts.released:
        unproven(Reason.NO_CONFIG, "the target file names no image; add release.images, service = digest")
    compared = set()
    for one in containers:
        found = docker_facts.image(one.image_id)
        wanted = _released(docker_facts, one)
        if not wanted:
            assert one.service not in docker_facts.product, (
                f"{one.label} runs the product's image, of which release.images names no digest"
            )
            continue
        assert found is not None, f"the image of {one.label}, {_short(one.image_id)}, is not on the server"
        has = {found.id, *(digest for _, digest in found.digests)}
        assert wanted in has, f"{one.label} runs {_named(found)}; released is {_short(wanted)}"
        compared.add(one.service)
    if not compared:
        unproven(
            Reason.NO_CONFIG, "release.images names no service of the project, by its name or its image's"
        )


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images_are_pinned(docker_facts: DockerFacts) -> None:
    """What the project names is one image and no other tomorrow, and what runs is what that names today."""
    for one in _own(docker_facts):
        reference = parse(one.image_ref)
        assert not reference.moves, f"{one.label} was made from {one.image_ref}: {reference.moves}"
        named = _local(docker_facts, one.image_ref)
        if named is not None:
            assert one.image_id == named.id, (
                f"{one.label} runs {_short(one.image_id)}, but {one.image_ref} is now {_short(named.id)}: "
                "it was not made anew after the image came"
            )


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images_run_as_configured(docker_facts: DockerFacts) -> None:
    """Every container was made from its service as the files declare it now, by Compose's own digest."""
    containers = _own(docker_facts)
    services = {one.name: one for one in _services(docker_facts)}
    for one in containers:
        declared = services.get(one.service)
        if declared is None or not declared.config_hashes:
            continue  # the test of strays has those that are not declared
        same = one.config_hash in declared.config_hashes
        if not same and numbers(one.compose_version) != numbers(docker_facts.compose.version):
            unproven(
                Reason.STALE,
                f"{one.label} was made by Compose {one.compose_version or 'of no version'}, whose digests "
                f"{docker_facts.compose.version} need not make the same; run docker compose up",
            )
        assert same, (
            f"{one.label} was made from another declaration of {one.service} than the files have now: "
            "they, or the environment file, changed after docker compose up"
        )
    if not any(one.config_hashes for one in services.values()):
        unproven(Reason.NO_EVIDENCE, "Compose tells no digest of the services as they are declared")


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images_of_the_product_name_the_commit(docker_facts: DockerFacts) -> None:
    """The product's own image says which commit it was built from, and it is the released one."""
    containers = [one for one in _own(docker_facts) if one.service in docker_facts.product]
    if not docker_facts.commit:
        unproven(Reason.NO_CONFIG, "the target file names no release.commit; add it")
    if not containers:
        unproven(
            Reason.NO_CONFIG,
            "nothing tells which services run the product's own image; name the others in build.third_party",
        )
    for one in containers:
        found = docker_facts.image(one.image_id)
        assert found is not None, f"the image of {one.label}, {_short(one.image_id)}, is not on the server"
        revision = found.label("revision")
        assert revision, f"{_named(found)} of {one.label} has no label org.opencontainers.image.revision"
        assert len(revision) >= 7 and docker_facts.commit.startswith(revision), (
            f"{one.label} was built from {revision}; released is {docker_facts.commit}"
        )


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images_leave_nothing_behind(docker_facts: DockerFacts) -> None:
    """No container of an earlier release runs on: undeclared, more of a service than declared, or by hand."""
    services = {one.name: one for one in _services(docker_facts)}
    running = [one for one in docker_facts.containers if one.running and not one.oneoff]
    assert running, "no container runs"
    repositories = {
        parse(one.image_ref).repository for one in _own(docker_facts) if one.service in docker_facts.product
    }
    for one in running:
        if one.project == docker_facts.project:
            assert one.service in services, (
                f"{one.name} runs, but the project declares no service {one.service}"
            )
            there = [other for other in docker_facts.of(one.service) if other.running]
            wanted = services[one.service].replicas
            assert len(there) <= wanted, (
                f"{len(there)} containers of {one.service} run, {wanted} are declared"
            )
        elif not one.project:
            assert parse(one.image_ref).repository not in repositories, (
                f"{one.name} runs the product's image outside of the project"
            )


@pytest.mark.smoke
@pytest.mark.checklist(HEALTH[0], text=HEALTH[1])
def test_health(docker_facts: DockerFacts, limits: Limits) -> None:
    """Every declared service runs in its number and is healthy; what runs once has ended well."""
    _own(docker_facts)
    services = [one for one in _services(docker_facts) if one.name not in docker_facts.external]
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
    running = [one for one in _own(docker_facts) if one.running]
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


def _own(facts: DockerFacts) -> tuple[Container, ...]:
    """Return the project's containers, or end where there is no project to judge."""
    if not facts.project:
        unproven(Reason.NO_CONFIG, facts.services_unseen or "no project of Compose; name docker.project")
    own = tuple(one for one in facts.own if one.service not in facts.external)
    assert own, f"the project {facts.project} has no container"
    return own


def _services(facts: DockerFacts) -> tuple[Service, ...]:
    """Return the declared services, or end where the files cannot be read."""
    if facts.services is None:
        unproven(Reason.NO_ACCESS, facts.services_unseen)
    return facts.services


def _released(facts: DockerFacts, one: Container) -> str:
    """Return the digest that was released for a container: under its service's name, or its image's."""
    released = dict(facts.released)
    return released.get(one.service) or released.get(parse(one.image_ref).name, "")


def _local(facts: DockerFacts, text: str) -> Image | None:
    """Return the local image that a reference names now; None where none does."""
    wanted = parse(text)
    for one in facts.images:
        if wanted.digest and not wanted.repository and one.id == wanted.digest:
            return one
        if wanted.digest and (wanted.repository, wanted.digest) in [
            (full(name), d) for name, d in one.digests
        ]:
            return one
    tags = ((parse(tag), one) for one in facts.images for tag in one.tags)
    return next(
        (
            one
            for tag, one in tags
            if not wanted.digest and (tag.repository, tag.tag) == (wanted.repository, wanted.tag or "latest")
        ),
        None,
    )


def _named(image: Image) -> str:
    digests = [f"{parse(name).name}@{_short(digest)}" for name, digest in image.digests]
    return ", ".join(digests) or f"an image without a digest, {_short(image.id)}"


def _short(digest: str) -> str:
    kind, found, value = digest.partition(":")
    return f"{kind}:{value[:12]}" if found else digest[:12]


def _seconds(earlier: str, later: str) -> float | None:
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:
        return None
