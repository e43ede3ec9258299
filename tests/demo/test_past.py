"""A deployment that has lived: its release lies back, and Prometheus knows the days since."""

from __future__ import annotations

import argparse
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import cli, ledger
from pytest_deploycheck.checklist import default
from pytest_deploycheck.demo import past, prometheus
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.record import Record

LIVED = timedelta(days=2)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a Prometheus that was there for two days."""
    if prometheus.available() is not None:
        pytest.skip(str(prometheus.available()))
    with Deployment.only(tmp_path_factory.mktemp("old"), "prometheus", lived=LIVED) as deployment:
        yield deployment


def asked(demo: Deployment, query: str, at: float) -> list[dict[str, Any]]:
    """Return what Prometheus answers to a query at a time."""
    parameters = urllib.parse.urlencode({"query": query, "time": at})
    with urllib.request.urlopen(f"{demo.world.url('prometheus')}/api/v1/query?{parameters}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def test_a_folder_keeps_its_age(tmp_path: Path) -> None:
    """A new folder's release lies back by what it has lived, and another age is refused afterwards."""
    world = World(tmp_path, LIVED)
    age = datetime.now(UTC) - datetime.fromisoformat(world.release.deployed_at)
    assert LIVED <= age < LIVED + timedelta(minutes=5)
    assert World(tmp_path).lived == LIVED
    with pytest.raises(ValueError, match="choose another folder"):
        World(tmp_path, LIVED * 2)
    assert World(tmp_path / "fresh").lived == timedelta()


@pytest.mark.parametrize(("text", "span"), [("8d", timedelta(days=8)), ("36h", timedelta(hours=36))])
def test_spans_of_the_command(text: str, span: timedelta) -> None:
    """`--lived` takes days and hours."""
    assert cli._span(text) == span


@pytest.mark.parametrize("text", ["", "d", "8", "8w", "-1d", "1.5d"])
def test_other_spans_are_refused(text: str) -> None:
    """What is neither is refused in words."""
    with pytest.raises(argparse.ArgumentTypeError, match="no time span"):
        cli._span(text)


def test_prometheus_knows_the_days_before_it_started(old: Deployment) -> None:
    """Each minute of the first day has a sample of each target, and rates are those of a working day."""
    go_live = datetime.fromisoformat(old.world.release.deployed_at).timestamp()
    day = asked(old, 'min(count_over_time(up{job="app"}[24h]))', go_live + 86_400)
    assert 1435 <= float(day[0]["value"][1]) <= 1441
    rate = asked(old, "sum(rate(http_requests_total[5m]))", go_live + 6 * 3600)
    assert 4 < float(rate[0]["value"][1]) < 20
    week = asked(old, "count(up)", go_live - 6 * 86_400)
    assert float(week[0]["value"][1]) >= 10


def test_the_past_is_always_the_same(old: Deployment) -> None:
    """The same times have the same values: what a test saw once it sees again."""
    end = datetime.fromisoformat(old.world.release.deployed_at) + timedelta(hours=2)
    one, two = (past.made_up(old.world, end, timedelta(hours=1)) for _ in range(2))
    assert list(one.lines("day")) == list(two.lines("day"))


def test_changes_of_the_past(old: Deployment) -> None:
    """What a fault changes is changed for as long as it says, of the series that it names, and no others."""
    end = datetime.fromisoformat(old.world.release.deployed_at) + timedelta(hours=6)
    made = past.made_up(old.world, end, timedelta(hours=1))
    before = {series: list(values) for series, values in made.gauges.items()}
    made.put("container_start_time_seconds", 2, 3, 5.0, name="rpc")
    (series,) = made.named("container_start_time_seconds", name="rpc")
    changed = [n for n, value in enumerate(made.gauges[series]) if value != before[series][n]]
    assert len(changed) == 60
    assert {(made.times[n] - made.go_live) // 3600 for n in changed} == {2.0}
    assert [one for one in before if made.gauges[one] != before[one]] == [series]
    with pytest.raises(KeyError, match="no series nonsense"):
        made.named("nonsense")
    lines = len(list(made.lines("day")))
    made.silence(4, 5)
    assert len(list(made.lines("day"))) < lines


def test_a_ledger_in_one_go_is_a_sound_one() -> None:
    """Lines that are made together are chained as those that are appended one by one."""
    records = [
        (
            Record(
                tool={"name": "t", "version": "1"},
                run={"id": str(n), "finished_at": "2026-11-24T09:00:00+00:00"},
                target={"name": "a", "environment": "demo", "config_digest": ""},
                release={},
                checklist={"digest": default().digest},
                selection=(),
                decision={"decision": "GO"},
                items=[],
            ),
            "",
        )
        for n in range(3)
    ]
    lines = list(ledger.chained(records))
    assert ledger.parse(lines).broken == ""
    assert len(ledger.parse(lines).entries) == 3
    assert ledger.parse([lines[0], lines[2]]).broken
