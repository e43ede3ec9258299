"""The demo's rollback: the release before as processes, and the commands that a drill runs.

`python -m pytest_deploycheck.demo.rollback DIR VERB`; each verb does no harm when it is run twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import backup, history, images, nginx, web
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.rollback_app import canary, restart, silence, workers
from pytest_deploycheck.demo.rollback_db import catch_up, dump, reindex, restore
from pytest_deploycheck.demo.world import World

VERSION = "1.4.1"
OPERATOR = "127.0.0.2"
SCHEMA = "4"


def available() -> str | None:
    """Return None, or why no drill is possible here."""
    return nginx.available() or backup.available()


def daemons(world: World) -> list[Daemon]:
    """Write the manifest of the release before, and open the door that an interrupted drill left closed."""
    path = world.path("rollback", "previous.json")
    path.write_text(json.dumps(manifest(world), indent=1) + "\n")
    _flag(world).unlink(missing_ok=True)
    return []


def manifest(world: World) -> dict[str, Any]:
    """Return the release before: the parent of the released commit, and its images, which the registry has."""
    release = world.release
    folder = world.dir / "repository" / "token-service.git"
    text = history.Objects(folder / "objects").get(release.commit).decode()
    commit = next(line for line in text.splitlines() if line.startswith("parent ")).removeprefix("parent ")
    built = images.add(
        world,
        images.recipe_of(images.PRODUCT),
        tag=VERSION,
        labels={
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.revision": commit,
        },
        created=images.built_at(world) - timedelta(days=1),
    )
    digests = {**images.digests(world), images.PRODUCT: built.digest}
    return {
        "version": VERSION,
        "commit": commit,
        "images": digests,
        "config_sha256": config_sha256(world),
        "schema": [SCHEMA],
        "contract": deploy.token_address(world),
    }


def config_sha256(world: World) -> str:
    """Return the digest of the edge's configuration as it lies there: the same in both releases."""
    folder = world.dir / "nginx"
    found = [folder / name for name in _CONFIG if (folder / name).exists()]  # another edge has fewer
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()


