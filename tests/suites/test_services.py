"""Checks of the service's containers, over the facts of a recorded project with one thing changed at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.docker_compose import DependsOn, Service
from pytest_deploycheck.probes.docker_facts import DockerFacts, Event
from pytest_deploycheck.probes.docker_steady import Later, SteadyFacts
from pytest_deploycheck.probes.healthchecks import HealthCheck
from pytest_deploycheck.rules.startup_order import COMPLETED, HEALTHY, STARTED
from tests.probes.docker_samples import facts, the, with_container, with_service
from tests.suites.checks import suite

SERVICES = {**suite("deploy/test_services_images.py"), **suite("deploy/test_services_health.py")}
ORDERS = suite("deploy/test_services_order.py")


def run(name: str, seen: DockerFacts, **limits: Any) -> None:
    """Run one check over facts."""
    function = {**SERVICES, **ORDERS}[name]
    given = {"docker_facts": seen, "limits": Limits(**limits)}
    wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
    function(**{key: value for key, value in given.items() if key in wanted})


def without(base: DockerFacts, *services: str) -> DockerFacts:
    """Return facts in which services have no container."""
    kept = tuple(one for one in base.containers if one.service not in services)
    return dataclasses.replace(base, containers=kept, listed=None)


def added(base: DockerFacts, like: str, **changes: Any) -> DockerFacts:
    """Return facts with one more container, like that of a service but for the changes."""
    more = dataclasses.replace(the(base, like), id="f" * 64, **changes)
    return dataclasses.replace(base, containers=(*base.containers, more))


def check_of(base: DockerFacts, **changes: Any) -> HealthCheck:
    """Return the health check of the recorded application, otherwise in something."""
    found = the(base, "api").healthcheck
    assert found is not None
    return dataclasses.replace(found, **changes)


def restarted_together() -> DockerFacts:
    """Return facts after a reboot: every container was stopped and came up again, the application first."""
    base = dataclasses.replace(facts(), events=())
    stopped = {"finished_at": "2026-11-25T00:00:00.000000+00:00"}
    base = with_container(base, "api", started_at="2026-11-25T00:01:00.000000+00:00", **stopped)
    return with_container(base, "db", started_at="2026-11-25T00:01:01.000000+00:00", **stopped)


@pytest.mark.parametrize("name", [*SERVICES, *ORDERS])
def test_the_recorded_project_is_well(name: str) -> None:
    """Nothing is wrong with what was recorded of a project that was just brought up."""
    if name != "test_health_lasts":
        run(name, facts())


WRONG: list[tuple[str, DockerFacts, str]] = [
    ("test_images", facts(released=(("token-api", "sha256:" + "0" * 64),)), "api-1 runs token-api@"),
    ("test_images", facts(released=(("db", facts().images[0].digests[0][1]),)), "names no digest"),
    ("test_images", with_container(facts(), "api", image_id="sha256:" + "1" * 64), "is not on the server"),
    (
        "test_images",
        facts(images=tuple(dataclasses.replace(one, digests=()) for one in facts().images)),
        "without a digest",
    ),
    ("test_images_are_pinned", with_container(facts(), "api", image_ref="token-api:latest"), "latest"),
    (
        "test_images_are_pinned",
        with_container(facts(), "api", image_ref="token-api"),
        "neither tag nor digest",
    ),
    ("test_images_are_pinned", with_container(facts(), "api", image_ref="shop/api:main"), "tag main"),
    ("test_images_are_pinned", with_container(facts(), "api", image_id="sha256:" + "1" * 64), "made anew"),
    (
        "test_images_run_as_configured",
        with_container(facts(), "api", config_hash="0" * 64),
        "another declaration",
    ),
    ("test_images_of_the_product_name_the_commit", facts(commit="0" * 40), "was built from"),
    (
        "test_images_of_the_product_name_the_commit",
        facts(images=tuple(dataclasses.replace(one, labels=()) for one in facts().images)),
        "no label org.opencontainers.image.revision",
    ),
    ("test_images_leave_nothing_behind", added(facts(), "api", number=2), "2 containers of api run"),
    ("test_images_leave_nothing_behind", added(facts(), "db", service="old"), "declares no service old"),
    (
        "test_images_leave_nothing_behind",
        added(facts(), "api", service="", project=""),
        "outside of the project",
    ),
    (
        "test_health",
        with_container(facts(), "api", state="exited", exit_code=1),
        "0 of 1 containers of api run",
    ),
    ("test_health", with_container(facts(), "api", state="restarting"), "api-1 is restarting"),
    ("test_health", with_container(facts(), "api", state="paused"), "api-1 is paused"),
    ("test_health", with_container(facts(), "api", oom_killed=True), "want of memory"),
    ("test_health", without(facts(), "api"), "0 of 1 containers of api run"),
    ("test_health", with_service(facts(), "api", replicas=2), "1 of 2 containers of api run"),
    (
        "test_health",
        with_container(facts(), "api", health="unhealthy", failing_streak=3),
        "api-1 is unhealthy",
    ),
    ("test_health", with_container(facts(), "api", health="starting"), "api-1 is starting"),
    ("test_health", with_container(facts(), "api", failing_streak=1), "last 1 health checks"),
    ("test_health", with_container(facts(), "api", health="none", healthcheck=None), "no health check"),
    ("test_health", with_container(facts(exempt=(("api", " "),)), "api", health="none"), "without a reason"),
    (
        "test_health",
        with_container(facts(), "api", healthcheck=check_of(facts(), trivial="`true` always succeeds")),
        "proves nothing",
    ),
    (
        "test_health",
        with_container(facts(), "api", checks=(("2026-11-24T00:00:00.000000+00:00", 0),)),
        "is .* s old",
    ),
    ("test_health", with_container(facts(), "migrate", exit_code=3), "migrate-1 ended with 3"),
    ("test_health", with_container(facts(), "migrate", state="running"), "has not ended"),
    (
        "test_health",
        facts(listed=tuple(dataclasses.replace(one, state="exited") for one in facts().listed or ())),
        "Compose lists",
    ),
    ("test_health_does_not_flap", with_container(facts(), "api", restarts=4), "restarted 4 times"),
    ("test_order", with_service(facts(), "api", depends_on=()), "it waits for nothing"),
    (
        "test_order",
        with_service(facts(), "api", depends_on=(DependsOn("db", STARTED, True),)),
        "does not wait for db with condition service_healthy",
    ),
    (
        "test_order",
        with_service(facts(), "api", depends_on=(DependsOn("db", HEALTHY, True),)),
        "does not wait for migrate with condition service_completed_successfully",
    ),
    (
        "test_order",
        with_service(facts(), "db", depends_on=(DependsOn("api", STARTED, True),)),
        "wait for each other",
    ),
    ("test_order", facts(order=(("api", "cache"),)), "names cache"),
    ("test_order", facts(services=None, services_unseen="dependency cycle detected: a -> b"), "cycle"),
    (
        "test_order_waits_for_something",
        with_service(facts(), "db", healthcheck=None, config_hashes=()),
        "no health",
    ),
    (
        "test_order_waits_for_something",
        with_service(facts(), "db", healthcheck=check_of(facts(), trivial="it runs nothing")),
        "proves nothing: it runs nothing",
    ),
    (
        "test_order_as_it_happened",
        with_container(facts(), "api", started_at="2026-11-24T09:41:32.000000+00:00"),
        "api-1 was started at .* before",
    ),
    (
        "test_order_as_it_happened",
        with_container(facts(), "migrate", finished_at="2026-11-25T00:00:00.000000+00:00"),
        "before migrate-1 was done",
    ),
    ("test_order_needed_no_second_try", with_container(facts(), "api", restarts=3), "restarted 3 times"),
]


@pytest.mark.parametrize(
    ("name", "seen", "says"), WRONG, ids=[f"{name}-{says[:24]}" for name, _, says in WRONG]
)
def test_wrong(name: str, seen: DockerFacts, says: str) -> None:
    """What is wrong fails, and the message says what and where."""
    with pytest.raises(AssertionError, match=says):
        run(name, seen)


UNSEEN: list[tuple[str, DockerFacts, str]] = [
    (
        "test_images",
        facts(project="", services_unseen="several Compose projects run here"),
        "several Compose",
    ),
    ("test_images", facts(released=()), "release.images"),
    (
        "test_images",
        facts(released=(("other", "sha256:0"),), third_party=("db", "api", "migrate")),
        "no service",
    ),
    (
        "test_images_run_as_configured",
        facts(services=None, services_unseen="permission denied"),
        "permission",
    ),
    (
        "test_images_run_as_configured",
        with_container(facts(), "api", config_hash="0" * 64, compose_version="2.40.0"),
        "run docker compose up",
    ),
    ("test_images_of_the_product_name_the_commit", facts(commit=""), "release.commit"),
    (
        "test_images_of_the_product_name_the_commit",
        facts(services=tuple(dataclasses.replace(one, built=False) for one in facts().services or ())),
        "build.third_party",
    ),
    ("test_health", without(facts(), "migrate"), "its container is gone"),
    ("test_health", facts(services=None, services_unseen="permission denied"), "permission"),
    ("test_order_as_it_happened", restarted_together(), "started again since"),
    (
        "test_order",
        facts(
            services=tuple(
                dataclasses.replace(one, name=f"x{n}", image="", depends_on=())
                for n, one in enumerate(facts().services or ())
            )
        ),
        "docker.order",
    ),
]


@pytest.mark.parametrize(("name", "seen", "says"), UNSEEN, ids=[f"{name}-{says}" for name, _, says in UNSEEN])
def test_unseen(name: str, seen: DockerFacts, says: str) -> None:
    """What cannot be seen is unproven, never passed, and the message says what would help."""
    with pytest.raises(Unproven, match=says):
        run(name, seen)


def single() -> DockerFacts:
    """Return a stack of one service, which waits for nobody."""
    base = with_service(facts(), "api", depends_on=())
    kept = tuple(one for one in base.services or () if one.name == "api")
    return dataclasses.replace(without(base, "db", "migrate"), services=kept)


def managed() -> DockerFacts:
    """Return a project whose database is somebody else's, declared as external."""
    return without(facts(external=("db",)), "db")


