"""What must be up before what in a service like this one, and whether a Compose project sees to it.

A path of dependencies is enough: when app waits for migrate and migrate for a healthy database, app has
waited for the database as well. What counts is the condition at the path's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"

_ROLES: Mapping[str, frozenset[str]] = {
    "db": frozenset(
        "db database postgres postgresql pg pgsql mysql mariadb timescale timescaledb mongo mongodb".split()
    ),
    "cache": frozenset("redis valkey cache keydb dragonfly".split()),
    "node": frozenset("rpc rpcproxy geth anvil erigon nethermind reth besu ganache hardhat".split()),
    "migrate": frozenset("migrate migration migrations migrator flyway liquibase alembic".split()),
    "edge": frozenset("nginx edge proxy haproxy envoy httpd apache gateway ingress loadbalancer lb".split()),
    "app": frozenset("app api backend server core web".split()),
    "other": frozenset(
        "exporter backup admin pgadmin adminer insight ui prometheus grafana loki worker indexer scheduler cron "
        "frontend pgbouncer sentinel traefik caddy certbot metrics agent watchtower".split()
    ),
}
_WANTED = (
    ("app", "db", HEALTHY),
    ("app", "cache", HEALTHY),
    ("app", "node", HEALTHY),
    ("app", "migrate", COMPLETED),
)


@dataclass(frozen=True)
class Edge:
    """A dependent, what it needs, and the condition that it has to wait for; empty for any."""

    dependent: str
    dependency: str
    condition: str


@dataclass(frozen=True)
class Waits:
    """What one service waits for, as declared."""

    service: str
    condition: str


def role(name: str, image: str = "") -> str:
    """Return what a service is by its name, else by its image's; empty when neither tells."""
    by_name, by_image = _role(name), _role(image)
    # A web server under the name of what it serves is still a web server.
    return by_image if by_name in ("", "app") and by_image not in ("", "app") else by_name or by_image


def _role(text: str) -> str:
    words = set(re.split(r"[^a-z0-9]+", text.lower()))
    order = ("other", "migrate", "db", "cache", "node", "edge", "app")
    return next((found for found in order if words & _ROLES[found]), "")


def wanted(services: Mapping[str, str], oneshots: Iterable[str] = ()) -> tuple[Edge, ...]:
    """Return the edges that services of these names (to their images' names) should have.

    An application waits for a healthy database, cache and node, and for migrations that have completed; a
    proxy waits for the application in some way, or it cannot resolve its name.
    """
    once = set(oneshots)
    roles = {name: role(name, image) for name, image in services.items()}
    by_role: dict[str, list[str]] = {}
    for name, found in roles.items():
        by_role.setdefault("migrate" if name in once and found == "app" else found, []).append(name)
    edges = [
        Edge(dependent, dependency, condition)
        for who, what, condition in _WANTED
        for dependent in by_role.get(who, ())
        for dependency in by_role.get(what, ())
    ]
    edges += [Edge(edge, app, "") for edge in by_role.get("edge", ()) for app in by_role.get("app", ())]
    return tuple(edges)


def holds(edge: Edge, declared: Mapping[str, tuple[Waits, ...]]) -> bool:
    """Whether a path of declared dependencies leads from dependent to dependency and ends in the condition."""
    seen, waiting = set(), [edge.dependent]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for one in declared.get(name, ()):
            if one.service == edge.dependency and edge.condition in ("", one.condition):
                return True
            waiting.append(one.service)
    return False


def circle(declared: Mapping[str, tuple[Waits, ...]]) -> tuple[str, ...]:
    """Return services that wait for each other in a circle; empty when there are none."""

    def visit(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if name in path:
            return (*path[path.index(name) :], name)
        for one in declared.get(name, ()):
            if found := visit(one.service, (*path, name)):
                return found
        return ()

    for name in declared:
        if found := visit(name, ()):
            return found
    return ()