_CONFIG = ("nginx.conf", "headers.conf", "problems.conf")


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[rollback]`."""

    def call(verb: str) -> str:
        return shlex.join([sys.executable, "-m", "pytest_deploycheck.demo.rollback", str(world.dir), verb])

    return {
        "release": {"db_rollback": "restore"},
        "rollback": {
            "manifest": "rollback/previous.json",
            "maintenance_on": call("maintenance-on"),
            "maintenance_off": call("maintenance-off"),
            "snapshot_cmd": call("snapshot"),
            "previous_cmd": call("previous"),
            "restore_cmd": call("restore"),
            "canary_cmd": call("canary"),
            "forward_cmd": call("forward"),
            "live": ["/health", "/health/live"],
            "operator_source": OPERATOR,
            "worker_sql": "SELECT updated_at FROM indexer_cursor",
            "backlog_sql": "SELECT count(*) FROM purchases WHERE status = 'pending'",
            "duplicates_sql": "SELECT count(*) FROM chain_events e WHERE e.kind = 'purchase' AND NOT EXISTS"
            " (SELECT FROM purchases p WHERE p.tx_hash = e.tx_hash)",
            "contract_plan": "The contract stays as it is: both releases work with it; nothing is paused.",
            "dir": "rollback/drills",
            "key": "people/key-devops",
            "principal": "devops@token.test",
        },
        "limits": {"drill_quiet_s": 1.5, "drill_stable_s": 2.0},
        "standins": {
            "rollback.drill": "the signed drill was recorded on this demo on another day and put to this folder",
            "rollback.images": "the releases run as processes; the digests are of the images that stand for them",
        },
    }


def _flag(world: World) -> Path:
    return world.path("nginx", "maintenance")


def maintenance_on(world: World) -> None:
    """Close the door for everybody but operators, pause the workers, and keep alerts quiet for half an hour."""
    _flag(world).touch()
    workers(world, paused=True)
    silence(world, os.environ.get("DEPLOYCHECK_DRILL", ""))


def maintenance_off(world: World) -> None:
    """Let the workers go on, then users in, then alerts."""
    workers(world, paused=False)
    _flag(world).unlink(missing_ok=True)
    silence(world, "")


def snapshot(world: World) -> dict[str, Any]:
    """Put all that is needed to come forward again into both repositories, which are encrypted."""
    drill = os.environ.get("DEPLOYCHECK_DRILL") or "by-hand"
    folder = world.path("rollback", "snapshot", "any").parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    begun = datetime.now(UTC)
    try:
        block = dump(world, folder / "tokens.dump")
        shutil.copyfile(service.env_file(world), folder / "env")
        shutil.copyfile(world.path("nginx", "nginx.conf"), folder / "nginx.conf")
        contents = {
            "images": images.digests(world),
            "config": {"sha256": config_sha256(world)},
            "contract": {"address": deploy.token_address(world), "block": block},
            "release": vars(world.release),
            "begun": begun.isoformat(),
        }
        (folder / "release.json").write_text(json.dumps(contents))
        label = ""
        for repo in backup.REPOS:
            place = world.dir / "backup" / repo
            backup.restic(world, place, "backup", "--tag", f"rollback,{drill}", str(folder))
            found = json.loads(backup.restic(world, place, "snapshots", "--json", "--tag", drill))
            label = label or str(max(found, key=lambda one: one["time"])["short_id"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "id": label,
        "items": {
            "database": {"tool": "pg_dump", "block": block},
            "env": {"encrypted": True},
            **{name: contents[name] for name in ("images", "config", "contract")},
        },
    }


def previous(world: World) -> dict[str, Any]:
    """Start the release before: its commit, and no page, which it did not have yet.

    Where the database stays as it is nothing else comes before the suites, so the indexer catches up with the chain.
    """
    before = json.loads(world.path("rollback", "previous.json").read_text())
    web.script(world).unlink(missing_ok=True)
    restart(world, before["version"], before["commit"])
    if os.environ.get("DEPLOYCHECK_DB_ROLLBACK") == "none":
        workers(world, paused=False)
        catch_up(world)
    return {"images": before["images"], "config_sha256": config_sha256(world)}


def forward(world: World) -> None:
    """Start the release again."""
    web.daemons(world)
    restart(world, world.release.version, world.release.commit)


def restored(world: World) -> dict[str, Any]:
    """Put the database of the drill's snapshot in place, and read the chain's last blocks again."""
    label = os.environ["DEPLOYCHECK_SNAPSHOT"]
    place = world.dir / "backup" / backup.REPOS[0]
    inside = str(world.path("rollback", "snapshot"))
    contents = json.loads(backup.restic(world, place, "dump", label, f"{inside}/release.json"))
    file = world.path("rollback", "restored.dump")
    try:
        backup.restic_to(world, place, file, "dump", label, f"{inside}/tokens.dump")
        checked = restore(world, file)
    finally:
        file.unlink(missing_ok=True)
    # The indexer only reads the chain; from here on it keeps up with it, so that health and suites can be green.
    workers(world, paused=True)
    reindex(world, int(contents["contract"]["block"]), lambda: workers(world, paused=False))
    return {"point_at": contents["begun"], "from": label, "amcheck": checked}


VERBS: Mapping[str, Callable[[World], dict[str, Any] | None]] = {
    "maintenance-on": maintenance_on,
    "maintenance-off": maintenance_off,
    "snapshot": snapshot,
    "previous": previous,
    "restore": restored,
    "canary": canary,
    "forward": forward,
}


def main(directory: str, verb: str) -> None:
    """Do one thing, and print what is to be known of it."""
    said = VERBS[verb](World.load(Path(directory)))
    if said is not None:
        print(json.dumps(said))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(sys.argv[1], sys.argv[2])
