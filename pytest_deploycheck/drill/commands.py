"""The only way by which anything is changed: commands of the target file, run for a drill that was asked for.

These are no transports of probes: nothing but `--drill` makes a `Permit`, and nothing runs without one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck import safe_json

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

SHOWN_MAX = 400


class Refused(Exception):
    """A drill may not be run here; the message says what would allow it."""


@dataclass(frozen=True)
class Permit:
    """That a drill was asked for on the command line, and for which target."""

    target: str


def permit(target: Target, *, asked: bool, typed: str = "") -> Permit:
    """Return the permit of a drill, or refuse: on production its release must have been typed.

    typed: the value of `--drill-production`.
    """
    if not asked:
        raise Refused("no drill was asked for; give --drill")
    if target.target.environment == "production":
        wanted = target.release.tag or target.release.version
        if not wanted:
            raise Refused("a drill on production needs release.tag in the target file, and it typed")
        if typed != wanted:
            raise Refused(
                f"{target.name} is production: a drill stops its service; "
                f"if you mean that, give --drill-production={wanted}"
            )
    return Permit(target.name)


@dataclass(frozen=True)
class Ran:
    """A command that ended: `said` is the JSON object of its last line, empty without one."""

    status: int
    took_s: float
    output_sha256: str
    tail: str
    said: Mapping[str, Any] = field(default_factory=dict)


class Commands:
    """Runs the target's own commands, here or on its server; each in a session that can be ended as a whole."""

    def __init__(self, permit: Permit, target: Target, clean: Callable[[str], str]) -> None:
        self._permit = permit
        self._target = target
        self._clean = clean

    def shown(self, command: str) -> str:
        """Return a command as records show it."""
        return self._clean(command)[:SHOWN_MAX]

    def run(
        self,
        command: str,
        *,
        timeout: float,
        given: Mapping[str, str],
        started: Callable[[int, str], None] = lambda pid, start: None,
    ) -> Ran:
        """Run a command until it ends or its time is over (status 124); `given`: variables for it.

        started: hears of the process, so that it can be ended by who comes after a killed drill.
        """
        argv = self._argv(command, given)
        begun = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                argv,
                cwd=self._target.path.parent,
                env={**os.environ, **given},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            started(process.pid, start_of(process.pid))
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                end(process.pid)
                process.wait()
                status = 124
            output.seek(0)
            content = output.read()
        return Ran(
            status=status,
            took_s=round(time.monotonic() - begun, 3),
            output_sha256=hashlib.sha256(content).hexdigest(),
            tail=self._clean(content.decode("utf-8", "replace").strip()[-SHOWN_MAX:]),
            said=_said(content),
        )

    def _argv(self, command: str, given: Mapping[str, str]) -> list[str]:
        if self._target.rollback.on == "local":
            return ["/bin/sh", "-c", command]
        host = self._target.host
        if host is None:
            raise Refused('rollback.on = "host" needs [host]; add its uri')
        url = urlsplit(host.uri)
        exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in given.items())
        sudo = "sudo -n " if host.sudo else ""
        script = f"{sudo}/bin/sh -c {shlex.quote(exports + command)}"
        if url.scheme == "local":
            return ["/bin/sh", "-c", script]
        if url.scheme == "docker":
            return ["docker", "exec", url.netloc, "/bin/sh", "-c", exports + command]
        config = ["-F", str(self._target.file(host.ssh_config))] if host.ssh_config else []
        port = ["-p", str(url.port)] if url.port else []
        place = f"{url.username}@{url.hostname}" if url.username else str(url.hostname)
        return ["ssh", *config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", *port, place, script]


def start_of(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty when there is none, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def end(pid: int) -> None:
    """End a process's whole group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_leftover(pid: int, start: str) -> bool:
    """End a command that a killed drill left running; whether it still ran."""
    if not start or start_of(pid) != start:
        return False
    end(pid)
    deadline = time.monotonic() + 5
    while start_of(pid) == start and time.monotonic() < deadline:
        time.sleep(0.02)
    return True


def _said(content: bytes) -> dict[str, Any]:
    lines = content.strip().splitlines()
    if not lines:
        return {}
    try:
        values = safe_json.loads(lines[-1])
    except (ValueError, RecursionError):
        return {}
    return json.loads(json.dumps(values)) if isinstance(values, dict) else {}