def scaled_down() -> DockerFacts:
    """Return a project with a service that is declared with no replica."""
    extra = Service("debug", "busybox:1.36", False, 0, (), (), None, "no", (), ())
    base = facts()
    return dataclasses.replace(base, services=(*(base.services or ()), extra))


def exempt() -> DockerFacts:
    """Return a service without a health check, for a reason."""
    return with_container(facts(exempt=(("api", "it has no port"),)), "api", health="none", healthcheck=None)


def later_database() -> DockerFacts:
    """Return a project whose database was made anew later, when nobody says when the deployment began."""
    moments = dict.fromkeys(("created_at", "started_at"), "2026-11-25T00:00:00.000000+00:00")
    return with_container(dataclasses.replace(facts(), events=()), "db", checks=(), **moments)


def restarted_database() -> DockerFacts:
    """Return a project whose database was restarted by hand while the application ran."""
    return with_container(
        facts(),
        "db",
        finished_at="2026-11-25T00:00:00.000000+00:00",
        started_at="2026-11-25T00:00:01.000000+00:00",
    )


def old_restarts() -> DockerFacts:
    """Return a project with a container that was restarted long before this deployment began."""
    return with_container(facts(deploy_started_at="2026-11-25T00:00:00.000000+00:00"), "db", restarts=2)


