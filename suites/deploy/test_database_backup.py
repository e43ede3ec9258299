"""Deployment Process, Database Setup: the backup before the deployment (item 27)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.backup_catalogue import Backup
    from pytest_deploycheck.probes.db_server import DbServerFacts

BACKUP = "Database backup created (if updating existing deployment)"


@pytest.mark.checklist("deploy.database.backup", text=BACKUP)
def test_backup(backup_facts: BackupFacts, db_server_facts: DbServerFacts, limits: Limits) -> None:
    """Right before the deployment this very database was backed up, well, and the backup's label is recorded."""
    if not backup_facts.deploy_started_at:
        unproven(Reason.NO_CONFIG, "no release.deploy_started_at in the target file; add it")
    started = datetime.fromisoformat(backup_facts.deploy_started_at)
    before = [one for one in backup_facts.backups if datetime.fromisoformat(one.ended_at) <= started]
    assert before, "there was no backup before the deployment; the oldest is from after its start"
    if backup_facts.tag:
        before = [one for one in before if backup_facts.tag in one.tags]
        assert before, f"no snapshot from before the deployment is tagged {backup_facts.tag!r}"
    chosen = _recorded(before, backup_facts.label)
    age = started - datetime.fromisoformat(chosen.ended_at)
    assert age <= timedelta(seconds=limits.backup_before_deploy_max_s), (
        f"{chosen.label} ended {age.total_seconds() / 3600:.1f} h before the deployment"
    )
    assert not chosen.error, f"{chosen.label} has errors: its tool found damaged pages, or the file is empty"
    earlier = [
        one for one in before if one.ended_at < chosen.ended_at and one.size_bytes and one.kind == chosen.kind
    ]
    if earlier and chosen.size_bytes is not None:
        share = chosen.size_bytes / (earlier[-1].size_bytes or 1)
        assert share >= limits.backup_size_min, (
            f"{chosen.label} is {share:.0%} of the size of {earlier[-1].label}"
        )
    if not chosen.cluster or db_server_facts.identifier is None:
        unproven(
            Reason.NO_EVIDENCE,
            f"of which database {chosen.label} is, nobody says; tag it cluster-<system identifier>",
        )
    assert chosen.cluster == db_server_facts.identifier, (
        f"{chosen.label} is of database cluster {chosen.cluster}, not of {db_server_facts.identifier}"
    )


def _recorded(before: list[Backup], label: str) -> Backup:
    """Return the backup that the release names, or the newest of them."""
    if not label:
        unproven(Reason.NO_CONFIG, f"no backup.label in the target file; the newest is {before[-1].label}")
    found = next((one for one in before if one.label == label), None)
    assert found is not None, f"the backup {label!r} that the release names is not among those before it"
    return found
