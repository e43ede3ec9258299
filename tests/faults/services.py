"""Faults of Service Deployment, the containers: other images, another order, and health that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo import images
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.docker import project
from tests.faults.containers import (
    LEAF,
    bring_up,
    command,
    container,
    crash,
    declared,
    deployed,
    image_of,
    made_anew,
    run,
    until,
)
from tests.faults.harness import fault
from tests.faults.tools import edited

IMAGES, ORDER, HEALTH = "deploy.services.images", "deploy.services.order", "deploy.services.health"
ENGINE: dict[str, Any] = {"probes": ("docker",), "needs": ("containers",)}
QUICK = {"interval": "200ms", "timeout": "5s", "retries": 1}
SLOW = {"interval": "10s", "timeout": "5s", "start_interval": "200ms", "start_period": "30s", "retries": 3}


@contextmanager
def another_build(demo: Deployment, tag: str, **labels: str) -> Iterator[images.Built]:
    """Push another build of the product's image to the registry, under a tag; afterwards the released one."""
    told = {
        f"org.opencontainers.image.{name}": value for name, value in (labels or {"ref.name": "x"}).items()
    }
    before = images.ensure(demo.world)[images.PRODUCT]
    try:
        yield images.add(demo.world, images.recipe_of(images.PRODUCT), tag=tag, labels=told)
    finally:
        images.point(demo.world, images.PRODUCT, before.tag, before.digest)


@fault(IMAGES, "the tag was pushed again and pulled, and nothing made anew", **ENGINE)
@contextmanager
def pulled_only(demo: Deployment) -> Iterator[None]:
    """Pull what the tag names now, as a deployment does that forgets the second half."""
    tag = images.ensure(demo.world)[images.PRODUCT].tag
    with another_build(demo, tag) as other:
        project.docker(demo.world, "pull", "--quiet", other.reference)
        yield
    project.docker(demo.world, "pull", "--quiet", other.reference)


@fault(IMAGES, "the tag was given to another image on the server", **ENGINE)
@contextmanager
def tagged_again(demo: Deployment) -> Iterator[None]:
    """Let the product's tag name what somebody built or tagged by hand."""
    right = image_of(demo, container())
    kept = f"{right}-kept"
    project.docker(demo.world, "tag", right, kept)
    project.docker(demo.world, "tag", image_of(demo, container("valkey")), right)
    try:
        yield
    finally:
        project.docker(demo.world, "tag", kept, right)
        project.docker(demo.world, "rmi", kept)


@fault(IMAGES, "one service runs another build", **ENGINE)
@contextmanager
def another_digest(demo: Deployment) -> Iterator[None]:
    """Deploy one service from a build that was not released, of the same commit."""
    with another_build(demo, "1.4.3-rc1") as other, deployed(demo, image=f"{other.repository}:{other.tag}"):
        yield


@fault(IMAGES, "the image was built from the commit before", **ENGINE)
@contextmanager
def parent_commit(demo: Deployment) -> Iterator[None]:
    """Deploy an image whose label names another commit than the released one."""
    with (
        another_build(demo, "1.4.2-2", revision="0" * 40) as other,
        deployed(demo, image=f"{other.repository}:{other.tag}"),
    ):
        yield


@fault(IMAGES, "the reference is the tag latest", **ENGINE)
@contextmanager
def latest(demo: Deployment) -> Iterator[None]:
    """Deploy the released image under a tag that names another one tomorrow."""
    built = images.ensure(demo.world)[images.PRODUCT]
    images.point(demo.world, images.PRODUCT, "latest", built.digest)
    with deployed(demo, image=f"{built.repository}:latest"):
        yield


@fault(IMAGES, "the reference has no tag at all", **ENGINE)
@contextmanager
def no_tag(demo: Deployment) -> Iterator[None]:
    """Deploy the released image by its bare name."""
    built = images.ensure(demo.world)[images.PRODUCT]
    images.point(demo.world, images.PRODUCT, "latest", built.digest)
    with deployed(demo, image=built.repository):
        yield


@fault(IMAGES, "the project's file was edited after it was brought up", **ENGINE)
@contextmanager
def edited_after(demo: Deployment) -> Iterator[None]:
    """Change a limit in the file and leave the container as it is."""
    with declared(demo, "postgres", mem_limit="128M", deploy={"replicas": 1}):
        yield


@fault(IMAGES, "the environment file was edited after the containers were made", **ENGINE)
@contextmanager
def environment_after(demo: Deployment) -> Iterator[None]:
    """Change a value of the environment file, which the running containers do not have."""
    with edited(service.env_file(demo.world), ("RELEASE_VERSION=", "RELEASE_VERSION=9")):
        yield


