"""`deploycheck demo run`: the main job in one command, against a deployment that lives for as long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pytest_deploycheck.demo.deployment import Deployment

SUITE = "suites/post_deploy"
WARM_UP_S = 5.0
"""Seconds of traffic before the first look: statistics need something to say."""
HISTORY_S = 7
"""Seconds for which every target must have been scraped; Prometheus finds new ones only every 5 s."""
HISTORY_MAX_S = 25.0


def run(directory: Path, evidence: Path, *, say: Callable[[str], None] = print) -> int:
    """Start the deployment in `directory`, judge it with the suite, stop it; the suite's exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    say(f"Starting the reference deployment in {directory}/ …")
    with Deployment(directory) as deployment:
        say(f"  {len(deployment.services)} servers up after {time.monotonic() - began:.1f} s")
        for unit, why in deployment.absent.items():
            say(f"  without {unit}: {why}")
        say("Letting traffic flow until there is some history …")
        warm_up(deployment)
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


def warm_up(deployment: Deployment) -> None:
    """Wait until there is traffic, and until Prometheus, where it runs, has scraped every target for a while."""
    began = time.monotonic()
    time.sleep(WARM_UP_S)
    if "prometheus" not in deployment.services:
        return
    query = urllib.parse.quote(f"min(count_over_time(up[{HISTORY_S + 1}s]))")
    url = f"{deployment.world.url('prometheus')}/api/v1/query?query={query}"
    while time.monotonic() - began < HISTORY_MAX_S:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
                found = json.load(answer)["data"]["result"]
        except OSError:
            found = []
        if found and float(found[0]["value"][1]) >= HISTORY_S:
            return
        time.sleep(0.2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
