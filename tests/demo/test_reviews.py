"""What was reviewed of a demo that has lived; a fresh one has nothing to review."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck.demo import reviews
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.probes.security_logs import OURS, PATTERNS
from pytest_deploycheck.rules.personal import found


@pytest.mark.parametrize("lived", [timedelta(), timedelta(hours=36)])
def test_a_young_demo_has_no_reviews(tmp_path: Path, lived: timedelta) -> None:
    """Nobody reviews a first week that is not over; nothing is signed or shortened then."""
    world = World(tmp_path / "demo", lived)
    assert reviews.daemons(world) == []
    assert reviews.target_sections(world) == {}
    assert not (world.dir / "people").exists()


def test_the_months_of_an_old_demo_are_short(tmp_path: Path) -> None:
    """It says that its reviews are made up, and by what limits it is judged."""
    sections = reviews.target_sections(World(tmp_path / "demo", timedelta(days=8)))
    assert set(sections) == {"standins", "limits"}
    assert sections["limits"]["review_monthly_d"] == 6.0


def test_the_past_lines_are_of_every_day(tmp_path: Path) -> None:
    """Each service logged on each day since the go-live, none ahead of it, and one day stands out."""
    world = World(tmp_path / "demo", timedelta(days=8))
    begun = datetime.fromisoformat(world.release.deployed_at)
    for service in reviews.SERVICES:
        lines = list(reviews.past_lines(world, service))
        assert {(at - begun).days for at, _ in lines} == set(range(8))
        assert max(at for at, _ in lines) < begun + world.lived
    texts = [(at, text) for at, text in reviews.past_lines(world, "nginx")]
    refused = [(at - begun).days for at, text in texts if re.search(PATTERNS["refused requests"], text)]
    assert [refused.count(day) for day in range(4)] == [12, 12, 90, 12]
    assert any(OURS in json.loads(text).get("agent", "") for _, text in texts)
    assert not any(found(text) for _, text in texts)
