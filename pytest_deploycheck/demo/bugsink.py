"""Bugsink, a real error tracker that speaks Sentry's protocol, from a virtual environment of its own.

It pins packages that the rest of us do not, so it is never installed beside us: `python -m venv
.venv-bugsink` and `.venv-bugsink/bin/pip install bugsink` in the checkout, or any folder that
DEPLOYCHECK_BUGSINK names.

Migrating its database takes five seconds; that is done once per environment, kept there as a template, and
copied for every deployment, which then gets a key and a token of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pytest_deploycheck.demo import tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

ENV = "DEPLOYCHECK_BUGSINK"
PROJECT_ID = 1
PROJECT = "token-service"
_CHECKOUT = Path(__file__).parents[2]
_DATABASES = ("db.sqlite3", "snappea.sqlite3")
_MIGRATE_S = 120
_PROVISION = f"""
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("migrate", database="snappea", verbosity=0)
from bsmain.models import AuthToken
from projects.models import Project
Project.objects.create(id={PROJECT_ID}, name="{PROJECT}")
AuthToken.create_full_access(description="deploycheck")
"""


def environment() -> Path:
    """Return the folder in which Bugsink is, or would be, installed."""
    return Path(os.environ.get(ENV) or _CHECKOUT / ".venv-bugsink").absolute()


def available() -> str | None:
    """Return None, or why the tracker is absent and how to install it."""
    folder = environment()
    if (folder / "bin" / "gunicorn").exists() and _version(folder) is not None:
        return None
    return (
        f"bugsink is not installed in {folder}: python -m venv {folder} && {folder}/bin/pip install bugsink "
        f"(another folder: {ENV})"
    )


def dsn(world: World) -> str:
    """Return the address with the key that the application sends its errors to."""
    address = f"http://{_key(world)}@127.0.0.1:{world.port('bugsink')}/{PROJECT_ID}"
    _keep(world.path("secrets", "errors_dsn"), address)
    return address


def token(world: World) -> str:
    """Return the API token, 40 hex digits as Bugsink wants them."""
    return _hex_secret(world, "errors_token", 20)


def daemon(world: World) -> Daemon:
    """Copy the template on first use, put this deployment's key and token in, and describe the server."""
    reason = available()
    if reason is not None:
        raise RuntimeError(reason)
    home = world.path("bugsink")
    home.mkdir(exist_ok=True)
    _configure(world, home, world.url("bugsink"))
    if not (home / "db.sqlite3").exists():
        template = _template()
        for name in _DATABASES:
            shutil.copyfile(template / name, home / name)
    _personalise(home / "db.sqlite3", key=_key(world), token=token(world), version=world.release.version)
    ready = f"{world.url('bugsink')}/health/ready"
    return Daemon(
        "bugsink",
        [
            environment() / "bin" / "gunicorn",
            f"--bind=127.0.0.1:{world.port('bugsink')}",
            "--workers=1",
            "--threads=4",
            "--no-control-socket",
            "bugsink.wsgi",
        ],
        home=home,
        ready=lambda: tools.answers_200(ready),
        env={"DJANGO_SETTINGS_MODULE": "bugsink_conf", "PYTHONPATH": str(home)},
        log=world.path("logs", "bugsink.log"),
        start_timeout=60.0,
    )


def _configure(world: World | None, home: Path, url: str) -> None:
    key = world.secret("errors_secret_key") if world else secrets.token_urlsafe(50)
    render("bugsink_conf.py.in", home / "bugsink_conf.py", mode=0o600, home=home, url=url, secret_key=key)


def _template() -> Path:
    """Return a folder with migrated databases, made when there is none for this version of Bugsink."""
    folder = environment()
    name = f"deploycheck-template-{_version(folder)}"
    for parent in (folder, Path(tempfile.gettempdir()) / f"deploycheck-{os.getuid()}"):
        if (parent / name / _DATABASES[-1]).exists():
            return parent / name
    parent = (
        folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir()) / f"deploycheck-{os.getuid()}"
    )
    parent.mkdir(mode=0o700, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=parent))
    _configure(None, scratch, "http://127.0.0.1")
    done = subprocess.run(
        [folder / "bin" / "python", "-c", _PROVISION],
        cwd=scratch,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "bugsink_conf",
            "PYTHONPATH": str(scratch),
        },
        capture_output=True,
        text=True,
        timeout=_MIGRATE_S,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(scratch)
        raise RuntimeError(f"bugsink in {folder} could not prepare its database: {done.stderr[-1000:]}")
    try:
        scratch.rename(parent / name)
    except OSError:  # another process was faster
        shutil.rmtree(scratch)
    return parent / name


def _personalise(database: Path, *, key: str, token: str, version: str) -> None:
    """Set the project's key and the API's token, and register the release as a deployment would."""
    release = (uuid.uuid4().hex, PROJECT_ID, version, datetime.now(UTC).isoformat(" "), version, True, 0)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE projects_project SET sentry_key = ?, has_releases = 1 WHERE id = ?", (key, PROJECT_ID)
        )
        connection.execute(
            "UPDATE bsmain_authtoken SET token = ? WHERE description = 'deploycheck'", (token,)
        )
        connection.execute(
            "INSERT OR IGNORE INTO releases_release"
            " (id, project_id, version, date_released, semver, is_semver, sort_epoch)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            release,
        )


def _key(world: World) -> str:
    return _hex_secret(world, "errors_key", 16)


def _keep(path: Path, value: str) -> None:
    if not path.exists():
        path.touch(mode=0o600)
    if path.read_text() != value:
        path.write_text(value)


def _hex_secret(world: World, name: str, size: int) -> str:
    """Keep a secret of `size` bytes in hex beside the others."""
    path = world.path("secrets", name)
    if not path.exists() or not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", path.read_text().strip()):
        _keep(path, secrets.token_hex(size))
    return path.read_text().strip()


def _version(folder: Path) -> str | None:
    found = next(folder.glob("lib/python3.*/site-packages/bugsink-*.dist-info"), None)
    return found.name.split("-")[1].removesuffix(".dist") if found else None
