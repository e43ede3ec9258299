"""Where the engine's programs are on this machine, and whether it can run them."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

FETCHED = Path(__file__).parents[3] / ".tools" / "docker"
"""Where tests/docker.sh of a checkout puts them."""
OLDEST_ENGINE = (25, 0)
"""The first one whose health checks have a start interval of their own, without which a start takes minutes."""

_PLUGIN_FOLDERS = (
    FETCHED / "usr/libexec/docker/cli-plugins",
    Path("/usr/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/local/lib/docker/cli-plugins"),
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def search_path() -> str:
    """Return the PATH that has the engine's programs first."""
    folders = [FETCHED / "usr/sbin", FETCHED / "usr/bin", FETCHED / "bin"]
    return os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def find(name: str) -> str | None:
    """Return the path of a program, the fetched one first."""
    return shutil.which(name, path=search_path())


def plugins() -> Path | None:
    """Return the folder that has Compose as a plugin of the docker command."""
    return next((folder for folder in _PLUGIN_FOLDERS if (folder / "docker-compose").is_file()), None)


def busybox() -> Path | None:
    """Return a BusyBox that runs in an empty container: one without any library."""
    candidates = [Path(folder) / "busybox" for folder in search_path().split(os.pathsep)]
    return next((path for path in candidates if path.is_file() and _static(path)), None)


def architecture() -> str:
    """Return this machine's architecture as images name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


@functools.cache
def missing() -> str | None:
    """Return None, or why this machine cannot run the engine and what would help."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "a container engine of its own needs Linux and root"
    for name in ("dockerd", "docker", "containerd", "runc", "unshare", "ip"):
        if find(name) is None:
            return f"{name} is not on PATH; in a checkout, tests/docker.sh fetches the engine"
    if plugins() is None:
        return "docker has no Compose plugin; in a checkout, tests/docker.sh fetches it"
    if busybox() is None:
        return "no static BusyBox, of which the containers are made; Debian has it in busybox-static"
    version = engine_version()
    if version < OLDEST_ENGINE:
        found = ".".join(map(str, version)) or "unknown"
        return f"dockerd is version {found}, 25 is needed; in a checkout, tests/docker.sh fetches one"
    if not any(Path("/sys/fs/cgroup").glob("**/cgroup.procs")):
        return "no cgroups are mounted at /sys/fs/cgroup"
    command = ["unshare", "--pid", "--mount", "--net", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode != 0:
        return f"this machine lets root make no namespaces: {tried.stderr.strip()[:120]}"
    return None


@functools.cache
def engine_version() -> tuple[int, ...]:
    """Return the engine's version as numbers; empty when it does not tell."""
    done = subprocess.run([str(find("dockerd")), "--version"], capture_output=True, text=True)
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _static(path: Path) -> bool:
    """Whether a program is an ELF file that asks for no interpreter."""
    with path.open("rb") as file:
        head = file.read(4096)
    return head[:4] == b"\x7fELF" and b"/ld-linux" not in head and b"/ld-musl" not in head
