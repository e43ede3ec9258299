"""`deploycheck demo run`: the main job in one command, against a deployment that lives for as long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pytest_deploycheck.demo.deployment import Deployment

SUITE = "suites/post_deploy"
WARM_UP_S = 5.0
"""Seconds of traffic before the first look: statistics and scrapes need something to say."""


def run(directory: Path, evidence: Path, *, say: Callable[[str], None] = print) -> int:
    """Start the deployment in `directory`, judge it with the suite, stop it; the suite's exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    say(f"Starting the reference deployment in {directory}/ …")
    with Deployment(directory) as deployment:
        say(f"  {len(deployment.services)} servers up after {time.monotonic() - began:.1f} s")
        for unit, why in deployment.absent.items():
            say(f"  without {unit}: {why}")
        say(f"Letting traffic flow for {WARM_UP_S:.0f} s …")
        time.sleep(WARM_UP_S)
        command = [sys.executable, "-m", "pytest", SUITE]
        command += ["--target", str(deployment.target), "--evidence", str(evidence)]
        shown = " ".join(["pytest", *command[3:]])
        say(f"Running: {shown}\n")
        status = subprocess.run(command).returncode
        say("\nStopping …")
    page = evidence / "report.html"
    if page.is_file():
        say(f"The page to attach to a release: {page.absolute()}")
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
