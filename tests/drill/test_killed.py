"""A drill that is killed in any of its steps is taken up by the next one, and the service is back afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.drill import STEPS
from pytest_deploycheck.drill.commands import start_of
from pytest_deploycheck.drill.journal import Busy, unfinished
from tests.drill.world import NEW, World, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a small world."""
    with small_world(tmp_path) as made:
        yield made


def killed_when(world: World, process: subprocess.Popen[str], flag: str) -> None:
    """Kill a drill once a file is there."""
    deadline = time.monotonic() + 60
    while not (world.folder / flag).exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "it never came there"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize(
    ("step", "moment"),
    [
        *((step, "after") for step in STEPS),
        *((step, "before") for step in ("maintenance", "previous", "resume")),
    ],
)
def test_killed_and_taken_up(world: World, step: str, moment: str) -> None:
    """Killed by SIGKILL in a step, before its command or when it had done all: the next start goes on there."""
    killed_when(world, world.start(step, moment), "held")
    assert len(unfinished(world.folder / "drills")) == 1
    record = world.drill()
    assert [one["state"] for one in record["steps"]] == ["done"] * 7
    assert [one["name"] for one in record["steps"] if one["interrupted"]] == [step]
    assert not world.closed
    assert world.version == NEW
    assert record["forward"] is True
    assert not unfinished(world.folder / "drills")
    assert record["outage"]["refused"] > 0
    assert record["outage"]["outage_s"] > 0
    assert record["rto_s"] >= record["outage"]["outage_s"] - 1


@pytest.mark.parametrize(("step", "command"), [("restore_db", "restore_cmd"), ("snapshot", "snapshot_cmd")])
def test_the_command_that_was_left_running_is_ended(world: World, step: str, command: str) -> None:
    """A command that outlives the killed drill does not go on beside its second run."""
    slow = 'echo $$ > running; if [ ! -e twice ]; then touch twice; sleep 600; fi; echo \'{"id": "s2"}\''
    world.write(**{command: slow})
    killed_when(world, world.start(), "twice")
    left = int((world.folder / "running").read_text())
    assert start_of(left), "the command ended with the drill, so that this shows nothing"
    record = world.drill()
    assert not start_of(left)
    assert [one["name"] for one in record["steps"] if one["interrupted"]] == [step]
    assert all(one["state"] == "done" for one in record["steps"])


def test_what_was_seen_before_is_kept(world: World) -> None:
    """Facts of before a step are those of its first attempt, not of a service that was half changed."""
    killed_when(world, world.start("maintenance", "after"), "held")
    assert world.closed
    record = world.drill()
    assert {one["status"] for one in record["steps"][0]["before"]["routes"]} == {200}


def test_another_target_is_not_gone_on_with(world: World) -> None:
    """When the commands changed meanwhile, the drill is given up, and the door is opened."""
    killed_when(world, world.start("restore_db", "before"), "held")
    world.write(restore_cmd="echo something else")
    record = world.drill()
    assert record["aborted"]
    assert [one["state"] for one in record["steps"]] == ["done"] * 3 + ["blocked"] * 4
    assert not world.closed
    assert world.version == NEW
    assert "something else" not in " ".join(world.done)


def test_a_torn_journal_is_read(world: World) -> None:
    """A line that was written by half says nothing, and the drill goes on from the one before."""
    killed_when(world, world.start("previous", "before"), "held")
    [journal] = unfinished(world.folder / "drills")
    with journal.open("a") as file:
        file.write('{"at": "2026-11-24T10:00:00+00:00", "what": "do')
    record = world.drill()
    assert all(one["state"] == "done" for one in record["steps"])
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_two_drills_at_once(world: World) -> None:
    """A second drill does not begin while one goes on."""
    process = world.start("snapshot", "before")
    deadline = time.monotonic() + 60
    while not (world.folder / "held").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(Busy, match="another drill is going on"):
        world.drill()
    process.kill()
    process.communicate()
