"""Pre-Deployment, Infrastructure Setup: backup storage (item 6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.backup import BackupFacts

STORAGE = "Backup storage configured (local and/or cloud)"


@pytest.mark.checklist("pre_deploy.infrastructure.backup_storage", text=STORAGE)
def test_backup_storage(backup_facts: BackupFacts, limits: Limits, now: datetime) -> None:
    """Backups are written, encrypted, to places that do not die with the database, and there is room."""
    assert backup_facts.repositories, "backup.repos names none"
    for repo in backup_facts.repositories:
        assert not repo.problem, f"{repo.name} ({repo.where}): {repo.problem}"
        if backup_facts.require_encryption:
            assert repo.encrypted is not False, f"{repo.name} ({repo.where}) is not encrypted"
        written = backup_facts.of(repo.name)
        assert written, f"{repo.name} ({repo.where}) was never written to"
        age = now - datetime.fromisoformat(written[-1].ended_at)
        assert age <= timedelta(seconds=limits.backup_write_max_age_s), (
            f"{repo.name}: the newest backup is {age.total_seconds() / 3600:.0f} h old"
        )
        sizes = [one.size_bytes for one in written if one.size_bytes]
        if repo.free_bytes is not None and sizes:
            wanted = limits.backup_free_factor * sizes[-1]
            assert repo.free_bytes >= wanted, (
                f"{repo.name}: {repo.free_bytes} bytes are free, {wanted:.0f} are wanted"
            )
    apart = [repo for repo in backup_facts.repositories if repo.off_host or repo.same_device is False]
    away = [repo for repo in backup_facts.repositories if repo.off_host]
    assert len(away) >= backup_facts.min_offhost, (
        f"{len(away)} repositories are on another machine, {backup_facts.min_offhost} are wanted"
    )
    unknown = [repo.name for repo in backup_facts.repositories if repo.same_device is None]
    if not apart and unknown:
        unproven(
            Reason.NO_CONFIG, f"on which device {', '.join(unknown)} is was not seen; set backup.data_dir"
        )
    assert apart, "every repository is on the device that holds the database"
    for repo in backup_facts.repositories:
        if backup_facts.require_encryption and repo.encrypted is None:
            unproven(Reason.NO_EVIDENCE, f"{repo.name}: whether it is encrypted, its tool does not say")
