"""Servers: all that a run reads on a server, in one command over one connection.

Probes declare their reads beforehand (`@probe(reads=...)`), so that the gate of the server can fetch what
all of them want at once: a server far away costs one round trip, and not one for each fact. What a probe
reads from then on comes out of that; a command that nobody declared runs by itself.
"""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.shell import Done, Shell, refuse_writes
from pytest_deploycheck.verdict import Reason

COMMAND_TIMEOUT_S = 15
"""Seconds after which one command of a batch is ended on the server."""
JOBS = 16
"""Servers that are asked at the same time."""

Connect = Callable[[str], Shell]


class Servers:
    """What was read on each server of a target; thread-safe.

    connect: makes the shell of a server by its testinfra address.  The first of `uris` is the main one.
    """

    def __init__(self, uris: Sequence[str], connect: Connect) -> None:
        self.uris = tuple(uris)
        self._connect = connect
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()
        self._wanted: dict[str, dict[str, None]] = {uri: {} for uri in uris}
        self._done: dict[tuple[str, str], Done] = {}
        self.dead: dict[str, str] = {}

    def expect(self, main: Iterable[str], every: Iterable[str]) -> None:
        """Note reads that will be asked for: of the main server, and of every one."""
        for command in (*main, *every):
            refuse_writes(command)
        for uri in self.uris:
            wanted = (*main, *every) if uri == self.uris[0] else tuple(every)
            self._wanted[uri].update(dict.fromkeys(wanted))

    def collect(self) -> None:
        """Fetch all that is expected, from all servers side by side; `dead` says which ran no command."""
        with ThreadPoolExecutor(min(JOBS, len(self.uris))) as pool:
            list(pool.map(self._collect_from, self.uris))

    def read(self, command: str, uri: str) -> Done:
        """Return what a command gave on a server, from the batch when it was in it."""
        refuse_writes(command)
        if uri in self.dead:
            raise Dead("ssh", self.dead[uri])
        if (uri, command) not in self._done:
            self._fetch(uri, [command])
        return self._done[uri, command]

    def _collect_from(self, uri: str) -> None:
        try:
            self._fetch(uri, ["true", *self._wanted[uri]])
        except Dead as refusal:
            self.dead[uri] = refusal.message

    def _fetch(self, uri: str, commands: Sequence[str]) -> None:
        with self._lock:
            shell = self._shells.setdefault(uri, self._connect(uri))
        token = secrets.token_hex(12)
        found = parse(shell.run(script(commands, token)), len(commands), token)
        if found is None:
            raise Dead("ssh", f"{uri} gives no answer that a shell would give")
        for command, done in zip(commands, found, strict=True):
            self._done[uri, command] = done


def script(commands: Sequence[str], token: str) -> str:
    """Return one POSIX shell script that runs the commands, each framed by lines with the token."""
    lines = [
        "run() {",
        f"  printf '\\n{token} %s\\n' \"$1\"; printf '\\n{token} %s\\n' \"$1\" >&2",
        f'  timeout {COMMAND_TIMEOUT_S} sh -c "$2" </dev/null; printf \'\\n{token} =%s\\n\' "$?"',
        "}",
        "export LC_ALL=C",
        *(f"run {number} {shlex.quote(command)}" for number, command in enumerate(commands)),
    ]
    return "\n".join(lines)


def parse(done: Done, count: int, token: str) -> list[Done] | None:
    """Take the answers of a batch apart; None when it did not run to its end."""
    out = re.split(rf"\n{token} (\d+)\n", "\n" + done.stdout.removeprefix("\n"))
    err = re.split(rf"\n{token} (\d+)\n", "\n" + done.stderr.removeprefix("\n"))
    errors = dict(zip(err[1::2], err[2::2], strict=True))
    found = []
    for number, text in zip(out[1::2], out[2::2], strict=True):
        body, mark, status = text.rpartition(f"\n{token} =")
        if not mark:
            return None
        found.append(Done(int(status.strip()), body, errors.get(number, "").rstrip("\n")))
    return found if len(found) == count else None


def no_host(file: str) -> CannotLook:
    """Return why nothing can be read on a server that the target file does not name."""
    return CannotLook(Reason.NO_CONFIG, f"no [host] in {file}; add uri")
