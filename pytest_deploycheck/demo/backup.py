"""Backups of the demo's database: dumps in two restic repositories, one of which stands for another machine.

The snapshots are given times of their own, so that one was made the day before and one right before the
deployment, although the folder was only just made; a deployment that has lived has one of each day since.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.drill.restore import Noted, note

SENTINELS = ("users", "refresh_tokens", "purchases", "redemptions", "schema_migrations")
REPOS = ("local", "offsite")
BEFORE_S = 600
"""Seconds from the backup before the deployment to the deployment's end, halfway to which it began."""


def available() -> str | None:
    """Return None, or why there are no backups on this machine."""
    if shutil.which("restic") is None:
        return "no restic; Debian has it in the package restic"
    folder = postgres.bin_dir()
    return None if folder and (folder / "pg_dump").exists() else "no pg_dump beside the demo's postgres"


def daemons(world: World) -> list[Daemon]:
    """Dump the database and put it into both repositories, once; there is no server."""
    home = world.path("backup", "dumps").parent
    world.secret("restic_password")
    if not (home / "label").exists():
        _dump(world, home / "dumps" / "tokens.dump")
        with ThreadPoolExecutor(len(REPOS)) as pool:
            list(pool.map(lambda name: _fill(world, home / name), REPOS))
        (home / "label").write_text(_predeploy(world, home / "local"))
    return []


def deployed(world: World) -> datetime:
    """Return when the deployment was over."""
    return datetime.fromisoformat(world.release.deployed_at)


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return where the backups are, and which was made before this release."""
    home = world.dir / "backup"
    password = str(world.dir / "secrets" / "restic_password")
    return {
        "backup": {
            "tool": "restic",
            "repos": [
                {"name": "local", "location": str(home / "local"), "password_file": password},
                {
                    "name": "offsite",
                    "location": str(home / "offsite"),
                    "password_file": password,
                    "off_host": True,
                },
            ],
            "data_dir": str(world.dir / "postgres"),
            "label": (home / "label").read_text(),
            "interval_h": 24,
            "rpo_h": 26,
            "rto_h": 1,
            "schedule": ["backup.timer"],
            "keep_d": 30,
            "scope": {"database": "dumps"},
            "kept_elsewhere": {
                "uploads": "the service has none",
                "config": "the released commit of the repository, from which it is written",
                "keys": "none outlives its folder: they are made anew with the next one",
            },
        },
        "restore": {"sentinel_tables": list(SENTINELS)},
        "release": {"deploy_started_at": (deployed(world) - timedelta(seconds=BEFORE_S / 2)).isoformat()},
        "standins": {
            "backup.offsite": "another folder of this machine, in the place of another machine",
            "backup.keep_d": "snapshots are never thrown away here, so that they are kept for longer than that",
        },
    }


def restic(world: World, repo: Path, *words: str) -> str:
    """Run restic on a repository and return what it prints."""
    command = ["restic", "-q", "--no-cache", "-r", str(repo), *words]
    done = subprocess.run(command, env=_environment(world), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"restic {words[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout


def restic_to(world: World, repo: Path, path: Path, *words: str) -> None:
    """Run restic on a repository and write what it prints, which need not be text, into a file."""
    path.touch(mode=0o600)
    command = ["restic", "-q", "--no-cache", "-r", str(repo), *words]
    with path.open("wb") as file:
        done = subprocess.run(command, env=_environment(world), stdout=file, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"restic {words[0]}: {done.stderr.decode(errors='replace').strip()[-300:]}")


def _environment(world: World) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "RESTIC_PASSWORD_FILE": str(world.dir / "secrets" / "restic_password"),
        "TZ": "UTC",
    }


def snapshot(world: World, repo: Path, at: datetime, *tags: str) -> None:
    """Back the dump up as if at another time."""
    marks = [
        word for tag in (*tags, f"cluster-{postgres.system_identifier(world)}") for word in ("--tag", tag)
    ]
    dump = world.dir / "backup" / "dumps"
    restic(world, repo, "backup", "--time", f"{at:%Y-%m-%d %H:%M:%S}", *marks, str(dump))


def _fill(world: World, repo: Path) -> None:
    shutil.rmtree(repo, ignore_errors=True)
    restic(world, repo, "init")
    snapshot(world, repo, deployed(world) - timedelta(hours=24))
    snapshot(world, repo, deployed(world) - timedelta(seconds=BEFORE_S), "predeploy")
    for day in range(1, world.lived.days + 1):
        snapshot(world, repo, deployed(world) + timedelta(days=day) - timedelta(minutes=5))


def _predeploy(world: World, repo: Path) -> str:
    found = json.loads(restic(world, repo, "snapshots", "--tag", "predeploy", "--json"))
    return str(found[0]["short_id"])


def noted(world: World) -> Noted:
    """Return what was noted of the database when it was dumped."""
    return Noted.of_json(json.loads(world.path("backup", "noted.json").read_text()))


def _dump(world: World, path: Path) -> None:
    """Dump the database, and note what is in the very snapshot that is dumped."""
    import psycopg

    path.parent.mkdir(parents=True, exist_ok=True)
    folder = postgres.bin_dir()
    assert folder is not None  # see available()
    with psycopg.connect(postgres.dsn(world, "postgres")) as database:
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = database.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        command = [str(folder / "pg_dump"), "-Fc", f"--snapshot={row[0]}", "-f", str(path)]
        done = subprocess.run([*command, postgres.dsn(world, "postgres")], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pg_dump: {done.stderr.strip()[-300:]}")
        values = note(database, SENTINELS).to_json()
    world.path("backup", "noted.json").write_text(json.dumps(values))
