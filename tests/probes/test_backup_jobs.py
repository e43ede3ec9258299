"""What starts backups: timers by name or by declaration, and lines of cron without what they run."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_deploycheck.probes.backup_jobs import crons, timers
from pytest_deploycheck.probes.host_facts import UnitState
from pytest_deploycheck.transports.backup_cron import CRON
from pytest_deploycheck.transports.shell import refuse_writes

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def unit(name: str, **changes: object) -> UnitState:
    """Return a timer that runs, or its service."""
    values: dict[str, object] = {
        "load": "loaded",
        "active": "active",
        "sub": "waiting",
        "enabled": "enabled",
        "result": "success",
    }
    if name.endswith(".timer"):
        values |= {
            "triggers": name.replace(".timer", ".service"),
            "last_trigger_at": "2026-11-24T02:00:00+00:00",
            "next_at": "2026-11-25T02:00:00+00:00",
        }
    return UnitState(name=name, **{**values, **changes})  # type: ignore[arg-type]


def found(*units: UnitState, declared: tuple[str, ...] = ()) -> list[str]:
    """Return the names of the timers that are taken to make backups."""
    return [job.name for job in timers("local://", {one.name: one for one in units}, declared)]


@pytest.mark.parametrize(
    "name", ["backup.timer", "restic-backup.timer", "pgbackrest-full@main.timer", "pg_dump.timer"]
)
def test_named(name: str) -> None:
    """A timer is recognised by its name or by what it starts."""
    assert found(unit(name)) == [name]
    assert found(unit("nightly.timer", triggers=name.replace(".timer", ".service"))) == ["nightly.timer"]


def test_not_ours() -> None:
    """Debian's own copy of dpkg's database is no backup of ours, nor is any other timer."""
    assert found(unit("dpkg-db-backup.timer"), unit("logrotate.timer")) == []


def test_declared() -> None:
    """Where timers are declared, others do not count."""
    assert found(unit("backup.timer"), unit("nightly.timer"), declared=("nightly.timer",)) == [
        "nightly.timer"
    ]


@pytest.mark.parametrize(
    ("timer", "service", "why_not", "succeeded"),
    [
        ({}, {"ended_at": "2026-11-24T02:01:00+00:00", "status": 0}, "", True),
        ({}, {"ended_at": "2026-11-24T02:01:00+00:00", "status": 3, "result": "exit-code"}, "", False),
        ({}, {"active": "failed", "result": "exit-code"}, "", False),
        ({}, {}, "", None),
        ({"active": "inactive"}, {}, "it is inactive", None),
        ({"enabled": "disabled"}, {}, "it is disabled, so that it ends with the next restart", None),
    ],
)
def test_states(
    timer: dict[str, object], service: dict[str, object], why_not: str, succeeded: bool | None
) -> None:
    """A timer says whether it will run, its service whether the last run worked."""
    units = {one.name: one for one in (unit("backup.timer", **timer), unit("backup.service", **service))}
    (job,) = timers("local://", units, ())
    assert (job.why_not, job.succeeded, job.every_s) == (why_not, succeeded, 86400)


def test_cron() -> None:
    """A line tells when it runs; what cannot be read is left out."""
    jobs = list(crons("local://", "30 2 * * * restic\n@reboot backup\n*/5 * * * * pg_dump\nx\n", NOW))
    assert [(job.next_at, job.every_s) for job in jobs] == [
        ("2026-11-25T02:30:00+00:00", 86400),
        ("2026-11-24T12:05:00+00:00", 300),
    ]


def test_cron_tells_no_password(tmp_path: Path) -> None:
    """What is printed of a table of cron is when a line runs and the tool, and nothing else of it."""
    refuse_writes(CRON)
    table = tmp_path / "table"
    table.write_text(
        "PATH=/usr/bin\n# 1 1 * * * restic old\n"
        "30 2 * * * RESTIC_PASSWORD=hunter2 restic backup /srv >/dev/null\n"
        "@daily root /usr/local/bin/pg_dump_all --password=hunter2\n15 * * * * logrotate\n"
    )
    script = CRON.replace(
        "/etc/crontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*", str(table)
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "hunter2" not in done.stdout
    assert any(line.startswith("30 2 * * * ") for line in lines)
    assert any(line.startswith("@daily ") for line in lines)
    assert not any("1 1" in line or "logrotate" in line for line in lines)
