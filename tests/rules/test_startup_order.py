"""What must be up before what: roles by names, paths of dependencies, circles."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.startup_order import (
    COMPLETED,
    HEALTHY,
    STARTED,
    Edge,
    Waits,
    circle,
    holds,
    role,
    wanted,
)


@pytest.mark.parametrize(
    ("name", "image", "found"),
    [
        ("postgres", "", "db"),
        ("db", "timescaledb", "db"),
        ("primary", "postgres", "db"),
        ("shop-redis", "valkey", "cache"),
        ("db-migrate", "token-api", "migrate"),
        ("token-api", "", "app"),
        ("web", "nginx", "edge"),
        ("web", "token-api", "app"),
        ("postgres-exporter", "", "other"),
        ("db-backup", "postgres", "other"),
        ("redis-insight", "", "other"),
        ("api-worker", "token-api", "other"),
        ("pgbouncer", "", "other"),
        ("traefik", "", "other"),
        ("rpc-proxy", "", "node"),
        ("thing", "thing", ""),
    ],
)
def test_roles(name: str, image: str, found: str) -> None:
    """A service is what its name says, unless its image says that it only serves, watches or carries."""
    assert role(name, image) == found


def test_wanted_edges() -> None:
    """An application waits for database, cache, node and migrations, a proxy for the application; others for nobody."""
    names = ("api", "db", "redis", "geth", "migrate", "nginx", "grafana", "worker")
    assert set(wanted(dict.fromkeys(names, ""))) == {
        Edge("api", "db", HEALTHY),
        Edge("api", "redis", HEALTHY),
        Edge("api", "geth", HEALTHY),
        Edge("api", "migrate", COMPLETED),
        Edge("nginx", "api", ""),
    }


def test_a_one_shot_by_another_name_is_a_migration() -> None:
    """What runs once with the application's name is waited for until it is done."""
    assert Edge("api", "api-init", COMPLETED) in wanted({"api": "", "api-init": ""}, ["api-init"])


def test_paths() -> None:
    """A path counts, by the condition at its end; the short form ends in `started`."""
    declared = {"api": (Waits("migrate", COMPLETED),), "migrate": (Waits("db", HEALTHY),), "db": ()}
    assert holds(Edge("api", "db", HEALTHY), declared)
    assert holds(Edge("api", "migrate", COMPLETED), declared)
    assert not holds(Edge("api", "migrate", HEALTHY), declared)
    assert not holds(Edge("db", "api", ""), declared)
    assert not holds(Edge("api", "db", HEALTHY), {"api": (Waits("db", STARTED),)})
    assert holds(Edge("api", "db", ""), {"api": (Waits("db", STARTED),)})
    assert not holds(Edge("a", "x", ""), {"a": (Waits("b", STARTED),), "b": (Waits("a", STARTED),)})


def test_circles() -> None:
    """Services that wait for each other are named, a diamond is none."""
    assert circle({"a": (Waits("b", STARTED),), "b": (Waits("a", STARTED),)}) == ("a", "b", "a")
    diamond = {
        "a": (Waits("b", STARTED), Waits("c", STARTED)),
        "b": (Waits("d", STARTED),),
        "c": (Waits("d", STARTED),),
    }
    assert circle(diamond) == ()
