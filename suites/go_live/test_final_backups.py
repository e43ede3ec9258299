"""Go-Live, Final Verification: backups are fresh here and elsewhere right now, and can be restored (item 81)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.claims import catalogues, restores

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.archiver import ArchiverFacts
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.backup_age import BackupAgeFacts
    from pytest_deploycheck.probes.backup_jobs import BackupJobsFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

BACKUPS = "go_live.final.backups"
TEXT = "Backup systems operational"


@pytest.mark.smoke
@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups(backup_facts: BackupFacts, limits: Limits, now: datetime) -> None:
    """By their catalogues the newest backup is fresh, good and as large as usual, here and off the host."""
    facts = backup_facts
    catalogues.read(facts)
    for repo in facts.repositories:
        catalogues.no_failure_since(facts, repo.name)
        most = timedelta(hours=facts.interval_h * limits.backup_age_factor)
        if repo.off_host:
            most = timedelta(hours=facts.interval_h + limits.backup_offhost_extra_h)
        catalogues.recent(catalogues.good(facts, repo.name), repo.name, most, now)
        catalogues.plausible(facts, repo.name, limits)
        sizes = [one.size_bytes for one in facts.of(repo.name) if one.size_bytes]
        if repo.free_bytes is not None:
            wanted = limits.backup_free_factor * max(sizes, default=1)
            assert repo.free_bytes >= wanted, (
                f"{repo.name}: {repo.free_bytes} bytes are free, {wanted:.0f} are wanted"
            )
    # A backup of a moment ago may be on its way.
    extra = timedelta(hours=limits.backup_offhost_extra_h)
    due = [one.ended for repo in facts.repositories for one in catalogues.good(facts, repo.name)]
    due = [at for at in due if at <= now - extra]
    away = max(one.ended for name in facts.away for one in catalogues.good(facts, name))
    assert not due or away >= max(due) - extra, (
        f"the newest backup off the host is of {away.isoformat(timespec='minutes')}, another one of "
        f"{max(due).isoformat(timespec='minutes')}"
    )


@pytest.mark.smoke
@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups_go_on(
    backup_jobs_facts: BackupJobsFacts, archiver_facts: ArchiverFacts, limits: Limits, now: datetime
) -> None:
    """The last run did not fail, a next one is set, and WAL is archived where it should be."""
    facts = backup_jobs_facts
    for job in facts.jobs:
        if job.declared or not job.why_not:
            assert not job.why_not, f"{job.name} on {job.server}: {job.why_not}"
            assert job.succeeded is not False, f"{job.name} on {job.server} failed when it last ran"
            assert job.next_at or job.waiting, f"{job.name} on {job.server} has no next run"
    for name in facts.declared:
        assert any(job.name == name for job in facts.jobs), f"no server has the timer {name} loaded"
    if archiver_facts.on:
        assert not archiver_facts.failing, (
            f"archiving WAL fails, the last time for {archiver_facts.failed_wal}"
        )


@pytest.mark.smoke
@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups_can_be_restored(
    evidence_facts: EvidenceFacts, backup_facts: BackupFacts, limits: Limits, now: datetime
) -> None:
    """The newest proof of a restore is still one."""
    file, chosen = restores.proof(evidence_facts.files, backup_facts, limits, now)
    assert file.name and chosen.repo in backup_facts.away


@pytest.mark.smoke
@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups_are_watched(
    backup_age_facts: BackupAgeFacts, backup_facts: BackupFacts, limits: Limits
) -> None:
    """Monitoring and the catalogues know of the same newest backup."""
    facts = backup_age_facts
    assert facts.newest_at is not None, f"no series {facts.metric}: monitoring knows of no backup"
    good = [one.ended for one in backup_facts.backups if not one.error]
    assert good, "no catalogue has a good backup"
    off = (datetime.fromisoformat(facts.newest_at) - max(good)).total_seconds()
    assert abs(off) <= limits.backup_metric_off_max_s, (
        f"monitoring says that the newest backup was at {facts.newest_at}, the catalogues say {max(good).isoformat()}"
    )
