"""DIR/server/units.json: what systemd would know of the demo's services and timers; a fault edits it.

Each unit maps names of properties, as `systemctl show` prints them, to values; moments are seconds since 1970.
`TIMERS` and `SERVICES` are the table; a unit of the demo that stands for another service adds its line.
"""

from __future__ import annotations

import json
import time
from typing import Any

from pytest_deploycheck.demo.world import World

FILE = "units.json"
CLOCK_FILE = "timedate.json"

SERVICES = ("ssh", "docker", "nginx", "postgresql", "redis-server", "nftables", "cron")
"""Services that run, and start with the machine."""
TIMERS: dict[str, tuple[float, float]] = {
    "certbot": (3600, 43200),
    "apt-daily-upgrade": (7200, 79200),
    "backup": (600, 85200),
}
"""Timers, each with a service of its name: seconds since the last run, which succeeded, and to the next one."""


def write(world: World) -> None:
    """Write a healthy state, as of now."""
    now = round(time.time())
    units = {f"{name}.service": _running(now - 7200) for name in SERVICES}
    for name, (ago, until) in TIMERS.items():
        units |= _timed(name, now - ago, now + until)
    _save(world, FILE, units)
    _save(world, CLOCK_FILE, {"Timezone": "Etc/UTC", "NTP": "yes", "NTPSynchronized": "yes"})


def _running(since: float) -> dict[str, Any]:
    return {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "UnitFilePreset": "enabled",
        "Result": "success",
        "ActiveEnterTimestamp": since,
        "ExecMainStatus": 0,
        "NRestarts": 0,
    }


def _timed(name: str, last: float, following: float) -> dict[str, dict[str, Any]]:
    return {
        f"{name}.timer": {
            "LoadState": "loaded",
            "ActiveState": "active",
            "SubState": "waiting",
            "UnitFileState": "enabled",
            "UnitFilePreset": "enabled",
            "Result": "success",
            "Unit": f"{name}.service",
            "Triggers": f"{name}.service",
            "LastTriggerUSec": last,
            "NextElapseUSecRealtime": following,
        },
        f"{name}.service": {
            "LoadState": "loaded",
            "ActiveState": "inactive",
            "SubState": "dead",
            "UnitFileState": "static",
            "Result": "success",
            "TriggeredBy": f"{name}.timer",
            "ExecMainStartTimestamp": last,
            "ExecMainExitTimestamp": last + 2,
            "ExecMainStatus": 0,
        },
    }


def _save(world: World, name: str, values: dict[str, Any]) -> None:
    world.path("server", name).write_text(json.dumps(values, indent=1) + "\n")
