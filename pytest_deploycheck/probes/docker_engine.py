"""The container engine and Compose: which they are, whether they come back after a reboot. Parsing only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck import safe_json

VERSION = "docker version --format '{{json .}}'"
INFO = "docker info --format '{{json .}}'"
COMPOSE_VERSION = "docker compose version --short"
LEGACY_VERSION = "docker-compose version --short"
UNITS = (
    "systemctl show --property=Id,LoadState,UnitFileState,ActiveState docker.service docker.socket "
    "snap.docker.dockerd.service podman.service podman.socket podman-restart.service"
)
USER_UNITS = (
    "systemctl --user show --property=Id,LoadState,UnitFileState,ActiveState docker.service docker.socket "
    "podman.socket podman-restart.service"
)
LINGER = "ls /var/lib/systemd/linger"
WHO = "id -un"
LISTENERS = "ss -ltn"
PLAIN_PORT = 2375
"""The port that is registered for Docker's API without TLS."""

_PLAIN_API = re.compile(r"API is accessible on (http://\S+?)[,.]?(?:\s|$)")


@dataclass(frozen=True)
class Engine:
    """What answers as the engine.

    kind: docker or podman.  root_dir: where it keeps images and containers.  rootless: it runs without rights
    of its own.  log_driver: the default of new containers.  plain_api: addresses at which it says itself that
    its API answers without encryption.  warnings: what else it warns of.
    """

    kind: str
    version: str
    api_version: str
    root_dir: str
    rootless: bool
    cgroup_version: str
    live_restore: bool
    log_driver: str
    swarm: bool
    plain_api: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ComposeTool:
    """Compose as it is installed: version of the plugin, and of a separate docker-compose; empty for none."""

    plugin: str
    standalone: str

    @property
    def version(self) -> str:
        """The version that counts: the plugin's, or that of a separate program which is not the first one."""
        return self.plugin or ("" if self.standalone.startswith("1.") else self.standalone)


@dataclass(frozen=True)
class EngineUnit:
    """A unit of systemd that starts an engine; `user`: one of the user's own, which needs lingering."""

    name: str
    enabled: str
    active: str
    user: bool


def engine(version_text: str, info_text: str) -> Engine | None:
    """Return the engine, or None when none answers: a client alone is no engine."""
    version, info = document(version_text), document(info_text)
    if isinstance(info.get("host"), dict) and isinstance(info.get("store"), dict):
        return _podman(version, info)
    server = version.get("Server")
    if not isinstance(server, dict) or not server.get("Version"):
        return None
    options = [str(one) for one in info.get("SecurityOptions") or ()]
    warnings = [str(one) for one in info.get("Warnings") or ()]
    plain = [match[1] for text in warnings for match in _PLAIN_API.finditer(text)]
    swarm = info.get("Swarm")
    components = [str(one.get("Name")) for one in server.get("Components") or () if isinstance(one, dict)]
    return Engine(
        kind="podman" if "Podman Engine" in components else "docker",
        version=str(server["Version"]),
        api_version=str(server.get("ApiVersion") or server.get("APIVersion") or ""),
        root_dir=str(info.get("DockerRootDir", "")),
        rootless=any("name=rootless" in one for one in options),
        cgroup_version=str(info.get("CgroupVersion", "")),
        live_restore=bool(info.get("LiveRestoreEnabled", False)),
        log_driver=str(info.get("LoggingDriver", "")),
        swarm=isinstance(swarm, dict) and swarm.get("LocalNodeState") == "active",
        plain_api=tuple(dict.fromkeys(plain)),
        warnings=tuple(text for text in warnings if not _PLAIN_API.search(text)),
    )


def _podman(version: Mapping[str, Any], info: Mapping[str, Any]) -> Engine:
    """Read what podman's docker command prints: it needs no server, so the client's version is the engine's."""
    host, store = info["host"], info["store"]
    told = info.get("version") or version.get("Server") or version.get("Client") or {}
    security = host.get("security") or {}
    return Engine(
        kind="podman",
        version=str(told.get("Version", "")),
        api_version=str(told.get("APIVersion", "")),
        root_dir=str(store.get("graphRoot", "")),
        rootless=bool(security.get("rootless", False)),
        cgroup_version=str(host.get("cgroupVersion", "")).lstrip("v"),
        live_restore=True,  # there is no daemon whose end could take the containers along
        log_driver=str(host.get("logDriver", "")),
        swarm=False,
        plain_api=(),
        warnings=(),
    )


def compose_tool(plugin: tuple[int, str], standalone: tuple[int, str]) -> ComposeTool:
    """Return Compose from exit status and output of both version commands."""
    return ComposeTool(_number(*plugin), _number(*standalone))


def _number(status: int, text: str) -> str:
    """Return the version in a command's output, which other words may surround (podman names its provider)."""
    found = re.search(r"\bv?(\d+\.\d+[\w.+~-]*)", text) if status == 0 else None
    return found[1] if found else ""


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers that compare: 26.1.5+dfsg1 as (26, 1, 5)."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(one) for one in found[1].split(".")) if found else ()


def units(status: int, text: str, *, user: bool = False) -> tuple[EngineUnit, ...] | None:
    """Return the loaded units out of `systemctl show`; None where systemd does not answer."""
    if status != 0 or "LoadState=" not in text:
        return None
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded":
            name, enabled = values.get("Id", ""), values.get("UnitFileState", "")
            found.append(EngineUnit(name, enabled, values.get("ActiveState", ""), user))
    return tuple(found)


def listeners(status: int, text: str) -> tuple[str, ...] | None:
    """Return the addresses at which TCP is listened for on the port of the plain API; None when not seen."""
    if status != 0:
        return None
    found = (line.split() for line in text.splitlines())
    local = (words[3] for words in found if len(words) > 3)
    return tuple(sorted({one for one in local if one.endswith(f":{PLAIN_PORT}")}))


def document(text: str) -> dict[str, Any]:
    """Return the JSON object in a command's output; an empty one for anything else."""
    try:
        found = safe_json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
