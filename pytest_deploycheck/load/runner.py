"""Running Locust: one process, or a master and its workers, watched until they end and ended when time is up.

Locust stays out of this process: it patches sockets and threads of the whole interpreter.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

PREFIX = "deploycheck"
MANIFEST = "manifest.json"
START_S = 30.0
"""Locust may take this long to import, to gather its workers and to write its report."""
STOP_TIMEOUT_S = 5
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plan:
    """One load test. rps: of all users together.  locustfile: a user's own, else None.

    duration_s: of the full load; reaching it takes users/spawn_rate seconds more.  account: username and
    password, handed over by environment.  settings: what our locustfile needs besides.
    """

    host: str
    users: int
    rps: float
    spawn_rate: float
    duration_s: float
    workers: int
    locustfile: Path | None
    account: tuple[str, str] | None
    settings: Mapping[str, Any]
    stop_fail_ratio: float
    commit: str

    @property
    def run_time_s(self) -> int:
        """Seconds that Locust runs, in whole ones as it wants them."""
        return math.ceil(self.duration_s + self.users / max(self.spawn_rate, 0.001))

    @property
    def limit_s(self) -> float:
        """Seconds after which the run is ended from outside."""
        return self.run_time_s + STOP_TIMEOUT_S + START_S


def run(plan: Plan, folder: Path, remaining: Callable[[], float]) -> None:
    """Run the plan and leave its report set and manifest in `folder`, in place of an earlier one.

    `remaining` raises when the look is over; whatever happens, no process is left behind.
    """
    if importlib.util.find_spec("locust") is None:
        raise CannotLook(
            Reason.NO_ACCESS, "Locust is not installed here; pip install 'pytest-deploycheck[load]'"
        )
    with tempfile.TemporaryDirectory(prefix="deploycheck-load-") as scratch:
        place = Path(scratch)
        started = datetime.now(UTC)
        output = _watched(plan, place, remaining)
        if not (place / f"{PREFIX}_stats.csv").exists():
            last = " / ".join(output.strip().splitlines()[-3:])
            raise CannotLook(Reason.NO_EVIDENCE, f"Locust left no report; its last words: {last[-400:]}")
        _leave(plan, place, folder, started)


def _watched(plan: Plan, place: Path, remaining: Callable[[], float]) -> str:
    """Run all processes until the first of them, the master, has ended; return its output."""
    until = time.monotonic() + plan.limit_s
    with (place / "output.txt").open("w+b") as output, _processes(plan, place, output.fileno()) as running:
        while running[0].poll() is None:
            if time.monotonic() > until:
                raise CannotLook(Reason.TIMEOUT, f"the load test was not done in {plan.limit_s:.0f} s")
            remaining()
            time.sleep(0.05)
        output.seek(0)
        return output.read().decode("utf-8", "replace")


@contextlib.contextmanager
def _processes(plan: Plan, place: Path, output: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    try:
        for argv in commands(plan, free_port() if plan.workers else 0):
            running.append(
                subprocess.Popen(
                    argv,
                    cwd=place,
                    env=environment(plan, place),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        yield running
        for process in running[1:]:  # the master has told its workers to quit
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def commands(plan: Plan, port: int) -> list[Sequence[str]]:
    """Return the command lines, the master's (or the only one's) first."""
    own = str(plan.locustfile) if plan.locustfile else str(_HERE / "locustfile.py")
    locust = [sys.executable, "-m", "locust", "--locustfile", f"{_HERE / 'guard.py'},{own}"]
    main = [
        *locust,
        "--headless",
        "--only-summary",
        "--loglevel=WARNING",
        f"--host={plan.host}",
        f"--users={plan.users}",
        f"--spawn-rate={plan.spawn_rate:g}",
        f"--run-time={plan.run_time_s}s",
        f"--stop-timeout={STOP_TIMEOUT_S}",
        f"--csv={PREFIX}",
        "--csv-full-history",
        f"--json-file={PREFIX}",
    ]
    if not plan.workers:
        return [main]
    main += ["--master", "--master-bind-host=127.0.0.1", f"--master-bind-port={port}"]
    main += [f"--expect-workers={plan.workers}", f"--expect-workers-max-wait={START_S:.0f}"]
    worker = [*locust, "--worker", "--loglevel=WARNING", "--master-host=127.0.0.1", f"--master-port={port}"]
    return [main, *[worker] * plan.workers]


def environment(plan: Plan, place: Path) -> dict[str, str]:
    """Return the processes' environment: no Locust setting of this machine, the plan, and the account."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    guard = {"stop_fail_ratio": plan.stop_fail_ratio, "host": plan.host, "notes": str(place / "notes.txt")}
    found["DEPLOYCHECK_LOAD_GUARD"] = json.dumps(guard)
    found["DEPLOYCHECK_LOAD"] = json.dumps(
        {**plan.settings, "host": plan.host, "users": plan.users, "rps": plan.rps}
    )
    if plan.settings.get("ca_file"):  # for a user's own locustfile; ours is told by the plan
        found["REQUESTS_CA_BUNDLE"] = str(plan.settings["ca_file"])
    if plan.locustfile is None:
        found["HOME"] = str(place)  # where a .locust.conf would be
    if plan.account:
        found["DEPLOYCHECK_LOAD_USERNAME"], found["DEPLOYCHECK_LOAD_PASSWORD"] = plan.account
    return found


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _leave(plan: Plan, place: Path, folder: Path, started: datetime) -> None:
    """Move the report set into its folder, the manifest last: with it the set is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    sums = {}
    for source in sorted(place.glob(f"{PREFIX}*")):
        sums[source.name] = hashlib.sha256(source.read_bytes()).hexdigest()
        shutil.copyfile(source, folder / source.name)
    notes = place / "notes.txt"
    manifest = {
        "host": plan.host,
        "users": plan.users,
        "rps": plan.rps,
        "spawn_rate": plan.spawn_rate,
        "duration_s": plan.duration_s,
        "workers": plan.workers,
        "started_at": started.isoformat(timespec="seconds"),
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": plan.commit,
        "locustfile": plan.locustfile.name if plan.locustfile else "deploycheck",
        "endpoints": list(plan.settings.get("endpoints", ())),
        "prefix": PREFIX,
        "stopped": notes.read_text(encoding="utf-8").splitlines() if notes.exists() else [],
        "sha256": sums,
    }
    partial = folder / f"{MANIFEST}.new"
    partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)
