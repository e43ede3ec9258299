"""`deploycheck demo up DIR`: the reference deployment in the foreground."""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import FrameType

from pytest_deploycheck.demo.deployment import Deployment

_WATCH_S = 0.5
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(Exception):
    """A signal asked for the end while the deployment was starting."""


def up(directory: Path, *, wait: bool = True, lived: timedelta = timedelta()) -> int:
    """Start the deployment and keep it until Ctrl-C, SIGTERM or SIGHUP; the exit status.

    Prints a line for each part as it becomes ready, then where the target file is. Without `wait` it stops
    again as soon as all of it was up. `lived`: for how long a new one has been live. Status 1 when it could not
    start.
    """
    ended = threading.Event()
    starting = True

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal starting
        ended.set()
        if starting:
            starting = False  # a second signal must not interrupt the clean-up
            raise _Stopped

    try:
        deployment = Deployment(directory, lived=lived)
    except ValueError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    before = {number: signal.signal(number, end) for number in _STOP_SIGNALS}
    begun = time.monotonic()
    try:
        deployment.start(_say)
        starting = False
        _report(deployment, time.monotonic() - begun)
        if wait:
            _keep(deployment, ended)
    except _Stopped:
        print("stopped while starting", flush=True)
    except Exception as error:
        print(f"the deployment could not start: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        starting = False
        deployment.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    print("stopped", flush=True)
    return 0


def _keep(deployment: Deployment, ended: threading.Event) -> None:
    """Wait for the end, and tell of servers that end before it; who breaks one by hand wants the others."""
    down: set[str] = set()
    while not ended.wait(_WATCH_S):
        now = {name for name in deployment.services if not deployment.service(name).running}
        for name in sorted(now - down):
            print(f"   ended   {name}: {deployment.service(name).log}", flush=True)
        down = now


def _say(name: str, seconds: float) -> None:
    # One write, newline included: units become ready in threads of their own, and print writes twice.
    sys.stdout.write(f"{seconds:6.2f} s  {name}\n")
    sys.stdout.flush()


def _report(deployment: Deployment, seconds: float) -> None:
    world = deployment.world
    for unit, reason in deployment.absent.items():
        print(f"   absent  {unit}: {reason}")
    print(f"{seconds:6.2f} s  all of it: {world.url('edge')} (trust {world.dir}/certs/ca.pem)")
    print(f"          target file: {deployment.target}")
    print(f"          try: pytest suites -m smoke --target {deployment.target}")
    print("          Ctrl-C stops it", flush=True)
