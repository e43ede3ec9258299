"""Containers and images, as `docker inspect` shows them (podman's answer has the same shape). Parsing only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.probes.healthchecks import HealthCheck, from_inspect

COMPOSE = "com.docker.compose."
OCI = "org.opencontainers.image."
NEVER = "0001-01-01T00:00:00"
"""How Docker writes a moment that there never was."""


@dataclass(frozen=True)
class Published:
    """A port of a container that the engine opened on the server; address "" or 0.0.0.0 or :: means all."""

    address: str
    port: int
    container_port: int
    protocol: str


@dataclass(frozen=True)
class Container:
    """One container, running or not.

    service, project, number: from Compose's labels, empty or 0 where Compose did not make it.  oneoff: made by
    `compose run`.  image_ref: the reference that it was created from; image_id: the image that it really has.
    config_hash: the service's digest when it was created, by Compose of compose_version.  state: created,
    running, paused, restarting, exited, dead.  health: healthy, unhealthy, starting, or none when there is no
    health check.  checks: (moment, exit status) of the last health checks, oldest first.  finished_at: empty
    when it never stopped.  Moments are UTC ISO 8601.  restarts: by the engine's restart policy.  memory_bytes,
    cpus: limits, 0 for none.  log_max_size: of its log driver, empty for none.  user: empty or 0 means root.
    """

    id: str
    name: str
    service: str
    project: str
    number: int
    oneoff: bool
    image_ref: str
    image_id: str
    config_hash: str
    compose_version: str
    state: str
    exit_code: int
    oom_killed: bool
    restarts: int
    created_at: str
    started_at: str
    finished_at: str
    health: str
    failing_streak: int
    checks: tuple[tuple[str, int], ...]
    healthcheck: HealthCheck | None
    restart_policy: str
    memory_bytes: int
    cpus: float
    user: str
    log_driver: str
    log_max_size: str
    network_mode: str
    networks: tuple[str, ...]
    published: tuple[Published, ...]

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.state == "running"

    @property
    def label(self) -> str:
        """How messages name it: its service and number where Compose made it."""
        return f"{self.service}-{self.number}" if self.service else self.name


@dataclass(frozen=True)
class Image:
    """A local image that a container has, or was created from.

    id: the digest of its configuration.  tags: local references, with their registries.  digests: what
    registries call it, as (repository, sha256:…); none when it was never pushed or pulled.  labels: those of
    org.opencontainers.image, without that prefix.  created_at: UTC ISO 8601.  root: it runs as root unless the
    container says otherwise.
    """

    id: str
    tags: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    created_at: str
    architecture: str
    system: str
    user: str
    size_bytes: int

    def label(self, name: str) -> str:
        """Return an OCI label such as `revision`; empty when the image has none."""
        return dict(self.labels).get(name, "")

    @property
    def root(self) -> bool:
        """Whether its programs run as root unless the container says otherwise."""
        return is_root(self.user)


def is_root(user: str) -> bool:
    """Whether a user of a container, as `USER` or `user:` names it, is root."""
    return user.partition(":")[0] in ("", "0", "root")


def container(found: Mapping[str, Any]) -> Container:
    """Return the facts of one entry of `docker inspect`."""
    config, host = _map(found, "Config"), _map(found, "HostConfig")
    state, labels = _map(found, "State"), _map(config, "Labels")
    health = _map(state, "Health") or _map(state, "Healthcheck")
    log = _map(host, "LogConfig")
    number = str(labels.get(COMPOSE + "container-number", ""))
    return Container(
        id=str(found.get("Id", "")),
        name=str(found.get("Name", "")).lstrip("/"),
        service=str(labels.get(COMPOSE + "service", "")),
        project=str(labels.get(COMPOSE + "project", "")),
        number=int(number) if number.isdigit() else 0,
        oneoff=str(labels.get(COMPOSE + "oneoff", "")).lower() == "true",
        image_ref=str(config.get("Image", "") or found.get("ImageName", "")),
        image_id=_sha(str(found.get("Image", ""))),
        config_hash=str(labels.get(COMPOSE + "config-hash", "")),
        compose_version=str(labels.get(COMPOSE + "version", "")),
        state=str(state.get("Status", "")),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled", False)),
        restarts=int(found.get("RestartCount", 0)),
        created_at=moment(found.get("Created")),
        started_at=moment(state.get("StartedAt")),
        finished_at=moment(state.get("FinishedAt")),
        health=str(health.get("Status", "") or "none"),
        failing_streak=int(health.get("FailingStreak", 0)),
        checks=tuple((moment(one.get("End")), int(one.get("ExitCode", -1))) for one in _list(health, "Log")),
        healthcheck=from_inspect(_map(config, "Healthcheck")),
        restart_policy=str(_map(host, "RestartPolicy").get("Name", "") or "no"),
        memory_bytes=int(host.get("Memory", 0) or 0),
        cpus=_cpus(host),
        user=str(config.get("User", "") or ""),
        log_driver=str(log.get("Type", "")),
        log_max_size=str(_map(log, "Config").get("max-size", "") or log.get("Size", "") or "").lstrip("0B"),
        network_mode=str(host.get("NetworkMode", "")),
        networks=tuple(sorted(_map(_map(found, "NetworkSettings"), "Networks"))),
        published=_published(found),
    )


def image(found: Mapping[str, Any]) -> Image:
    """Return the facts of one entry of `docker image inspect`."""
    config = _map(found, "Config")
    labels = _map(config, "Labels") or _map(found, "Labels")
    digests = (str(one).rpartition("@") for one in found.get("RepoDigests") or ())
    return Image(
        id=_sha(str(found.get("Id", ""))),
        tags=tuple(str(tag) for tag in found.get("RepoTags") or ()),
        digests=tuple((repository, digest) for repository, _, digest in digests if digest),
        labels=tuple(
            sorted((name.removeprefix(OCI), str(v)) for name, v in labels.items() if name.startswith(OCI))
        ),
        created_at=moment(found.get("Created")),
        architecture=str(found.get("Architecture", "")),
        system=str(found.get("Os", "")),
        user=str(config.get("User", "") or found.get("User", "") or ""),
        size_bytes=int(found.get("Size", 0) or 0),
    )


def moment(value: Any) -> str:
    """Return a moment in UTC to the microsecond, so that moments compare as text; empty for never."""
    text = str(value or "")
    if not text or text.startswith(NEVER):
        return ""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")
    except ValueError:
        return ""


def _published(found: Mapping[str, Any]) -> tuple[Published, ...]:
    """Return what is really open, or of a container that does not run, what would be."""
    ports = _map(_map(found, "NetworkSettings"), "Ports") or _map(_map(found, "HostConfig"), "PortBindings")
    opened = []
    for key, bindings in ports.items():
        inner, _, protocol = key.partition("/")
        for one in bindings or ():
            host = str(one.get("HostPort", ""))
            if host.isdigit() and inner.isdigit():
                opened.append(Published(str(one.get("HostIp", "")), int(host), int(inner), protocol or "tcp"))
    return tuple(sorted(set(opened), key=lambda one: (one.port, one.protocol, one.address)))


def _cpus(host: Mapping[str, Any]) -> float:
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / 1e9
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    return float(quota) / float(period) if quota > 0 else 0.0


def _sha(digest: str) -> str:
    """Write an image's id as Docker does; podman leaves the algorithm out."""
    return f"sha256:{digest}" if re.fullmatch(r"[0-9a-f]{64}", digest) else digest


def _map(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _list(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = found.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
