"""Scheduled runs, as a timer would start them: killed at any moment, and the verdict is the same in the end."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck import ledger
from pytest_deploycheck.demo import past, prometheus
from pytest_deploycheck.demo.deployment import Deployment

SUITES = Path(__file__).parents[2] / "suites" / "post_go_live"
ITEMS = tuple(f"post_go_live.first_day.{name}" for name in ("performance", "errors", "chain", "resources"))
KILLS = 20


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a Prometheus alone that went live nine hours ago, whose target file has nothing else."""
    if prometheus.available() is not None:
        pytest.skip(str(prometheus.available()))
    folder = tmp_path_factory.mktemp("watched")
    with Deployment.only(folder, "prometheus", lived=timedelta(hours=9)) as demo:
        world = demo.world
        text = (
            f'[target]\nname = "watched"\nenvironment = "demo"\nbase_url = "{world.url("edge")}"\n'
            f'[release]\nversion = "1"\ngo_live_at = {world.release.deployed_at}\n'
            f'[prometheus]\nurl = "{world.url("prometheus")}"\njobs = {{ app = 2, node = 1, chain = 1 }}\n'
            '[ledger]\npath = "ledger.jsonl"\n'
            # One run each three hours is due, so that a few of them are a schedule.
            "[limits]\nwindow_slot_s = 10800\n"
        )
        (folder / "watch.toml").write_text(text)
        yield demo


def command(target: Path, *more: str) -> list[str]:
    """Return what a timer runs."""
    suite = [str(SUITES / name) for name in ("test_first_day.py", "test_first_day_chain.py")]
    suite.append(str(SUITES / "test_first_day_resources.py"))
    options = ["--target", str(target), "-q", "-p", "no:cacheprovider", "-k", "not transactions"]
    return [sys.executable, "-m", "pytest", *suite, *options, *more]


def run(target: Path, *more: str) -> ledger.Entry:
    """Run to the end, and return what the ledger has of it."""
    done = subprocess.run(command(target, *more), capture_output=True, text=True, check=False)
    entries = ledger.read(target.with_name("ledger.jsonl")).entries
    assert entries, done.stdout + done.stderr
    return entries[-1]


def test_twenty_killed_runs_change_nothing(watched: Deployment) -> None:
    """Runs that are killed while they look, judge or write leave a sound ledger, and the next judges all of the window.

    Three earlier runs are in the ledger, as of a schedule. The verdicts after the kills are those of before, but for
    nothing that a killed run had seen or half written.
    """
    target = watched.world.dir / "watch.toml"
    path = target.with_name("ledger.jsonl")
    path.unlink(missing_ok=True)
    for hours in (6, 3):  # ago, as the timer would have run
        _entered(watched, target, hours)
    before = run(target)
    verdicts = {item: before.items[item] for item in ITEMS}
    assert set(verdicts.values()) == {"passed"}, verdicts
    chance = random.Random(20)  # noqa: S311 - when to kill
    killed, took = 0, 3.0
    for _ in range(KILLS):
        process = subprocess.Popen(command(target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        try:
            process.wait(chance.uniform(0.1, took))
            took = (took + time.monotonic() - begun) / 2  # it was done before: kill the next one earlier
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed >= KILLS / 4, f"only {killed} runs were killed while they ran"
    after = run(target)
    view = ledger.read(path)
    assert view.broken == ""
    assert {item: after.items[item] for item in ITEMS} == verdicts
    assert after.n == len(view.entries)


def _entered(demo: Deployment, target: Path, hours: float) -> None:
    """Enter a run as of some hours ago, by running it with that as its time."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    path = target.with_name("ledger.jsonl")
    entry = run(target, "--as-of", at.isoformat())
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines[-1]["time"] = at.isoformat()
    lines[-1]["hash"] = ledger._hash(lines[-1])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert entry.items[ITEMS[0]] in ("passed", "failed"), demo.world.dir


def test_an_hour_without_samples_is_seen_by_the_next_run(watched: Deployment) -> None:
    """What Prometheus missed while nobody ran is no good time for the run that comes after it."""
    world, target = watched.world, watched.world.dir / "watch.toml"
    made = past.made_up(world, datetime.now(UTC))
    made.silence(4, 5)
    folder = world.path("prometheus", "other-day")
    past.write(made, "day", folder)
    daemon = watched.service("prometheus")
    daemon.stop()
    past.put(world, day=folder)
    daemon.start()
    daemon.wait_ready()
    try:
        entry = run(target)
    finally:
        daemon.stop()
        past.put(world)
        daemon.start()
        daemon.wait_ready()
        shutil.rmtree(folder)
    assert entry.items[ITEMS[0]] == "failed"
    assert entry.items[ITEMS[3]] == "passed"
