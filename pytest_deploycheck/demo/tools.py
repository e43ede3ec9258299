"""Servers that are used when this machine has them, under Debian's name or the project's own."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request

_DEBIAN = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "node_exporter": "prometheus-node-exporter",
    "blackbox_exporter": "prometheus-blackbox-exporter",
    "postgres_exporter": "prometheus-postgres-exporter",
    "redis_exporter": "prometheus-redis-exporter",
}


def find(tool: str) -> str | None:
    """Return the path of a tool, or None when it is not on PATH."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    package = _DEBIAN[tool]
    names = (tool, package) if package.endswith(tool.replace("_", "-")) else (tool,)
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def missing(tool: str) -> str | None:
    """Why a tool cannot be used, and which package brings it; None when it can."""
    if find(tool):
        return None
    return f"{tool} is not on PATH; Debian has it in the package {_DEBIAN[tool]}"


def path_of(tool: str) -> str:
    """Return the path of a tool; FileNotFoundError when it is missing."""
    found = find(tool)
    if found is None:
        raise FileNotFoundError(missing(tool))
    return found


def answers_200(url: str) -> bool:
    """Whether a GET is answered with 200: a `ready` for servers that have a readiness path."""
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 - our own loopback address
            return bool(reply.status == 200)
    except urllib.error.HTTPError:
        return False