RIGHT: list[tuple[str, DockerFacts]] = [
    *((name, single()) for name in (*ORDERS, "test_health", "test_images_leave_nothing_behind")),
    *((name, managed()) for name in (*SERVICES, *ORDERS) if name != "test_health_lasts"),
    *((name, scaled_down()) for name in ("test_health", "test_order", "test_images_leave_nothing_behind")),
    ("test_health", exempt()),
    ("test_health", facts(listed=None)),
    ("test_order_as_it_happened", restarted_database()),
    ("test_order_needed_no_second_try", old_restarts()),
    # The image's id where it never left the machine, and images by digest alone.
    ("test_images", facts(released=tuple((one.label("title"), one.id) for one in facts().images))),
    ("test_images_are_pinned", with_container(facts(), "api", image_ref=the(facts(), "api").image_id)),
    ("test_images_are_pinned", with_container(facts(), "db", image_ref="postgres:17")),
    ("test_images_leave_nothing_behind", added(facts(), "db", service="prometheus", project="monitoring")),
    ("test_images_leave_nothing_behind", added(facts(), "api", number=2, state="exited")),
    ("test_images_leave_nothing_behind", added(facts(), "api", oneoff=True)),
    ("test_images_of_the_product_name_the_commit", facts(third_party=("db",))),
    # Migrations that the application reaches through another service.
    (
        "test_order",
        with_service(
            with_service(facts(), "migrate", depends_on=(DependsOn("db", HEALTHY, True),)),
            "api",
            depends_on=(DependsOn("migrate", COMPLETED, True),),
        ),
    ),
    ("test_order", facts(order=(("api", "db"), ("api", "migrate")))),
    # container_name: the name is not Compose's.
    ("test_health", with_container(facts(), "api", name="shop")),
]


