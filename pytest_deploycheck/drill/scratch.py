"""A PostgreSQL of its own for a while: made in a folder, reachable through a socket that only we can see, thrown away."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_WAIT_S = 120.0


class RestoreError(Exception):
    """A backup could not be restored; the message says which step failed and what its tool said."""


@contextmanager
def cluster(
    programs: Path, folder: Path, prefix: Sequence[str], user: str | None
) -> Iterator[tuple[str, str]]:
    """Run a new cluster that nobody else can reach; yield its address and its system identifier."""
    # The name of a socket may have a hundred characters or so: deep folders are too long for it.
    sockets = Path(tempfile.mkdtemp(prefix="restore-"))
    folder.mkdir(parents=True, exist_ok=True)
    data, log = folder / "data", sockets / "log"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(data, user)
        shutil.chown(sockets, user)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    server = None
    try:
        run("initdb", [*prefix, programs / "initdb", f"--pgdata={data}", *options, "--data-checksums"])
        settings = [
            f"unix_socket_directories={sockets}",
            "listen_addresses=",
            "fsync=off",
            "max_wal_senders=0",
        ]
        command = [*prefix, programs / "postgres", "-D", data, *(w for one in settings for w in ("-c", one))]
        # In a file: a pipe that nobody empties would stop a server that has much to say.
        with log.open("w") as said:
            server = subprocess.Popen(
                [str(word) for word in command],
                cwd=sockets,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        dsn = f"host={sockets} user=postgres"
        _wait(server, dsn, log)
        identifier = str(int.from_bytes((data / "global" / "pg_control").read_bytes()[:8], sys.byteorder))
        yield dsn, identifier
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # fast shutdown: sessions are ended, not awaited
            try:
                server.wait(timeout=_WAIT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], dsn: str, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            psycopg.connect(f"{dsn} dbname=postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None:
                said = log.read_text(errors="replace")[-300:]
                raise RestoreError(f"the scratch cluster did not start: {said.strip()}") from error
            if time.monotonic() > deadline:
                raise RestoreError(f"the scratch cluster does not answer after {_WAIT_S:g} s") from error
        time.sleep(0.05)


def run(name: str, command: Sequence[object]) -> None:
    """Run a program to its end; RestoreError with the end of what it says where it fails."""
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/"
    )
    if done.returncode:
        raise RestoreError(f"{name} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
