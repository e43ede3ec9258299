"""A Compose project as its files declare it, and as `docker compose ps` lists it. Parsing only.

What `docker compose config` prints has every secret of the environment in it: only structure is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.probes.healthchecks import HealthCheck, from_compose
from pytest_deploycheck.rules.startup_order import STARTED


@dataclass(frozen=True)
class DependsOn:
    """What a service waits for, and until when: one of Compose's three conditions."""

    service: str
    condition: str
    required: bool


@dataclass(frozen=True)
class Service:
    """A service as declared.

    image: its reference, empty when it is only built.  built: it has a build section.  replicas: how many
    containers it should have.  profiles: it belongs to these only; Compose shows it when one is enabled.
    healthcheck: as written in the file; an image may bring its own.  config_hashes: Compose's digests of it
    now, without and with its environment files resolved (see transports/compose.py); none where not known.
    """

    name: str
    image: str
    built: bool
    replicas: int
    profiles: tuple[str, ...]
    depends_on: tuple[DependsOn, ...]
    healthcheck: HealthCheck | None
    restart: str
    networks: tuple[str, ...]
    config_hashes: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A container as `docker compose ps` lists it."""

    name: str
    service: str
    state: str
    health: str
    exit_code: int


def services(config: Mapping[str, Any], hashes: Mapping[str, tuple[str, ...]]) -> tuple[Service, ...]:
    """Return the services of `docker compose config --format json`."""
    found = config.get("services")
    entries = found.items() if isinstance(found, dict) else ()
    return tuple(_service(str(name), entry, hashes) for name, entry in entries if isinstance(entry, dict))


def _service(name: str, entry: Mapping[str, Any], hashes: Mapping[str, tuple[str, ...]]) -> Service:
    networks = entry.get("networks")
    return Service(
        name=name,
        image=str(entry.get("image", "")),
        built="build" in entry,
        replicas=_replicas(entry),
        profiles=tuple(str(one) for one in entry.get("profiles") or ()),
        depends_on=tuple(_depends_on(entry.get("depends_on"))),
        healthcheck=from_compose(entry.get("healthcheck") or {}),
        restart=str(entry.get("restart", "") or "no"),
        networks=tuple(sorted(str(one) for one in networks or ())),
        config_hashes=hashes.get(name, ()),
    )


def _replicas(entry: Mapping[str, Any]) -> int:
    """Return `deploy.replicas`, else `scale`, else one (Compose specification, deploy)."""
    deploy = entry.get("deploy")
    for value in ((deploy or {}).get("replicas") if isinstance(deploy, dict) else None, entry.get("scale")):
        if isinstance(value, int):
            return value
    return 1


def _depends_on(found: Any) -> Iterator[DependsOn]:
    """Read both forms: names alone wait for the start only."""
    if isinstance(found, list):
        yield from (DependsOn(str(name), STARTED, True) for name in found)
    elif isinstance(found, dict):
        for name, entry in found.items():
            entry = entry if isinstance(entry, dict) else {}
            condition = str(entry.get("condition", "") or STARTED)
            yield DependsOn(str(name), condition, bool(entry.get("required", True)))


def declaration(text: str) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return the declaration and service -> digests out of what compose.DECLARED asks for; empty for neither."""
    try:
        found, end = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return {}, {}
    return (found if isinstance(found, dict) else {}), hashes(text.lstrip()[end:])


def hashes(text: str) -> dict[str, tuple[str, ...]]:
    """Return service -> digests out of `docker compose config --hash '*'`: a name and a digest a line."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\S+)\s+([0-9a-f]{64})", line.strip())
        if match:
            found[match[1]] = tuple(dict.fromkeys((*found.get(match[1], ()), match[2])))
    return found


def listed(text: str) -> tuple[Listed, ...] | None:
    """Return the containers of `docker compose ps --format json`; None when it is neither of its two shapes.

    Before 2.21 it is one array, from then on one object a line.
    """
    found = objects(text)
    if found is None:
        return None
    return tuple(
        Listed(
            name=str(one.get("Name", "")),
            service=str(one.get("Service", "")),
            state=str(one.get("State", "")).lower(),
            health=str(one.get("Health", "") or "none").lower(),
            exit_code=int(one.get("ExitCode", 0) or 0),
        )
        for one in found
    )


def objects(text: str) -> list[Mapping[str, Any]] | None:
    """Return the JSON objects of an array or of lines; None for anything else. No text is no objects."""
    text = text.strip()
    if not text:
        return []
    try:
        found = (
            safe_json.loads(text)
            if text.startswith("[")
            else [safe_json.loads(line) for line in text.splitlines()]
        )
    except ValueError:
        return None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    return found
