"""Deployment Process, Service Deployment: the images that run, item 36 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.docker_engine import numbers
from pytest_deploycheck.probes.docker_project import containers_of, services_of
from pytest_deploycheck.rules.image_refs import full, parse
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.docker_containers import Container, Image
    from pytest_deploycheck.probes.docker_facts import DockerFacts

IMAGES = ("deploy.services.images", "Docker images built successfully")


@pytest.mark.smoke
@pytest.mark.checklist(IMAGES[0], text=IMAGES[1])
def test_images(docker_facts: DockerFacts) -> None:
    """Every container has the image that was released: by its digest, or the id of one that never left here."""
    containers = containers_of(docker_facts)
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
    for one in containers_of(docker_facts):
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
    containers = containers_of(docker_facts)
    services = {one.name: one for one in services_of(docker_facts)}
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
    containers = [one for one in containers_of(docker_facts) if one.service in docker_facts.product]
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
    services = {one.name: one for one in services_of(docker_facts)}
    running = [one for one in docker_facts.containers if one.running and not one.oneoff]
    assert running, "no container runs"
    repositories = {
        parse(one.image_ref).repository
        for one in containers_of(docker_facts)
        if one.service in docker_facts.product
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
