"""Servers: all that a run reads on a server, in one command over one connection.

Probes declare their reads beforehand (`@probe(reads=...)`), so that the gate of the server can fetch what
all of them want at once: a server far away costs one round trip, and not one for each fact. What a probe
reads from then on comes out of that; a command that nobody declared runs by itself.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.shell import RUN_TIMEOUT_S, Done, Shell, refuse_writes
from pytest_deploycheck.verdict import Reason

COMMAND_TIMEOUT_S = 15
"""Seconds after which one command of a batch is ended on the server."""
GRACE_S = 3.0
"""Seconds that a batch's answer may be late on its way, within the time that it is given."""
JOBS = 64
"""Servers that are asked at the same time."""

Connect = Callable[[str], Shell]


class Servers:
    """What was read on each server of a target; thread-safe.

    connect: makes the shell of a server by its testinfra address.  The first of `uris` is the main one.
    """

    def __init__(self, uris: Sequence[str], connect: Connect) -> None:
        self.uris = tuple(dict.fromkeys(uris))
        self._connect = connect
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()
        self._wanted: dict[str, dict[str, None]] = {uri: {} for uri in uris}
        self._done: dict[tuple[str, str], Done] = {}
        self.dead: dict[str, str] = {}
        self._closed = False

    def expect(self, main: Iterable[str], every: Iterable[str]) -> None:
        """Note reads that will be asked for: of the main server, and of every one.

        A command that is not on the list of reads is left out; whoever reads it is told so then.
        """
        every = tuple(every)
        for uri in self.uris:
            for command in (*main, *every) if uri == self.uris[0] else every:
                with contextlib.suppress(CannotLook):
                    refuse_writes(command)
                    self._wanted[uri][command] = None

    def collect(self, timeout: float = RUN_TIMEOUT_S) -> None:
        """Fetch all that is expected, from all servers side by side; `dead` says which ran no command."""
        self._each(self.uris, lambda uri: ["true", *self._wanted[uri]], timeout)

    def read(self, command: str, uri: str, timeout: float = RUN_TIMEOUT_S) -> Done:
        """Return what a command gave on a server, from the batch when it was in it."""
        refuse_writes(command)
        if uri in self.dead:
            raise Dead("ssh", self.dead[uri])
        if (uri, command) not in self._done:
            self._fetch(uri, [command], timeout)
        return self._done[uri, command]

    def fetch(self, wanted: dict[str, Sequence[str]], timeout: float = RUN_TIMEOUT_S) -> None:
        """Read more, known only after a first look: one command a server, all servers side by side.

        What was read before is read again. A server that does not answer is dead from then on.
        """
        for commands in wanted.values():
            for command in commands:
                refuse_writes(command)
        alive = [uri for uri, commands in wanted.items() if commands and uri not in self.dead]
        self._each(alive, lambda uri: wanted[uri], timeout)

    def close(self) -> None:
        """End what still runs; nothing is read afterwards."""
        with self._lock:
            self._closed = True
            shells = list(self._shells.values())
        for shell in shells:
            shell.close()

    def _each(self, uris: Sequence[str], commands: Callable[[str], Sequence[str]], timeout: float) -> None:
        """Ask servers side by side, in threads that hold up no exit."""
        waiting = deque(uris)

        def ask() -> None:
            with contextlib.suppress(IndexError):
                while True:
                    uri = waiting.popleft()
                    try:
                        self._fetch(uri, commands(uri), timeout)
                    except Dead as refusal:
                        self.dead[uri] = refusal.message
                    except BaseException as error:
                        failures.append(error)

        failures: list[BaseException] = []
        threads = [threading.Thread(target=ask, name="servers", daemon=True) for _ in uris[:JOBS]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _fetch(self, uri: str, commands: Sequence[str], timeout: float) -> None:
        with self._lock:
            if self._closed:
                raise Dead("ssh", f"{uri} was not asked any more: the run is over")
            shell = self._shells.setdefault(uri, self._connect(uri))
        token = secrets.token_hex(12)
        batch = script(commands, token, max(1, round(timeout - GRACE_S)))
        whole = shell.run(batch, timeout)
        found = parse(whole, len(commands), token)
        if found is None:
            raise Dead("ssh", f"{uri} gives no answer that a shell would give")
        for command, done in zip(commands, found, strict=True):
            self._done[uri, command] = replace(done, sent_at=whole.sent_at, received_at=whole.received_at)


def script(commands: Sequence[str], token: str, limit_s: int = COMMAND_TIMEOUT_S) -> str:
    """Return one POSIX shell script that runs the commands, each framed by lines with the token.

    All of them together take `limit_s` at most: when that is over, the rest ends with status 124, as a command
    does that is ended by `timeout`. Times are printed in UTC.
    """
    lines = [
        f"ends=$(($(date +%s) + {limit_s}))",
        "run() {",
        f"  printf '\\n{token} %s\\n' \"$1\"; printf '\\n{token} %s\\n' \"$1\" >&2",
        f"  left=$((ends - $(date +%s))); [ $left -lt {COMMAND_TIMEOUT_S} ] || left={COMMAND_TIMEOUT_S}",
        '  if [ $left -gt 0 ]; then timeout $left sh -c "$2" </dev/null; else false; fi',
        "  status=$?; [ $left -gt 0 ] || status=124",
        f"  printf '\\n{token} =%s\\n' $status",
        "}",
        "export LC_ALL=C TZ=UTC",
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
