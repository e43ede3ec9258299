"""DIR/server/bin: one small program for each tool that asks about the demo what it asks about a server elsewhere.

`TABLE` names each tool and what makes its script; a maker that returns None leaves the tool out, so that the
machine's own answers, if there is one.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from pytest_deploycheck.demo import nginx, wall
from pytest_deploycheck.demo.docker import engine, tools
from pytest_deploycheck.demo.server import packages, standin
from pytest_deploycheck.demo.world import World

Maker = Callable[[World], str | None]


def write(world: World) -> None:
    """Write every wrapper afresh, and the program that each SSH session starts with."""
    folder = world.path("server", "bin")
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in TABLE.items():
        script = make(world)
        if script is None:
            (folder / name).unlink(missing_ok=True)
        else:
            _write(folder / name, script)
    _write(world.path("server", "enter"), _enter(folder))


def _enter(folder: Path) -> str:
    """Run what the client asked for, with the wrappers first on PATH; without a command, a shell."""
    path = f"{folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return (
        f'export PATH={shlex.quote(path)}\nexec /bin/sh ${{SSH_ORIGINAL_COMMAND:+-c "$SSH_ORIGINAL_COMMAND"}}'
    )


def _nginx(world: World) -> str | None:
    """Let `nginx -T` print the demo's configuration."""
    if nginx.available() is not None:
        return None
    *command, _, _ = nginx.dump_command(world)  # all but -T and -q
    return _call(command)


def _sshd(world: World) -> str | None:
    """Let `sshd -T` print what the demo's server runs with."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    return _call([found, "-f", str(world.path("server", "sshd_config"))]) if found else None


def _docker(world: World) -> str | None:
    """Ask the demo's engine, and never another one that this machine may run."""
    found = tools.find("docker")
    if found is None:
        return None
    settings = engine.client_environment(world)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    return "\n".join([*exports, _call([found])])


def _behind_wall(name: str) -> Maker:
    """Ask about the server as the public sees it: its addresses and its packet filter."""

    def make(world: World) -> str | None:
        return wall.wrapper(world, name)

    return make


def _standin(name: str) -> Maker:
    """Answer from DIR/server/units.json: process 1 of this machine need not be systemd."""

    def make(world: World) -> str:
        return _call([sys.executable, "-I", "-S", standin.__file__, name, str(world.path("server"))])

    return make


_FILTERS = ("iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save")
_NETWORK_TOOLS = ("nft", *_FILTERS, "ip")
TABLE: dict[str, Maker] = {
    "nginx": _nginx,
    "sshd": _sshd,
    "docker": _docker,
    **{name: _behind_wall(name) for name in _NETWORK_TOOLS},
    "systemctl": _standin("systemctl"),
    "timedatectl": _standin("timedatectl"),
    **packages.TABLE,
}


def _call(command: list[str]) -> str:
    return f'exec {shlex.join(command)} "$@"'


def _write(path: Path, script: str) -> None:
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(f"#!/bin/sh\n{script}\n")
    scratch.chmod(0o755)
    scratch.replace(path)
