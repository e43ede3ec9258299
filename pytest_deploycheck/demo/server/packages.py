"""A stand-in for apt on the demo's server: settings, what waits, and when updates were installed, from DIR/server/apt.

The machine that the demo runs on is somebody else's to keep up to date; these are what a server of the deployment
would say.  A fault edits the files.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from pytest_deploycheck.demo.world import World

SETTINGS = """\
APT "";
APT::Architecture "amd64";
APT::Periodic "";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade "";
Unattended-Upgrade::Origins-Pattern "";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=${distro_codename},label=Debian";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
"""
WAITING = """\
Reading package lists...
Building dependency tree...
Reading state information...
Calculating upgrade...
0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.
"""
STAMPS = {
    "/var/lib/apt/periodic/unattended-upgrades-stamp": "unattended-upgrades-stamp",
    "/var/lib/apt/periodic/update-success-stamp": "update-success-stamp",
    "/run/reboot-required": "reboot-required",
    "/var/lib/dpkg/status": "status",
}
"""Files whose times matter, and their names in DIR/server/apt."""
RAN_AGO_S = {"unattended-upgrades-stamp": 7200, "update-success-stamp": 9000, "status": 7200}


def folder(world: World) -> Path:
    """Return the folder of what the server says of its packages."""
    return world.path("server", "apt")


def write(world: World) -> None:
    """Write a server that is up to date, as of now."""
    place = folder(world)
    place.mkdir(parents=True, exist_ok=True)
    (place / "reboot-required").unlink(missing_ok=True)
    (place / "settings").write_text(SETTINGS)
    (place / "waiting").write_text(WAITING)
    for name, ago in RAN_AGO_S.items():
        (place / name).touch()
        at = time.time() - ago
        os.utime(place / name, (at, at))


def _printing(option: str, name: str) -> Callable[[World], str | None]:
    def make(world: World) -> str:
        write(world)
        file = shlex.quote(str(folder(world) / name))
        return f'case "$*" in {option}) exec cat {file};; esac\necho "the demo only reads" >&2\nexit 100'

    return make


def _stat(world: World) -> str | None:
    cases = "".join(
        f'  "--format=%Y {path}") exec /usr/bin/stat --format=%Y {shlex.quote(str(folder(world) / name))};;\n'
        for path, name in STAMPS.items()
    )
    return f'case "$*" in\n{cases}esac\nexec /usr/bin/stat "$@"'


TABLE: dict[str, Callable[[World], str | None]] = {
    "apt-config": _printing("dump", "settings"),
    "apt-get": _printing("-s*", "waiting"),
    "stat": _stat,
}
