"""Child processes of this machine by which servers are asked: bounded in time and output, none left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from typing import IO, cast

LARGEST_OUTPUT = 32_000_000
"""Bytes of output after which a command is ended: more than every read on a server together gives."""
_CHUNK = 65_536


class TooMuch(Exception):
    """A command printed more than `LARGEST_OUTPUT`."""


class Processes:
    """Runs commands of the local shell, each in a session of its own so that it can be ended as a whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, command: bytes | str, timeout: float) -> tuple[int, bytes, bytes]:
        """Run a command without input; return its status, output and errors.

        Raises TimeoutError after `timeout` seconds, TooMuch for an endless output, and OSError when it cannot be
        started; whatever it started has ended then.
        """
        with self._lock:
            if self._closed:
                raise OSError("the run is over")
            process = subprocess.Popen(  # noqa: S602 - testinfra builds and quotes the command
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            out, err = _outputs(process, time.monotonic() + timeout)
            return process.wait(), out, err
        finally:
            self._end(process)

    def close(self) -> None:
        """End what still runs; nothing can be run afterwards."""
        with self._lock:
            self._closed = True
            left = list(self._running)
        for process in left:
            _kill(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            _kill(process)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            cast(IO[bytes], pipe).close()
        with self._lock:
            self._running.discard(process)


def _outputs(process: subprocess.Popen[bytes], ends: float) -> tuple[bytes, bytes]:
    """Read both outputs to their end, and wait for the process's."""
    parts: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    with selectors.DefaultSelector() as selector:
        selector.register(cast(IO[bytes], process.stdout), selectors.EVENT_READ, "out")
        selector.register(cast(IO[bytes], process.stderr), selectors.EVENT_READ, "err")
        while selector.get_map():
            for key, _ in selector.select(max(0.0, ends - time.monotonic())):
                chunk = os.read(key.fd, _CHUNK)
                parts[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            if sum(map(len, parts.values())) > LARGEST_OUTPUT:
                raise TooMuch(f"more than {LARGEST_OUTPUT // 1_000_000} MB of output")
            if time.monotonic() >= ends and selector.get_map():
                raise TimeoutError
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.1, ends - time.monotonic()))
        return bytes(parts["out"]), bytes(parts["err"])
    raise TimeoutError


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