@pytest.mark.parametrize(("name", "seen"), RIGHT, ids=[f"{name}-{n}" for n, (name, _) in enumerate(RIGHT)])
def test_other_shapes_pass(name: str, seen: DockerFacts) -> None:
    """Projects that are made otherwise and well are not failed."""
    run(name, seen)


def test_a_database_made_anew_later_is_no_wrong_order() -> None:
    """Where nobody says when the deployment began, a dependency made after its dependents shows nothing."""
    with pytest.raises(Unproven, match="started again since"):
        run("test_order_as_it_happened", later_database())
    with pytest.raises(AssertionError, match="before db-1 was"):
        run(
            "test_order_as_it_happened",
            dataclasses.replace(later_database(), deploy_started_at="2026-11-24T00:00:00.000000+00:00"),
        )


def test_the_first_healthy_moment_counts_not_the_start() -> None:
    """A dependent that was started between its dependency's start and its first good health check came too early."""
    base = with_container(facts(), "db", checks=(("2026-11-24T09:59:00.000000+00:00", 0),))
    with pytest.raises(AssertionError, match="before db-1 was healthy"):
        run("test_order_as_it_happened", base)
    db = the(facts(), "db")
    told = (
        Event(db.id, "start", db.started_at),
        Event(db.id, "health_status: healthy", "2026-11-24T09:59:00+00:00"),
    )
    five = with_container(facts(events=told), "db", checks=(("2026-11-24T09:41:31.000000+00:00", 0),) * 5)
    with pytest.raises(AssertionError, match="before db-1 was healthy"):
        run("test_order_as_it_happened", five)


STEADY = Later(
    "api-1", False, True, "healthy", 0, 0, "2026-11-24T09:41:33+00:00", "2026-11-24T09:41:33+00:00"
)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gone": True, "running": False}, "is gone"),
        ({"restarts": 1}, "1 restarts"),
        ({"started_at": "2026-11-24T09:41:50+00:00"}, "did not run through"),
        ({"running": False}, "did not run through"),
        ({"health": "unhealthy"}, "is unhealthy"),
    ],
)
def test_what_did_not_last(changes: dict[str, Any], says: str) -> None:
    """A container that is another one, or not well, at the second look fails."""
    lasts = SERVICES["test_health_lasts"]
    lasts(SteadyFacts(30.1, (STEADY,)), Limits())
    with pytest.raises(AssertionError, match=says):
        lasts(SteadyFacts(30.1, (STEADY, dataclasses.replace(STEADY, **changes))), Limits())


def test_a_short_window_proves_nothing() -> None:
    """Looks that are too close, or at nothing, fail."""
    for seen in (SteadyFacts(5.0, (STEADY,)), SteadyFacts(30.1, ())):
        with pytest.raises(AssertionError):
            SERVICES["test_health_lasts"](seen, Limits())
