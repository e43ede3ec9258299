"""What the demo's people know of its recovery: a restore that was really done, a plan, and exercises that were not.

The newest backup of the repository off the host is restored into a PostgreSQL of its own when the folder is new, and
what came of it is signed. The exercise, in which everything would be rebuilt elsewhere, is made up, and labelled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import accounts, backup, history, people, postgres, repository
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.records.drill import countersign
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.drill.restore import restore

PLAN = "docs/disaster-recovery.md"
RESTORE = "operations.backup.restore"
DR_PLAN = "operations.backup.dr_plan"
RECOVERY = "operations.backup.recovery"
QUARTERLY = "post_go_live.ongoing.dr_test"
ROLES = ("token_owner", "token_app", "deploycheck", "metrics")
SMOKE = {
    "every account has a name": "SELECT count(*) > 0 AND bool_and(username <> '') FROM users",
    "the schema is whole": "SELECT NOT bool_or(dirty) FROM schema_migrations",
}
_REPO = "offsite"
_EXERCISED = timedelta(days=12)


def available() -> str | None:
    """Return None, or why nothing can be restored on this machine."""
    return backup.available() or people.available()


def daemons(world: World) -> list[Daemon]:
    """Restore the newest backup once, and sign; there is no server."""
    facts = world.path("backup", "restored.json")
    if not facts.exists():
        partial = facts.with_suffix(".new")
        partial.write_text(json.dumps(restored(world)))
        partial.rename(facts)
    people_of = People(world)
    people_of.record(
        RESTORE,
        "devops",
        "The newest backup off the host was restored and is what it was made of.",
        json.loads(facts.read_text()),
    )
    _plan(world, people_of)
    _exercise(world, people_of)
    _quarterly(world, people_of)
    return []


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return where the plan is."""
    return {
        "dr": {"plan": PLAN},
        "standins": {
            "recovery exercise": "nobody rebuilt the demo elsewhere: who took part, times and results are made up",
        },
    }


def restored(world: World) -> dict[str, Any]:
    """Restore the newest backup off the host into a scratch cluster; return the record's facts."""
    place = world.dir / "backup" / _REPO
    found = json.loads(backup.restic(world, place, "snapshots", "--json"))
    newest = max(found, key=lambda one: one["time"])
    folder, user = world.path("backup", "scratch"), accounts.unprivileged()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    dump = folder / "tokens.dump"
    programs = postgres.bin_dir()
    assert programs is not None  # see available()
    begun = datetime.now(UTC)
    try:
        file = f"{world.dir / 'backup' / 'dumps'}/tokens.dump"
        backup.restic_to(world, place, dump, "dump", str(newest["short_id"]), file)
        result = restore(
            dump,
            programs=programs,
            folder=folder,
            production=postgres.system_identifier(world),
            noted=backup.noted(world),
            roles=ROLES,
            smoke=SMOKE,
            # Everything else of the deployment starts meanwhile, and is waited for.
            prefix=["nice", "-n", "5", *accounts.command_prefix(user, folder, programs)],
            user=user,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    done = datetime.now(UTC)
    return {
        **result.facts(),
        "label": str(newest["short_id"]),
        "repo": _REPO,
        "tool": "restic, pg_restore",
        "operator": "the demo itself, at its start",
        "started_at": begun.isoformat(),
        "ended_at": done.isoformat(),
        "duration_s": round((done - begun).total_seconds(), 2),
    }


def _plan(world: World, everybody: People) -> None:
    """Let operations and the tech lead stand by the plan as it is in the released commit."""
    content = history.content(repository.remote(world), world.release.commit).get(PLAN, b"")
    path = everybody.record(
        DR_PLAN,
        "operations",
        "This is what we do when a server, or more, is lost.",
        {
            "reviewed_at": (everybody.now - timedelta(minutes=10)).isoformat(),
            "documents": {PLAN: hashlib.sha256(content).hexdigest()},
        },
    )
    countersign(everybody, path, "techlead")


def _exercise(world: World, everybody: People) -> None:
    """Sign an exercise that nobody held."""
    began = everybody.now - _EXERCISED
    ago = _EXERCISED - timedelta(hours=5)
    result = everybody.home / "recovery-smoke.xml"
    result.write_text(_junit(began))
    path = everybody.record(
        RECOVERY,
        "operations",
        "The service was rebuilt on an empty host.",
        exercise(world, began),
        files=[result],
        ago=ago,
    )
    countersign(everybody, path, "techlead")


def _quarterly(world: World, everybody: People) -> None:
    """Sign a quarterly test that nobody held, the day before the exercise."""
    began = everybody.now - _EXERCISED - timedelta(days=1)
    result = everybody.home / "quarterly-smoke.xml"
    result.write_text(_junit(began))
    action = {
        "what": "switch the name first",
        "opened_at": began.isoformat(),
        "closed_at": (began + timedelta(days=2)).isoformat(),
    }
    everybody.record(
        QUARTERLY,
        "operations",
        "The service was rebuilt on an empty host, as each quarter.",
        {**exercise(world, began), "actions": [action]},
        files=[result],
        ago=_EXERCISED,
    )


def exercise(world: World, began: datetime) -> dict[str, Any]:
    """Return the facts of an exercise that began at a time."""
    label = json.loads(world.path("backup", "restored.json").read_text())["label"]
    return {
        "exercise": f"dr-{began:%Y%m%d}",
        "kind": "full rebuild",
        "clean_host": "recovery-1.tokens.example",
        "sources": {
            "code": "the repository, at the tag",
            "backup": "the repository off the host",
            "secrets": "vault",
        },
        "backup": label,
        "switched": "recovery.tokens.example",
        "lost_at": began.isoformat(),
        "restored_to": (began - timedelta(hours=9)).isoformat(),
        "users_back_at": (began + timedelta(minutes=41)).isoformat(),
        "rto_s": 41 * 60,
        "rpo_s": 9 * 3600,
        "participants": {"grace": "primary", "alan": "secondary"},
        "plan_author": "ken",
        "chain_steps": ["pause on the test network", "second node", "signer's key from its backup"],
        "deviations": [
            {"what": "a name was switched late", "ticket": "https://git.tokens.example/issues/52"}
        ],
    }


def _junit(began: datetime) -> str:
    at = (began + timedelta(minutes=36)).isoformat()
    names = ("health", "auth", "wallet", "token", "tls", "alerts")
    cases = "".join(f'<testcase classname="smoke" name="{name}" time="1.0"/>' for name in names)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<testsuites><testsuite name="pytest-deploycheck" '
        f'tests="{len(names)}" failures="0" errors="0" skipped="0" timestamp="{at}">{cases}</testsuite></testsuites>\n'
    )
