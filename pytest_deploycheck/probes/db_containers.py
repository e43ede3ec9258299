"""The db_containers probe: which networks the database's containers share, and which ports they publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

CONTAINERS = "docker inspect $(docker ps --all --quiet --no-trunc)"
_DATABASE = re.compile(
    r"(?i)(?:^|/)(?:postgres(?:ql)?|postgis|timescaledb(?:-ha)?|pgvector|citus|spilo)\b[\w-]*"
)
_NO_DATABASE = re.compile(r"(?i)exporter|pgadmin|backup|pgbouncer|rest\b")
_EDGE = re.compile(r"(?i)(?:^|/)(?:nginx|traefik|caddy|haproxy|envoy|httpd|kong|openresty|swag)\b")


@dataclass(frozen=True)
class Placed:
    """A running container: its networks, and what it publishes as `address:port->container port`."""

    name: str
    image: str
    networks: tuple[str, ...]
    published: tuple[str, ...]

    @property
    def everywhere(self) -> tuple[str, ...]:
        """What it publishes at every address of the machine."""
        return tuple(one for one in self.published if re.match(r"(?:0\.0\.0\.0|\[::\]|::)?:\d", one))


@dataclass(frozen=True)
class DbContainersFacts:
    """The containers of the main server, as far as they are the database or an edge before the product.

    engine: a container engine answers there; without one, nothing is in containers.  looked_at: how many run.
    """

    engine: bool
    looked_at: int
    databases: tuple[Placed, ...]
    edges: tuple[Placed, ...]

    @property
    def shared(self) -> tuple[tuple[str, str, str], ...]:
        """Each (database, edge, network) that both are in."""
        return tuple(
            (database.name, edge.name, network)
            for database in self.databases
            for edge in self.edges
            for network in database.networks
            if network in edge.networks
        )


@probe(
    facts=DbContainersFacts,
    deadline=20,
    needs=("ssh_gate",),
    uses={"host": "read"},
    reads=lambda target: Reads(main=(CONTAINERS,)),
)
def db_containers(target: Target, connect: Connections) -> DbContainersFacts:
    """Read networks and published ports of the containers on the main server."""
    done = connect.read(CONTAINERS)
    if "permission denied" in done.stderr:
        raise CannotLook(
            Reason.NO_ACCESS,
            "the container engine lets the user of host.uri ask nothing; set host.sudo, or let it run docker inspect",
        )
    try:
        rows = safe_json.loads(done.stdout) if done.stdout.strip() else []
    except ValueError:
        raise CannotLook(Reason.UNPARSEABLE, f"docker inspect prints no JSON: {done.stdout[:80]!r}") from None
    running = [row for row in rows if isinstance(row, dict) and (row.get("State") or {}).get("Running")]
    placed = [_placed(row) for row in running]
    return DbContainersFacts(
        # Asked for no container at all, an engine answers that one is needed.
        engine=bool(rows) or "requires at least 1 argument" in done.stderr,
        looked_at=len(placed),
        databases=tuple(one for one in placed if _is(one, _DATABASE) and not _NO_DATABASE.search(one.image)),
        edges=tuple(one for one in placed if _is(one, _EDGE) and not _NO_DATABASE.search(one.image)),
    )


def _is(container: Placed, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(re.sub(r"(?::[\w.-]+)?(?:@sha256:\w+)?$", "", container.image)))


def _placed(row: dict[str, Any]) -> Placed:
    network = row.get("NetworkSettings") or {}
    return Placed(
        name=str(row.get("Name", "")).lstrip("/"),
        image=str((row.get("Config") or {}).get("Image", "")),
        networks=tuple(sorted(network.get("Networks") or {})),
        published=tuple(_published((network.get("Ports") or {}).items())),
    )


def _published(ports: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for inner, bindings in ports:
        for binding in bindings or ():
            address = str(binding.get("HostIp", ""))
            shown = f"[{address}]" if ":" in address else address
            yield f"{shown}:{binding.get('HostPort', '')}->{inner}"