@fault(IMAGES, "a replica too many runs on", also=(HEALTH,), **ENGINE)
@contextmanager
def too_many(demo: Deployment) -> Iterator[None]:
    """Scale a service up by hand."""
    bring_up(demo, LEAF, "--scale", f"{LEAF}=2", "--no-recreate")
    try:
        project.wait_healthy(demo.world)
        yield
    finally:
        bring_up(demo, LEAF, "--no-recreate")


@fault(IMAGES, "a container of the old release runs beside the project", **ENGINE)
@contextmanager
def by_hand(demo: Deployment) -> Iterator[None]:
    """Leave a container that somebody once started by hand from the product's image."""
    with run(demo, "old-app", image_of(demo, container())):
        yield


@fault(IMAGES, "a service that is declared no more runs on", **ENGINE)
@contextmanager
def undeclared(demo: Deployment) -> Iterator[None]:
    """Leave a container of the project whose service was taken out of the file."""
    labels = {"project": project.NAME, "service": "legacy", "container-number": "1", "oneoff": "False"}
    options = [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
    with run(demo, "token-service-legacy-1", image_of(demo, container("valkey")), *options):
        yield


@fault(ORDER, "the short form waits for the start only", also=(IMAGES,), **ENGINE)
@contextmanager
def short_form(demo: Deployment) -> Iterator[None]:
    """Name dependencies without conditions."""
    with declared(demo, "app", depends_on=["postgres", "valkey", "rpc", "migrate"]):
        yield


@fault(ORDER, "the application does not wait for the migrations", also=(IMAGES, HEALTH), **ENGINE)
@contextmanager
def no_migrations(demo: Deployment) -> Iterator[None]:
    """Take one of the application's dependencies out."""
    healthy = {name: {"condition": "service_healthy"} for name in ("postgres", "valkey", "rpc")}
    with declared(demo, "app", depends_on=healthy), declared(demo, "worker", depends_on=healthy):
        yield


@fault(ORDER, "the application waits for no node", also=(IMAGES,), **ENGINE)
@contextmanager
def no_node(demo: Deployment) -> Iterator[None]:
    """Let the application start whether there is a node or not."""
    with declared(
        demo,
        "app",
        depends_on={
            "postgres": {"condition": "service_healthy"},
            "valkey": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        },
    ):
        yield


@fault(ORDER, "the proxy waits for nobody", also=(IMAGES,), **ENGINE)
@contextmanager
def proxy_first(demo: Deployment) -> Iterator[None]:
    """Let the proxy start before there is anything behind it."""
    with declared(demo, "nginx", depends_on=None):
        yield


@fault(ORDER, "the health check that others wait for was removed", also=(IMAGES,), **ENGINE)
@contextmanager
def nothing_to_wait_for(demo: Deployment) -> Iterator[None]:
    """Take the cache's health check out of the file."""
    with declared(demo, "valkey", healthcheck=None):
        yield


@fault(ORDER, "the health check that others wait for is true", also=(IMAGES,), **ENGINE)
@contextmanager
def waits_for_true(demo: Deployment) -> Iterator[None]:
    """Let the database's health check succeed whatever the database does."""
    with declared(demo, "postgres", healthcheck={**SLOW, "test": ["CMD-SHELL", "pg_isready || true"]}):
        yield


@fault(ORDER, "two services wait for each other", also=(IMAGES, HEALTH), **ENGINE)
@contextmanager
def circle(demo: Deployment) -> Iterator[None]:
    """Let the database wait for the application that waits for it."""
    with declared(demo, "postgres", depends_on={"app": {"condition": "service_started"}}):
        yield


@fault(ORDER, "a dependency came up after its dependents", **ENGINE)
@contextmanager
def late_dependency(demo: Deployment) -> Iterator[None]:
    """Make the proxy's application anew under it, as a deployment without an order does."""
    bring_up(demo, "app", "--force-recreate")
    try:
        project.wait_healthy(demo.world)
        yield
    finally:
        bring_up(demo, "nginx", "--force-recreate")
        project.wait_healthy(demo.world)


@fault(ORDER, "a container crashed until the others were up", also=(HEALTH,), **ENGINE)
@contextmanager
def second_try(demo: Deployment) -> Iterator[None]:
    """Let a container come up only by being restarted."""
    with made_anew(demo):
        crash(demo, container())
        yield


@fault(HEALTH, "a container is stopped", **ENGINE)
@contextmanager
def stopped(demo: Deployment) -> Iterator[None]:
    """Stop a container, which no list without --all shows any more."""
    with made_anew(demo):
        project.docker(demo.world, "stop", "--time", "0", container())
        yield


@fault(HEALTH, "a declared service has no container", **ENGINE)
@contextmanager
def never_made(demo: Deployment) -> Iterator[None]:
    """Take a container away."""
    with made_anew(demo):
        project.docker(demo.world, "rm", "--force", container())
        yield


@fault(HEALTH, "a container is paused", **ENGINE)
@contextmanager
def paused(demo: Deployment) -> Iterator[None]:
    """Freeze a container, which stays healthy on paper."""
    project.docker(demo.world, "pause", container())
    try:
        yield
    finally:
        project.docker(demo.world, "unpause", container())


@fault(HEALTH, "a container is unhealthy", **ENGINE)
@contextmanager
def unhealthy(demo: Deployment) -> Iterator[None]:
    """Deploy a service that does not do its work."""
    with deployed(demo, command=["sleep", "1000"], healthcheck={**QUICK, "test": ["CMD", "/srv/worked"]}):
        until(demo, container(), lambda now: now["State"]["Health"]["Status"] == "unhealthy")
        yield


@fault(HEALTH, "a container is starting and never done", **ENGINE)
@contextmanager
def starting(demo: Deployment) -> Iterator[None]:
    """Deploy a service that does not do its work, and is given an hour to begin with it."""
    check = {**QUICK, "test": ["CMD", "/srv/worked"], "start_period": "1h"}
    with deployed(demo, command=["sleep", "1000"], healthcheck=check):
        yield


@fault(HEALTH, "a service has no health check", **ENGINE)
@contextmanager
def no_health_check(demo: Deployment) -> Iterator[None]:
    """Deploy a service about which nobody asks."""
    with deployed(demo, healthcheck=None):
        yield


@fault(HEALTH, "a health check is true", **ENGINE)
@contextmanager
def always_true(demo: Deployment) -> Iterator[None]:
    """Deploy a health check that cannot fail."""
    with deployed(demo, healthcheck={**SLOW, "test": ["CMD", "true"]}):
        project.wait_healthy(demo.world)
        yield


@fault(HEALTH, "a health check only opens a connection", **ENGINE)
@contextmanager
def bare_port(demo: Deployment) -> Iterator[None]:
    """Deploy a health check that a process passes which has hung since."""
    with deployed(demo, healthcheck={**SLOW, "test": ["CMD", "nc", "-z", "postgres", "5432"]}):
        yield


@fault(HEALTH, "a container was killed for want of memory", **ENGINE)
@contextmanager
def out_of_memory(demo: Deployment) -> Iterator[None]:
    """Deploy a service that takes more memory than it may have."""
    hungry = ["sh", "-c", "a=aaaaaaaa; while :; do a=$$a$$a; done"]
    with deployed(
        demo, command=hungry, restart="no", mem_limit="8M", memswap_limit="8M", deploy={"replicas": 1}
    ):
        until(demo, container(), lambda now: now["State"]["Status"] == "exited")
        yield


@fault(HEALTH, "a container crashes again and again", also=(ORDER,), **ENGINE)
@contextmanager
def crash_loop(demo: Deployment) -> Iterator[None]:
    """Deploy a service that ends soon after each start."""
    with deployed(demo, command=["sh", "-c", "sleep 0.1; exit 1"], restart="always"):
        until(demo, container(), lambda now: now["RestartCount"] > 0)
        yield


@fault(HEALTH, "the migrations failed", also=(ORDER,), **ENGINE)
@contextmanager
def migrations_failed(demo: Deployment) -> Iterator[None]:
    """Run migrations that end with an error, after the application has started."""
    with migrations(demo, ["sh", "-c", "exit 3"]):
        until(demo, container("migrate"), lambda now: now["State"]["Status"] == "exited")
        yield


@fault(HEALTH, "the migrations do not end", also=(ORDER,), **ENGINE)
@contextmanager
def migrations_hang(demo: Deployment) -> Iterator[None]:
    """Run migrations that wait for a lock for ever."""
    with migrations(demo, ["sleep", "1000"]):
        yield


@contextmanager
def migrations(demo: Deployment, program: list[str]) -> Iterator[None]:
    """Run other migrations than the release's; afterwards everything that waits for them is made anew."""
    try:
        with declared(demo, "migrate", command=program):
            bring_up(demo, "migrate")
            yield
    finally:
        project.compose(demo.world, "up", "--detach", "--force-recreate", "--no-deps", "migrate")
        project.compose(demo.world, "up", "--detach", "--force-recreate", "--no-deps", "app", "worker")
        bring_up(demo, "nginx", "--force-recreate")
        project.wait_healthy(demo.world)


@fault(
    HEALTH,
    "a container was started again between two looks",
    probes=("docker_steady",),
    needs=("containers", "server"),
)
@contextmanager
def between_looks(demo: Deployment) -> Iterator[None]:
    """Restart a container just before the second look: at each one it runs."""
    real = demo.world.path("server", "bin", "docker").read_text().removeprefix("#!/bin/sh\n")
    restart = f"(set -- restart --time 0 {container()}\n{real}\n) >/dev/null"
    second = "'inspect --format {{.Id}} {{.RestartCount}}'*"
    with made_anew(demo), command(demo, "docker", f'case "$*" in {second}) {restart} ;; esac\n{real}'):
        yield
