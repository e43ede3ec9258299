"""The order of a drill, how it ends at the first step that fails, and in what state it leaves the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.drill.commands import Refused, permit
from pytest_deploycheck.drill.machine import problems
from pytest_deploycheck.target import load
from tests.drill.world import NEW, OLD, World, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a small world."""
    with small_world(tmp_path) as made:
        yield made


def test_seven_steps(world: World) -> None:
    """The commands are run in their order, each once, with what the snapshot said; then all is as it was."""
    record = world.drill()
    assert world.done == ["on", "snapshot", "previous", "restore s1", "off", "forward"]
    assert [one["state"] for one in record["steps"]] == ["done"] * 7
    assert record["steps"][0]["after"]["routes"][0]["status"] == 503
    assert record["steps"][0]["after"]["operator_status"] == 200, (
        "the operator's own address did not come through"
    )
    assert record["steps"][0]["after"]["live"][0]["status"] == 200
    assert record["steps"][2]["after"]["told"]["commit"] == OLD
    assert record["steps"][5]["after"]["routes"][0]["status"] == 200
    assert record["outage"]["refused"] > 0
    assert 0 < record["outage"]["outage_s"] <= record["rto_s"] + 1
    assert (record["forward"], world.version, world.closed) == (True, NEW, False)


def test_a_failed_step_ends_it(world: World) -> None:
    """After a failed snapshot nothing is changed, later steps are blocked, and users are let in again."""
    world.write(snapshot_cmd="echo no room left; exit 3")
    record = world.drill()
    assert [one["state"] for one in record["steps"]] == ["done", "failed"] + ["blocked"] * 5
    assert "status 3" in record["steps"][1]["why"]
    assert "no room left" in record["steps"][1]["why"]
    assert world.done == ["on", "off"]
    assert not world.closed
    assert "open" in record["left"]


def test_the_release_comes_back_after_a_failure(world: World) -> None:
    """When the release before does not work, the one that ran is started again before the door is opened."""
    world.write(restore_cmd="touch broken; exit 1")
    record = world.drill()
    assert record["steps"][3]["state"] == "failed"
    assert (world.version, world.closed) == (NEW, False)
    assert world.done[-2:] == ["forward", "off"]


def test_a_broken_service_stays_behind_its_door(world: World) -> None:
    """When nothing brings it back, users do not see a broken service, and the record says what is to be done."""
    world.write(restore_cmd="touch broken; exit 1", forward_cmd="exit 1")
    record = world.drill()
    assert world.closed
    assert "stays closed" in record["left"]
    assert "maintenance_off" in record["left"]


def test_another_release_than_the_one_before_is_a_failure(world: World) -> None:
    """A command that ends well and changes nothing does not bring the release before back."""
    world.write(previous_cmd="true")
    record = world.drill()
    assert record["steps"][2]["state"] == "failed"
    assert record["steps"][4]["state"] == "blocked"


def test_a_route_that_stays_open_is_a_failure(world: World) -> None:
    """A switch that closes nothing is noticed before anything is changed."""
    world.write(maintenance_on="true")
    text = world.target.read_text().replace("drill_close_max_s = 20", "drill_close_max_s = 0.5")
    world.target.write_text(text)
    record = world.drill()
    assert record["steps"][0]["state"] == "failed"
    assert "not closed" in record["steps"][0]["why"]
    assert "previous" not in world.done


@pytest.mark.parametrize(
    ("asked", "typed", "words"),
    [
        (False, "", "give --drill"),
        (True, "", "--drill-production=2.0"),
        (True, "1.9", "--drill-production=2.0"),
    ],
)
def test_production_is_refused(world: World, asked: bool, typed: str, words: str) -> None:
    """On production a drill is refused unless the release that runs was typed."""
    world.write(environment="production")
    with pytest.raises(Refused, match=words):
        permit(load(world.target), asked=asked, typed=typed)
    assert permit(load(world.target), asked=True, typed="2.0")


def test_what_a_drill_lacks(world: World) -> None:
    """A target file without a command, a manifest or the database's way is told all of that at once."""
    world.write(previous_cmd="", manifest="nowhere.json")
    found = " ".join(problems(load(world.target)))
    assert "rollback.previous_cmd" in found
    assert "nowhere.json cannot be read" in found
