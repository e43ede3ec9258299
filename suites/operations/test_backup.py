"""Operational Readiness, Backup and Recovery: the schedule of backups (item 69)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import catalogues
from pytest_deploycheck.claims.catalogues import hours
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.archiver import ArchiverFacts
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.backup_age import BackupAgeFacts
    from pytest_deploycheck.probes.backup_jobs import BackupJobsFacts, Job

SCHEDULE = "operations.backup.schedule"
TEXT = "Database backup schedule configured"
PARTS = ("database", "uploads", "config", "keys")


@pytest.mark.checklist(SCHEDULE, text=TEXT)
def test_schedule(
    backup_jobs_facts: BackupJobsFacts, backup_facts: BackupFacts, limits: Limits, now: datetime
) -> None:
    """Something on a server starts a backup often enough, will do so again in time, and last time it worked."""
    facts, interval = backup_jobs_facts, timedelta(hours=backup_facts.interval_h)
    for name in facts.declared:
        assert any(job.name == name for job in facts.jobs), f"no server has the timer {name} loaded"
    if not facts.jobs:
        unproven(
            Reason.NO_ACCESS,
            f"nothing on {facts.servers} servers starts a backup; name its timer in backup.schedule, or its server "
            "in host.servers",
        )
    for job in facts.jobs:
        if job.declared:
            assert not job.why_not, f"{job.name} on {job.server}: {job.why_not}"
    running = [job for job in facts.jobs if not job.why_not]
    assert running, f"{facts.jobs[0].name} on {facts.jobs[0].server}: {facts.jobs[0].why_not}"
    often = [job for job in running if _in_time(job, interval * limits.backup_gap_factor, now)]
    first = running[0]
    assert often, (
        f"{first.name} on {first.server} runs next at {first.next_at or 'no time'}, every "
        f"{(first.every_s or 0) / 3600:.1f} h; a backup is due every {backup_facts.interval_h:g} h"
    )
    for job in running:
        assert job.succeeded is not False, f"{job.name} on {job.server} failed when it last ran"


def _in_time(job: Job, most: timedelta, now: datetime) -> bool:
    if not job.next_at:
        # Timers that count from their last run tell no time; that they ran is known.
        return job.waiting and (not job.last_at or now - datetime.fromisoformat(job.last_at) <= most)
    if datetime.fromisoformat(job.next_at) - now > most:
        return False
    if datetime.fromisoformat(job.next_at) < now - timedelta(hours=1):
        return False
    return job.every_s is None or timedelta(seconds=job.every_s) <= most


@pytest.mark.checklist(SCHEDULE, text=TEXT)
def test_history(backup_facts: BackupFacts, limits: Limits, now: datetime) -> None:
    """By the catalogues there was a good backup each interval, they are kept, and nothing that matters is left out."""
    facts = backup_facts
    catalogues.read(facts)
    start = now - max(timedelta(days=limits.backup_history_d), timedelta(hours=3 * facts.interval_h))
    for repo in facts.repositories:
        found = catalogues.spaced(facts, repo.name, start, now, limits)
        assert found >= 2, f"{repo.name} has {found} good backups: that is no schedule yet"
    if facts.keep_d is None:
        unproven(
            Reason.NO_CONFIG, "no backup.keep_d in the target file; say for how many days backups are kept"
        )
    assert facts.keep_d >= limits.backup_keep_min_d, f"backups are kept for {facts.keep_d:g} days"
    for part in PARTS:
        word = dict(facts.scope).get(part, "")
        where = dict(facts.elsewhere).get(part, "")
        if part == "database" and facts.tool == "pgbackrest":
            continue
        if not word and not where:
            unproven(
                Reason.NO_CONFIG, f"whether {part} are backed up, backup.scope and kept_elsewhere do not say"
            )
        if word:
            for repo in facts.repositories:
                newest = [one for one in facts.of(repo.name) if not one.error and catalogues.holds(one, word)]
                catalogues.recent(
                    newest,
                    f"{part} in {repo.name}",
                    timedelta(hours=facts.interval_h * limits.backup_gap_factor),
                    now,
                )


@pytest.mark.checklist(SCHEDULE, text=TEXT)
def test_promise(backup_facts: BackupFacts, archiver_facts: ArchiverFacts, limits: Limits) -> None:
    """As much work as may be lost is at least what lies between two backups, or between two archived pieces of WAL."""
    facts, wal = backup_facts, archiver_facts
    rpo = timedelta(hours=catalogues.promised(facts.rpo_h, "rpo_h"))
    interval = timedelta(hours=facts.interval_h)
    archived(wal, limits)
    promise = f"backup.rpo_h is {facts.rpo_h:g} h, and there is a backup every {facts.interval_h:g} h"
    lost = interval
    if interval > rpo:
        assert facts.tool != "pgdump", f"{promise}; to a dump no WAL can be added"
        assert wal.on, f"{promise}, without archived WAL"
        assert wal.timeout_s, f"{promise}; archive_timeout is 0, so that WAL waits until 16 MB are full"
        lost = timedelta(seconds=wal.timeout_s + limits.archive_lag_max_s)
    assert lost <= rpo, f"{promise}; WAL may be archived {hours(lost)} h late"


def archived(wal: ArchiverFacts, limits: Limits) -> None:
    """Assert that WAL is archived without failures and delays, where it is archived at all."""
    if not wal.on:
        return
    assert not wal.failing, (
        f"archiving WAL fails, the last time for {wal.failed_wal} {wal.failed_ago_s:.0f} s ago"
    )
    if wal.archived_ago_s is None or not wal.timeout_s or wal.standby:
        return
    late = max(2 * wal.timeout_s, wal.timeout_s + limits.archive_lag_max_s)
    # A database at rest finishes no segment; a checkpoint writes some hundred bytes.
    resting = wal.behind_bytes is not None and wal.behind_bytes < 65_536
    assert resting or wal.archived_ago_s <= late, f"WAL was last archived {wal.archived_ago_s:.0f} s ago"


@pytest.mark.checklist(SCHEDULE, text=TEXT)
def test_alert(backup_age_facts: BackupAgeFacts) -> None:
    """Somebody is told when there is no backup for too long."""
    facts = backup_age_facts
    assert facts.newest_at is not None, f"no series {facts.metric}: an alert on it would never fire"
    assert facts.alerts, f"no loaded alert that can fire uses {facts.metric}"
