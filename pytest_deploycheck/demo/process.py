"""Servers as child processes: started in the background, awaited, stopped, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_deploycheck.demo import watchdog

_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "DEPLOYCHECK_EVM")
_POLL_S = 0.02


class StartError(RuntimeError):
    """A daemon died or was not ready in time."""


class Daemon:
    """One server process, in a session of its own, with its log and its pid in its home folder.

    `ready` is asked every 20 ms until it returns true; an OSError from it means not yet. The environment is
    `env` on top of PATH and a UTF-8 locale, nothing else. `user` runs it as that account (needs root).
    `stop_signal` is what a clean stop takes; the whole process group is killed after the grace period.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        home: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        log: Path | None = None,
        start_timeout: float = 20.0,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.argv = [str(word) for word in argv]
        self.home = home
        self.ready = ready
        self.env = dict(env or {})
        self.user = user
        self.log = log or home / f"{name}.log"
        self.start_timeout = start_timeout
        self.stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is alive now."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How the process ended; negative for a signal, None while it runs or before it started."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process and return at once; it must not be running."""
        if self.running:
            raise StartError(f"{self.name} is already running as process {self.pid}")
        self.home.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        base = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                cwd=self.home,
                env={**base, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(self.home), **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=_group(self.user),
                extra_groups=[] if self.user else None,
            )
        _keeper.watch(self._process.pid, self.stop_signal)
        (self.home / f"{self.name}.pid").write_text(f"{self._process.pid}\n")

    def wait_ready(self) -> None:
        """Return when the server answers; StartError with the end of its log when it does not."""
        deadline = time.monotonic() + self.start_timeout
        while True:
            if not self.running:
                raise StartError(f"{self.name} {self._ending()} before it was ready{self._log_end()}")
            with contextlib.suppress(OSError):
                if self.ready():
                    return
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {self.start_timeout:g} s{self._log_end()}")
            time.sleep(_POLL_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, grace: float = 5.0) -> None:
        """Stop the process cleanly, and after `grace` seconds kill its whole group."""
        process = self._process
        if process is None:
            return
        process.send_signal(self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _keeper.forget(process.pid)
        (self.home / f"{self.name}.pid").unlink(missing_ok=True)
        self._process = None

    def _ending(self) -> str:
        code = self.returncode
        if code is None:
            return "was never started"
        return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"

    def _log_end(self) -> str:
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        text = "\n".join(lines)
        for secret in _secrets_around(self.home):
            text = text.replace(secret, "***")
        return f"; the end of {self.log}:\n{text}" if text else f"; {self.log} is empty"


class _Keeper:
    """Tells the watchdog process, started on first use, which daemons must not outlive this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._owner = 0
        self._watched: dict[int, str] = {}
        self._held: set[int] = set()

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        started = watchdog.start_time(pid)
        if not started:
            return  # over already
        message = f"+{pid} {started} {int(stop_signal)}"
        with self._lock:
            self._send(message)
            self._watched[pid] = message

    def forget(self, pid: int) -> None:
        with self._lock:
            if self._watched.pop(pid, None):
                self._send(f"-{pid}")

    def hold(self, descriptor: int) -> None:
        with self._lock:
            self._send(f"hold {descriptor}", descriptor)
            self._held.add(descriptor)

    def drop(self, descriptor: int) -> None:
        with self._lock:
            self._held.discard(descriptor)
            self._send(f"drop {descriptor}")

    def _send(self, message: str, *descriptors: int) -> None:
        if self._channel is None or self._owner != os.getpid():
            self._begin()
        assert self._channel is not None
        try:
            socket.send_fds(self._channel, [message.encode()], descriptors)
        except ConnectionError:  # somebody ended the watchdog: a new one is told everything
            self._begin()
            socket.send_fds(self._channel, [message.encode()], descriptors)

    def _begin(self) -> None:
        if self._owner != os.getpid():  # after a fork, the daemons are the parent's
            self._watched.clear()
            self._held.clear()
        self._owner = os.getpid()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        subprocess.Popen(  # ends by itself when this process does
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        for message in self._watched.values():
            socket.send_fds(self._channel, [message.encode()], [])
        for descriptor in self._held:
            socket.send_fds(self._channel, [f"hold {descriptor}".encode()], [descriptor])


_keeper = _Keeper()


def hold_until_swept(descriptor: int) -> None:
    """Keep an open file, and the lock on it, until this process's daemons are gone, even if it is killed."""
    _keeper.hold(descriptor)


def drop(descriptor: int) -> None:
    """End what `hold_until_swept` began."""
    _keeper.drop(descriptor)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts TCP connections on a port: the plainest `ready`."""
    with socket.create_connection((host, port), timeout=0.5):
        return True


def _group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def _secrets_around(home: Path) -> list[str]:
    """Read the secrets of the deployment that a home folder belongs to, longest first."""
    for folder in (home, *home.parents):
        if (folder / "world.json").exists():
            values = [file.read_text().strip() for file in (folder / "secrets").glob("*") if file.is_file()]
            return sorted(filter(None, values), key=len, reverse=True)
    return []
