"""What faults do to the environment file, to the checkout beside it, and to what the web server gives away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.repository import checkout, git
from tests.faults.tools import edited

FILE = "pre_deploy.environment.file"
VALUES = "pre_deploy.environment.production_values"


@contextmanager
def rewritten(demo: Deployment, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Change the file's bytes; the running instances and containers have read it already."""
    path = service.env_file(demo.world)
    before, times = path.read_bytes(), path.stat()
    changed = change(before)
    assert changed != before, "the file stays as it is; the fault would break nothing"
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextmanager
def having(demo: Deployment, **values: str | None) -> Iterator[None]:
    """Give keys other values, None takes one out."""

    def change(before: bytes) -> bytes:
        path = service.env_file(demo.world)
        service.set_env(demo.world, **values)
        changed = path.read_bytes()
        path.write_bytes(before)
        return changed

    with rewritten(demo, change):
        yield


@contextmanager
def appended(demo: Deployment, line: str) -> Iterator[None]:
    """Add something at the end of the file."""
    with rewritten(demo, lambda before: before + line.encode()):
        yield


@contextmanager
def told(demo: Deployment, old: str, new: str) -> Iterator[None]:
    """Change what the target file says."""
    with edited(demo.target, (old, new)):
        yield


@contextmanager
def restored(demo: Deployment) -> Iterator[Path]:
    """Put the server's checkout back to the release afterwards, with all that was committed on top."""
    place = checkout(demo.world)
    before = git(place, "rev-parse", "HEAD")
    try:
        yield place
    finally:
        git(place, "reset", "--quiet", "--hard", before)
        (place / ".env").unlink(missing_ok=True)


def restart_apps(demo: Deployment) -> None:
    """Restart both instances with what is in the file now."""
    for name in service.INSTANCES:
        demo.restart(name)
