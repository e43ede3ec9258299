"""The server as the public sees it: a network namespace behind its own packet filter, as root on Linux only.

Behind the wall the demo's SSH server, HTTP and HTTPS are reachable on the ports that they have elsewhere, and
PostgreSQL, the cache and Grafana listen on theirs, which the wall must hide. The namespace belongs to one
process and is gone with it, however that ends.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.wall import warden
from pytest_deploycheck.demo.world import World

_TOOLS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux"}
_LISTENERS = {22: "ssh", 80: "edge_http", 443: "edge", 3000: "grafana", 5432: "postgres", 6379: "valkey"}


@functools.cache
def available() -> str | None:
    """Return None, or why this machine cannot build a wall."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "a network namespace needs root's rights"
    for tool, package in _TOOLS.items():
        if _find(tool) is None:
            return f"no {tool} on PATH or in /usr/sbin; Debian has it in the package {package}"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return f"no network namespace can be made here: {made.stderr.strip()}" if made.returncode else None


def daemon(world: World) -> Daemon:
    """Write the rules and describe the process that owns the namespace."""
    home = world.path("wall")
    home.mkdir(parents=True, exist_ok=True)
    rules = render("wall.nft", home / "nftables.conf")
    (home / "netns").unlink(missing_ok=True)
    outside, inside = links(world)
    plan = {
        "link": f"dcw{world.block}",
        "outside": outside,
        "inside": inside,
        "rules": str(rules),
        "namespace_file": str(home / "netns"),
        "listeners": {port: world.port(name) for port, name in _LISTENERS.items()},
        "tools": {tool: str(_find(tool)) for tool in _TOOLS},
    }
    path = home / "plan.json"
    path.write_text(json.dumps(plan, indent=1) + "\n")
    return Daemon(
        "wall",
        [sys.executable, "-I", "-S", warden.__file__, path],
        home=home,
        ready=lambda: (home / "netns").exists() and answers(443, addresses(world)[0]),
        log=world.path("logs", "wall.log"),
        stop_signal=signal.SIGTERM,
    )


def links(world: World) -> tuple[list[str], list[str]]:
    """Return the addresses of the link's ends, with prefixes: outside, inside."""
    number = (world.block - 20000) // 40
    four, six = f"10.213.{number}", f"fd00:dec:{number:x}:"
    return [f"{four}.1/30", f"{six}:1/64"], [f"{four}.2/30", f"{six}:2/64"]


def addresses(world: World) -> tuple[str, ...]:
    """Return the addresses that the public would reach the server by, IPv4 first."""
    return tuple(one.partition("/")[0] for one in links(world)[1])


def load(world: World) -> None:
    """Put the edited rules into force, as `systemctl reload nftables` does; CalledProcessError when nft refuses."""
    command = [*inside(world), str(_find("nft")), "-f", str(world.path("wall", "nftables.conf"))]
    subprocess.run(command, check=True, capture_output=True)


def inside(world: World) -> Sequence[str]:
    """Return the words before a command that run it behind the wall."""
    return [str(_find("nsenter")), f"--net={world.path('wall', 'netns').read_text().strip()}"]


def wrapper(world: World, tool: str) -> str | None:
    """Return a script that runs a tool behind the wall, as it would on the server; None without a wall."""
    found = _find(tool)
    if available() is not None or found is None:
        return None
    namespace = shlex.quote(str(world.path("wall", "netns")))
    return f'net=$(cat {namespace}) || exit 1\nexec {_find("nsenter")} --net="$net" {found} "$@"'


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Say where the public sees the server; connections inside one machine need no two seconds."""
    return {
        "net": {
            "vantage": "local://",
            "addresses": list(addresses(world)),
            "rules_file": str(world.path("wall", "nftables.conf")),
        },
        "limits": {"scan_timeout_s": 0.06},
    }


def _find(tool: str) -> Path | None:
    found = shutil.which(tool, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
    return Path(found) if found else None
