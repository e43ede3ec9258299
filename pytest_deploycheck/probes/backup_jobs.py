"""What makes the backups: timers of systemd and lines of cron on the servers, when they ran, and when they will."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import Dead, Reads, probe
from pytest_deploycheck.probes.host_parse import units
from pytest_deploycheck.rules import cron_times
from pytest_deploycheck.transports.backup_cron import CRON, TOOLS

if TYPE_CHECKING:
    from pytest_deploycheck.probes.host_facts import UnitState
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

NAMED = re.compile(rf"({TOOLS}|dump-?db|db-?dump)", re.IGNORECASE)
NOT_OURS = re.compile(r"^(dpkg-db-backup|etckeeper|lvm2?-|fstrim)", re.IGNORECASE)
"""Timers of distributions whose names only sound like it."""
_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,Triggers,TriggeredBy,LastTriggerUSec,"
    "NextElapseUSecRealtime,ExecMainStartTimestamp,ExecMainExitTimestamp"
)
_LOOK = timedelta(days=32)


@dataclass(frozen=True)
class Job:
    """One schedule.

    kind: "timer" or "cron".  why_not: why it will not run, empty where it will.  declared: the target file names it.
    next_at, last_at: UTC ISO 8601, empty when unknown.  every_s: the longest time between two runs, None unknown.
    succeeded: its last run, None where nothing tells.  waiting: it will run, though when may not be told, as of timers
    that count from their last run, or while that lasts.
    """

    server: str
    kind: str
    name: str
    declared: bool
    why_not: str
    next_at: str
    last_at: str
    every_s: float | None
    succeeded: bool | None
    waiting: bool = True


@dataclass(frozen=True)
class BackupJobsFacts:
    """All schedules that make backups.  servers: how many were looked at.  declared: timers that must be there."""

    servers: int
    jobs: tuple[Job, ...]
    declared: tuple[str, ...]


def _services(target: Target) -> tuple[str, ...]:
    wanted = target.backup.schedule if target.backup else []
    return tuple(word for name in wanted for word in (name, name.replace(".timer", ".service")))


def _units(target: Target) -> str:
    return (
        f"systemctl show --no-pager --property={_PROPERTIES} '*.timer' '*.service' {' '.join(_services(target))}"
    ).strip()


def reads(target: Target) -> Reads:
    """Return what is read on every server."""
    return Reads(every=(_units(target), CRON)) if target.backup else Reads()


@probe(
    facts=BackupJobsFacts, deadline=20, needs=("ssh_gate", "backup_gate"), uses={"host": "read"}, reads=reads
)
def backup_jobs(target: Target, connect: Connections) -> BackupJobsFacts:
    """Find every timer and line of cron that makes backups."""
    declared = tuple(target.backup.schedule) if target.backup else ()
    dead = connect.dead_servers()
    alive = [uri for uri in connect.servers() if uri not in dead]
    if not alive:
        raise Dead("ssh", next(iter(dead.values()), "no server runs a command"))
    jobs: list[Job] = []
    for uri in alive:
        found = units(connect.read(_units(target), uri).stdout, _services(target))
        jobs += timers(uri, {unit.name: unit for unit in found}, declared)
        jobs += crons(uri, connect.read(CRON, uri).stdout, connect.now())
    return BackupJobsFacts(len(alive), tuple(jobs), declared)


def timers(uri: str, found: dict[str, UnitState], declared: tuple[str, ...]) -> Iterator[Job]:
    """Yield the timers among units that make backups: the declared ones, or those that are named so."""
    for unit in found.values():
        started = (
            unit.triggers.split()[0] if unit.triggers.split() else unit.name.replace(".timer", ".service")
        )
        if not unit.name.endswith(".timer") or NOT_OURS.match(unit.name):
            continue
        if unit.name not in declared and (declared or not NAMED.search(f"{unit.name} {started}")):
            continue
        service = found.get(started)
        succeeded = None
        if service is not None and (service.ended_at or service.active == "failed"):
            succeeded = service.result == "success" and not service.status and service.active != "failed"
        last = unit.last_trigger_at or (service.started_at if service else "")
        between = _moment(unit.next_at) - _moment(last) if unit.next_at and last else None
        yield Job(
            server=uri,
            kind="timer",
            name=unit.name,
            declared=unit.name in declared,
            why_not=_why_not(unit),
            next_at=unit.next_at,
            last_at=last,
            every_s=between.total_seconds() if between is not None else None,
            succeeded=succeeded,
            waiting=unit.sub in ("waiting", "running"),
        )


def _why_not(unit: UnitState) -> str:
    if unit.active != "active":
        return f"it is {unit.active or 'not there'}"
    if unit.enabled not in ("enabled", "static", "generated", "enabled-runtime", "alias"):
        return f"it is {unit.enabled or 'not enabled'}, so that it ends with the next restart"
    return ""


def crons(uri: str, text: str, now: datetime) -> Iterator[Job]:
    """Yield the lines of cron; the server's zone is taken to be UTC, which matters for hours and not for days."""
    for line in dict.fromkeys(text.splitlines()):
        when, _, tool = line.strip().rpartition(" ")
        if not when:
            continue
        try:
            at = cron_times.runs(when, now, now + _LOOK)
        except (ValueError, IndexError):
            continue
        gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(at)]
        yield Job(
            server=uri,
            kind="cron",
            name=f"{when} … {tool}",
            declared=False,
            why_not="" if at else "it does not run within a month",
            next_at=at[0].isoformat() if at else "",
            last_at="",
            every_s=max(gaps, default=None),
            succeeded=None,
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
