"""What a record of a restore must say to prove that backups can be restored, and what catalogues say to that. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.backup_catalogue import Backup

RESTORE = "operations.backup.restore"
_MINUTE = timedelta(minutes=1)


def proof(
    files: Iterable[SignedFile], backup: BackupFacts, limits: Limits, now: datetime
) -> tuple[SignedFile, Backup]:
    """Return the newest record of a restore and the backup that it is of; end the check where it proves nothing."""
    live = datetime.fromisoformat(backup.go_live_at) if backup.go_live_at else None
    after = live is not None and now > live
    age = limits.restore_after_max_d if after else limits.restore_before_max_d
    file = evidence.newest(files, RESTORE, now=now, max_age_d=age, this_release=False)
    chosen = _backup(file, backup)
    began, ended = moment(file, "started_at"), moment(file, "ended_at")
    assert began < ended <= file.produced + _MINUTE, f"{file.name}: it was signed before the restore was over"
    assert now - ended <= timedelta(days=age), f"the restore was {(now - ended).days} days ago"
    assert chosen.ended <= began + _MINUTE, f"{file.name}: {chosen.label} was made after it was restored"
    old = began - chosen.ended
    assert old <= timedelta(days=limits.restore_backup_age_max_d), (
        f"{file.name} is of a backup that was {old.days} days old: nothing says that newer ones can be restored"
    )
    _elsewhere(file, chosen)
    _equal(file, backup)
    _timed(file, backup, began, ended)
    return file, chosen


def _backup(file: SignedFile, backup: BackupFacts) -> Backup:
    label, repo = fact(file, "label", str), fact(file, "repo", str)
    named = next((one for one in backup.repositories if one.name == repo), None)
    assert named is not None, f"{file.name}: backup.repos has no {repo!r}"
    assert named.off_host, (
        f"{file.name} is of repository {repo}, which is on the host: when the host is lost, so is that"
    )
    found = next((one for one in backup.of(repo) if one.label == label), None)
    assert found is not None, f"{file.name}: the catalogue of {repo} has no backup {label!r}"
    assert not found.error, f"{file.name}: backup {label} has errors, says its catalogue"
    return found


def _elsewhere(file: SignedFile, chosen: Backup) -> None:
    scratch = fact(file, "scratch_identifier", str)
    assert scratch, f"{file.name} does not say into which cluster"
    if not chosen.cluster:
        unproven(
            Reason.NO_EVIDENCE,
            f"of which database {chosen.label} is, nobody says; tag it cluster-<system identifier>",
        )
    # A physical backup keeps the identifier: then it must have been another machine.
    if scratch == chosen.cluster:
        host = fact(file, "scratch_host", str)
        production = fact(file, "production_host", str)
        assert host and host != production, f"{file.name}: it was restored into production, or beside it"


def _equal(file: SignedFile, backup: BackupFacts) -> None:
    found, noted = fact(file, "tables", dict), fact(file, "tables_at_backup", dict)
    if not backup.sentinel_tables:
        unproven(Reason.NO_CONFIG, "no restore.sentinel_tables in the target file; name tables that matter")
    rows = 0
    for table in backup.sentinel_tables:
        assert table in found, f"{file.name}: table {table} was not compared"
        assert table in noted, f"{file.name}: nobody noted table {table} when the backup was made"
        for key, kind in (("rows", int), ("checksum", str)):
            was, is_ = (
                values[table].get(key) if isinstance(values[table], dict) else None
                for values in (noted, found)
            )
            assert was is not None and is_ is not None, f"{file.name} does not say {key} of {table}"
            if not isinstance(was, kind) or not isinstance(is_, kind):
                unproven(Reason.UNPARSEABLE, f"{file.name}: {key} of {table} is no {kind.__name__}")
            assert was == is_, (
                f"{file.name}: {key} of {table} is {is_} after the restore, and was {was} before"
            )
        rows += int(found[table]["rows"])
    assert rows, f"{file.name}: every table was empty, which proves nothing"
    head, was_head = fact(file, "head", str), fact(file, "head_at_backup", str)
    assert head == was_head, f"{file.name}: migrations end at {head}, and did at {was_head} when it was made"
    amcheck = fact(file, "amcheck", str)
    assert amcheck != "damaged", f"{file.name}: amcheck found damaged indexes"
    if amcheck != "clean":
        unproven(Reason.NO_EVIDENCE, f"{file.name}: indexes were not looked at (amcheck is {amcheck!r})")
    smoke = fact(file, "smoke", dict)
    assert smoke, f"{file.name}: nothing of the application was tried on it"
    bad = [str(name) for name, good in smoke.items() if good is not True]
    assert not bad, f"{file.name}: on the restored database {', '.join(bad[:3])} did not hold"


def _timed(file: SignedFile, backup: BackupFacts, began: datetime, ended: datetime) -> None:
    took = (ended - began).total_seconds()
    said = fact(file, "duration_s", (int, float))
    assert abs(said - took) <= max(60.0, 0.1 * took), f"{file.name} says {said} s, and its times {took:.0f} s"
    if backup.rto_h is None:
        unproven(Reason.NO_CONFIG, "no backup.rto_h in the target file; say how long a recovery may take")
    assert took <= backup.rto_h * 3600, (
        f"{file.name}: the restore took {took / 3600:.1f} h of {backup.rto_h} h"
    )
    assert fact(file, "operator", str), f"{file.name} does not say who did it"
