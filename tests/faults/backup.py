"""Faults of backups and migrations."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import backup
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.functional import execute
from tests.faults.harness import fault
from tests.faults.tools import edited, signed_again

STORAGE = "pre_deploy.infrastructure.backup_storage"
BACKUP = "deploy.database.backup"
MIGRATIONS = "deploy.database.migrations"
BOTH = ("go_live.final.backups", "operations.backup.schedule", "operations.backup.restore")
NEEDS = ("backup", "server")


@contextmanager
def moved(path: Path) -> Iterator[None]:
    """Take a file or folder away."""
    away = path.with_name(path.name + ".away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@fault(STORAGE, "the repository off the host is gone", probes=("backup",), also=BOTH, needs=NEEDS)
@contextmanager
def offsite_gone(demo: Deployment) -> Iterator[None]:
    """Take one of two repositories away."""
    with moved(demo.world.dir / "backup" / "offsite"):
        yield


@fault(STORAGE, "no repository can be read", probes=("backup",), also=BOTH, needs=NEEDS)
@contextmanager
def password_lost(demo: Deployment) -> Iterator[None]:
    """Lose the password of both."""
    with edited(
        demo.world.dir / "secrets" / "restic_password", (demo.world.secret("restic_password"), "lost")
    ):
        yield


def configured(*changes: tuple[str, str]) -> Callable[[Deployment], Any]:
    """Return an injection that changes what the target file says."""
    return lambda demo: edited(demo.target, *changes)


fault(STORAGE, "nothing off the host", probes=("backup",), also=BOTH, needs=NEEDS)(
    configured((", off_host = true", ""))
)
fault(
    STORAGE,
    "nothing was written for days",
    probes=("backup",),
    needs=NEEDS,
    limits={"backup_write_max_age_s": 1},
)(configured())


@fault(STORAGE, "a repository that was never written to", probes=("backup",), also=BOTH, needs=NEEDS)
@contextmanager
def never_written(demo: Deployment) -> Iterator[None]:
    """Put a new repository in the place of one."""
    path = demo.world.dir / "backup" / "offsite"
    with moved(path):
        backup.restic(demo.world, path, "init")
        try:
            yield
        finally:
            shutil.rmtree(path)


fault(
    BACKUP,
    "the backup is from the day before",
    probes=("backup",),
    needs=NEEDS,
    limits={"backup_before_deploy_max_s": 60},
)(configured())
fault(BACKUP, "the release names a backup that is not there", probes=("backup",), needs=NEEDS)(
    lambda demo: edited(
        demo.target, (f'label = "{(demo.world.dir / "backup" / "label").read_text()}"', 'label = "deadbeef"')
    )
)
fault(BACKUP, "it was made after the deployment began", probes=("backup",), needs=NEEDS)(
    lambda demo: edited(
        demo.target,
        (
            (backup.deployed(demo.world) - timedelta(seconds=backup.BEFORE_S / 2)).isoformat(),
            (backup.deployed(demo.world) - timedelta(hours=20)).isoformat(),
        ),
    )
)


@fault(BACKUP, "a backup of another cluster", probes=("backup",), needs=NEEDS)
@contextmanager
def other_cluster(demo: Deployment) -> Iterator[None]:
    """Let the newest snapshot from before the deployment be of another database."""
    repo, label = demo.world.dir / "backup" / "local", demo.world.dir / "backup" / "label"
    at = backup.deployed(demo.world) - timedelta(seconds=backup.BEFORE_S - 60)
    place = f"{at:%Y-%m-%d %H:%M:%S}"
    tags = ["--tag", "predeploy", "--tag", "cluster-1"]
    backup.restic(
        demo.world, repo, "backup", "--time", place, *tags, str(demo.world.dir / "backup" / "dumps")
    )
    found = json.loads(backup.restic(demo.world, repo, "snapshots", "--json"))
    new = str(max(found, key=lambda one: one["time"])["short_id"])
    try:
        with edited(demo.target, (f'label = "{label.read_text()}"', f'label = "{new}"')):
            yield
    finally:
        backup.restic(demo.world, repo, "forget", new)


@fault(MIGRATIONS, "a file that was not applied", probes=("migrations",), needs=("people",))
@contextmanager
def unapplied(demo: Deployment) -> Iterator[None]:
    """Add a migration to the release."""
    path = demo.world.path("migrations", "0099_more.up.sql")
    path.write_text("SELECT 1;\n")
    try:
        yield
    finally:
        path.unlink()


@fault(MIGRATIONS, "a file was edited after the rehearsal", probes=("migrations",), needs=("people",))
@contextmanager
def edited_file(demo: Deployment) -> Iterator[None]:
    """Change an applied migration."""
    with edited(demo.world.path("migrations", "0001_users_and_wallets.up.sql"), ("users", "useres")):
        yield


@fault(MIGRATIONS, "a migration that was left half done", probes=("migrations",), needs=("people",))
@contextmanager
def dirty(demo: Deployment) -> Iterator[None]:
    """Mark the newest version as dirty."""
    execute(demo, "UPDATE schema_migrations SET dirty = true")
    try:
        yield
    finally:
        execute(demo, "UPDATE schema_migrations SET dirty = false")


@fault(MIGRATIONS, "the database is ahead of the release", probes=("migrations",), needs=("people",))
@contextmanager
def ahead(demo: Deployment) -> Iterator[None]:
    """Take the newest migration out of the release."""
    with moved(demo.world.path("migrations", "0004_refresh_tokens.up.sql")):
        yield


@fault(MIGRATIONS, "the table of migrations is gone", probes=("migrations",), needs=("people",))
@contextmanager
def no_table(demo: Deployment) -> Iterator[None]:
    """Rename the table."""
    execute(demo, "ALTER TABLE schema_migrations RENAME TO away")
    try:
        yield
    finally:
        execute(demo, "ALTER TABLE away RENAME TO schema_migrations")


def facts(**changes: Any) -> Callable[[Deployment], Any]:
    """Return an injection that changes what the rehearsal says."""
    return lambda demo: signed_again(demo, MIGRATIONS, lambda values: values["facts"].update(changes))


for name, change in (
    ("the rehearsal failed", facts(upgraded=False)),
    ("rehearsed on an empty database", facts(rows=0)),
    ("a lock of a minute", facts(longest_lock_s=60)),
    ("the application did not run", facts(smoke="failed")),
    ("no way back", facts(downgrade="")),
):
    fault(MIGRATIONS, name, probes=("evidence",), needs=("people",))(change)
fault(MIGRATIONS, "an old rehearsal", probes=("evidence",), needs=("people",), becomes=Verdict.UNPROVEN)(
    lambda demo: signed_again(
        demo, MIGRATIONS, lambda values: values.update(produced_at="2026-01-01T00:00:00+00:00")
    )
)
