"""`deploycheck demo rehearse`: the reference deployment's whole life, from the first check to the drill.

Each stage is a run of pytest of its own, as a team would type it on the day; what a stage judges from earlier runs it
finds in the ledger that they were appended to. Two deployments: one that goes live now, and one that went live some
days ago, for the windows that nobody wants to wait for. The people are the demo's own, with keys of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pytest_deploycheck.demo import signing
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.records import drill
from pytest_deploycheck.demo.run import warm_up
from pytest_deploycheck.verify import verify

LIVED = timedelta(days=8)
"""How long ago the second deployment went live: its first day and its first week are over."""

AFTERWARDS_S = 20.0
"""Seconds after a drill until synthetic users have made every journey again, and Prometheus has heard of it."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """One run of pytest: what it is for, and what it selects."""

    name: str
    suites: tuple[str, ...]
    options: tuple[str, ...] = ()


BEFORE = (
    Stage(
        "before, during and after the deployment",
        ("suites/pre_deploy", "suites/deploy", "suites/post_deploy"),
    ),
    Stage("ready to operate, and to go back", ("suites/operations", "suites/rollback")),
    Stage("going live", ("suites/go_live",)),
)
"""What is judged before anybody signs."""

ALL = Stage("all 125 items in one run, with every signature", ("suites",))
WATCH = Stage(f"{LIVED.days} days later: windows, reviews and cadences", ("suites/post_go_live",))
DRILL = Stage("a rollback, for real", ("suites/rollback",), ("--drill",))
DRILLED = Stage("that rollback, vouched for", ("suites/rollback",))


def rehearse(directory: Path, evidence: Path, *, say: Say = print) -> int:
    """Go through all stages; 0 when each was GO, 1 otherwise. Each stage leaves its evidence below `evidence`."""
    began = time.monotonic()
    with Deployment(directory / "live") as live:
        say(f"A deployment goes live in {directory / 'live'}/")
        warm_up(live)
        fine = [_run(stage, live, evidence / f"{number}", say) for number, stage in enumerate(BEFORE, 1)]
        if all(fine):
            signing.sign_off_all(live.world)
            say("  signed: ten roles, each with its own key")
            fine.append(_run(ALL, live, evidence / "4", say))
            fine.append(_verified(evidence / "4", live, say))
            # A drill is proven when somebody has looked at its data and written it down.
            _run(DRILL, live, evidence / "drill", say, good=("GO", "INCOMPLETE"))
            drill.vouch_for_the_newest(live.world)
            time.sleep(AFTERWARDS_S)
            say("  signed: who looked at the drill's data, and its account")
            fine.append(_run(DRILLED, live, evidence / "drilled", say))
    if all(fine):
        with Deployment(directory / "lived", lived=LIVED) as lived:
            say(f"Another one went live {LIVED.days} days ago, in {directory / 'lived'}/")
            warm_up(lived)
            fine.append(_run(WATCH, lived, evidence / "5", say))
    say(
        f"{'Every stage was GO' if all(fine) else 'A stage was not GO'}; {time.monotonic() - began:.0f} s in all"
    )
    return 0 if all(fine) else 1


def _run(
    stage: Stage, deployment: Deployment, evidence: Path, say: Say, good: tuple[str, ...] = ("GO",)
) -> bool:
    """Run a stage; whether its decision is a good one."""
    command = [sys.executable, "-m", "pytest", *stage.suites, *stage.options, "-q"]
    command += ["--target", str(deployment.target), "--evidence", str(evidence)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        record = json.loads((evidence / "evidence.json").read_text(encoding="utf-8"))
    except OSError:
        say(f"  {stage.name}: no evidence\n{done.stdout}{done.stderr}")
        return False
    counts: dict[str, int] = {}
    for item in record["items"]:
        counts[item["verdict"]] = counts.get(item["verdict"], 0) + 1
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    word = record["decision"]["decision"]
    say(f"  {word}  {stage.name}: {said}; {time.monotonic() - began:.0f} s")
    if word not in good:
        say(done.stdout[-6000:] + done.stderr[-2000:])
    return word in good


def _verified(bundle: Path, deployment: Deployment, say: Say) -> bool:
    """Verify a bundle as somebody would who has only it and the keys."""
    found = verify(bundle, deployment.world.path("people", "allowed_signers"))
    say(f"  {'NOT SOUND' if found.problems else 'sound'}: the bundle in {bundle}/; {'; '.join(found.notes)}")
    for problem in found.problems:
        say(f"    {problem}")
    return not found.problems
