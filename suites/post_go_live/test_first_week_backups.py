"""Post Go-Live, First Week: every backup of the week is there, and one of them was restored (item 96)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, provisional, unproven
from pytest_deploycheck.claims import catalogues, restores
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.archiver import ArchiverFacts
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts

BACKUPS = "post_go_live.first_week.backups"
TEXT = "Check backup completion"
WEEK = timedelta(days=7)


@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups(backup_facts: BackupFacts, limits: Limits, now: datetime) -> None:
    """In every repository each scheduled backup since the go-live is there, without errors, as large as usual."""
    facts = backup_facts
    live = _live(facts)
    first = live + timedelta(hours=facts.interval_h * limits.backup_gap_factor)
    if now < first:
        pending(first, "the first backup after the go-live is not due yet")
    end = min(now, live + WEEK)
    catalogues.read(facts)
    for repo in facts.repositories:
        inside = [one for one in facts.of(repo.name) if live <= one.ended <= end]
        bad = [one.label for one in inside if one.error]
        assert not bad, f"{repo.name}: {', '.join(bad[:3])} have errors"
        found = catalogues.spaced(facts, repo.name, live, end, limits)
        # The go-live lies anywhere between two backups.
        due = int((end - live) / timedelta(hours=facts.interval_h * limits.backup_gap_factor))
        assert found >= due, f"{repo.name} has {found} good backups since the go-live, {due} are due"
        catalogues.plausible(facts, repo.name, limits)
    if now < live + WEEK:
        provisional(live + WEEK)


@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backups_archived(archiver_facts: ArchiverFacts) -> None:
    """Where WAL is archived, the newest attempt did not fail."""
    wal = archiver_facts
    assert not (wal.on and wal.failing), f"archiving WAL fails, the last time for {wal.failed_wal}"


@pytest.mark.checklist(BACKUPS, text=TEXT)
def test_backup_restored(
    evidence_facts: EvidenceFacts, backup_facts: BackupFacts, limits: Limits, now: datetime
) -> None:
    """A backup that was made after the go-live has been restored and compared."""
    live = _live(backup_facts)
    first = live + timedelta(hours=backup_facts.interval_h * limits.backup_gap_factor)
    if now < first:
        pending(first, "the first backup after the go-live is not due yet")
    file, chosen = restores.proof(evidence_facts.files, backup_facts, limits, now)
    if chosen.ended < live and now < live + WEEK:
        pending(
            live + WEEK, f"no backup since the go-live was restored yet; {file.name} is of {chosen.ended_at}"
        )
    assert chosen.ended >= live, (
        f"{file.name} is of a backup from {chosen.ended_at}, before the go-live: none since then was restored"
    )


def _live(facts: BackupFacts) -> datetime:
    if not facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    return datetime.fromisoformat(facts.go_live_at)
