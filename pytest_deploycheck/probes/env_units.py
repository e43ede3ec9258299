"""Whether units of systemd were started after the environment file was last written: they read it at their start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import Reads

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class Unit:
    """A unit: active, and since when (UTC ISO 8601, empty when it is not)."""

    name: str
    active: bool
    since: str


def command(target: Target) -> str:
    """Return the command that tells of the units."""
    names = " ".join(target.env.units)
    return f"systemctl show --no-pager --property=Id,ActiveState,ActiveEnterTimestamp {names}"


def reads(target: Target) -> Reads:
    """Return what is read on the server; nothing where no unit is named."""
    return Reads(main=(command(target),) if target.env.units else ())


def units(target: Target, connect: Connections) -> tuple[Unit, ...]:
    """Return the units of env.units as they run now."""
    if not target.env.units:
        return ()
    text = connect.read(command(target)).stdout
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        found.append(Unit(values.get("Id", ""), values.get("ActiveState") == "active", _moment(values)))
    return tuple(found)


def _moment(values: dict[str, str]) -> str:
    """Return when a unit became active; systemctl prints `Tue 2026-11-24 09:01:24 UTC` under LC_ALL=C, TZ=UTC."""
    found = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", values.get("ActiveEnterTimestamp", ""))
    if found is None:
        return ""
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).isoformat()
