"""The service's repository: a bare remote in DIR/repository, and the server's checkout of it in DIR/server/checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import history
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World


def available() -> str | None:
    """Return None, or that Git is missing."""
    return None if shutil.which("git") else "git is not on PATH"


def remote(world: World) -> Path:
    """Return the folder of the bare repository."""
    return world.path("repository", "token-service.git")


def checkout(world: World) -> Path:
    """Return the folder of the server's working tree."""
    return world.path("server", "checkout")


def tag(world: World) -> str:
    """Return the release's tag."""
    return f"v{world.release.version}"


def daemons(world: World) -> list[Daemon]:
    """Put remote and checkout back to the release; what is ignored in the checkout stays. There is no server."""
    release = world.release
    history.point(remote(world), release.commit, release.version, datetime.fromisoformat(release.deployed_at))
    place = checkout(world)
    address = remote(world).as_uri()
    if not (place / ".git" / "HEAD").is_file():
        shutil.rmtree(place, ignore_errors=True)
        git(world.dir, "clone", "--quiet", "--branch", history.BRANCH, address, str(place))
    git(place, "remote", "set-url", "origin", address)
    git(place, "fetch", "--quiet", "--prune", "--force", "--tags", "origin")
    git(place, "checkout", "--quiet", "--force", "-B", history.BRANCH, release.commit)
    git(place, "clean", "--quiet", "-d", "--force")
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[repo]` of the target file, and the tag of the release."""
    return {
        "release": {"tag": tag(world)},
        "repo": {
            "remote": remote(world).as_uri(),
            "branch": history.BRANCH,
            "clone": "server/checkout",
            "path": str(checkout(world)),
        },
        "docs": {
            "deploy": "docs/deploy.md",
            "troubleshooting": "docs/troubleshooting.md",
            "updates": "docs/updates.md",
        },
        "standins": {"repo.remote": "a bare repository in this folder, read over file://"},
    }


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder without the user's configuration and hooks; RuntimeError with what it said."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "Ann Ash" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ann@tokens.example" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-c", "gc.auto=0", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]} in {folder.name}: {done.stderr.strip()[:300]}")
    return done.stdout.strip()
