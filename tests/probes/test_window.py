"""The window probe against a real Prometheus with a made-up past: what it measures, and what it says of gaps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck.demo import past, prometheus
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.probes.window import WindowFacts, _longest_gap
from pytest_deploycheck.rules.extras import CHAIN_EXTRAS, value_of
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load

LIVED = timedelta(hours=30)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a Prometheus whose product went live thirty hours ago."""
    if prometheus.available() is not None:
        pytest.skip(str(prometheus.available()))
    with Deployment.only(tmp_path_factory.mktemp("old"), "prometheus", lived=LIVED) as deployment:
        yield deployment


def observed(demo: Deployment, at: datetime | None = None, watch: str = "", go_live: str = "") -> Observation:
    """Look at the windows, as of a time."""
    world = demo.world
    path = Path(world.dir / "target.toml")
    live = go_live or f"go_live_at = {world.release.deployed_at}"
    path.write_text(
        f'[target]\nname = "old"\nenvironment = "demo"\nbase_url = "{world.url("edge")}"\n[release]\n{live}\n'
        f'[prometheus]\nurl = "{world.url("prometheus")}"\njobs = {{ app = 2, chain = 1, ghost = 1 }}\n'
        f"[watch]\n{watch}\n"
    )
    return dict(Run(load(path), as_of=at).gather(["window"], registry()))["window"]


def facts(demo: Deployment, hours: float, watch: str = "") -> WindowFacts:
    """Return the windows some hours after go-live."""
    at = datetime.fromisoformat(demo.world.release.deployed_at) + timedelta(hours=hours)
    seen = observed(demo, at, watch)
    assert isinstance(seen.facts, WindowFacts), seen
    return seen.facts


def test_before_the_go_live_there_is_nothing(old: Deployment) -> None:
    """An hour before, neither window has begun; five minutes in, the first has one step."""
    early = facts(old, -1)
    assert (early.day, early.week, early.before, early.peaks) == (None, None, None, ())
    first = facts(old, 0.1)
    assert first.day is not None
    assert (first.day.steps, first.week) == (1, None)


def test_an_open_window_grows(old: Deployment) -> None:
    """In the middle of the day half of the steps are there, and the window is not closed."""
    day = facts(old, 12).day
    assert day is not None
    assert (day.steps, day.closed, day.span_s) == (144, False, 43_200.0)
    assert [len(day.points(name)) for name in ("requests", "errors", "p95", "head_age")] == [144] * 4
    assert day.points("nonsense") == ()


def test_a_closed_window_stays_as_it_was(old: Deployment) -> None:
    """Hours later the day is the same, while the week goes on."""
    one, two = facts(old, 25), facts(old, 28)
    assert one.day is not None and one.day.closed
    assert one.day == two.day
    assert one.week is not None and two.week is not None
    assert (one.week.steps, two.week.steps) == (25, 28)


def test_numbers_are_those_of_the_past(old: Deployment) -> None:
    """Twelve requests a second around noon, 95 of 100 of them within a quarter of a second, few errors."""
    seen = facts(old, 25)
    day, week = seen.day, seen.week
    assert day is not None and week is not None and seen.before is not None
    rates = [value for _, value in day.points("requests")]
    assert 5 < min(rates) < 10 < max(rates) < 20
    assert {round(value, 1) for _, value in day.points("p95")} == {0.2}
    assert all(0.0001 < ratio < 0.0003 for _, ratio in day.error_ratio)
    assert max(value for _, value in day.points("head_age")) <= 12
    assert len(week.points("disk")) == 25
    assert len(seen.before.points("p95")) > 160
    assert {one.what for one in seen.peaks} >= {"cpu", "memory", "disk", "disk days", "restarts", "kills"}
    assert seen.response_time is not None and seen.response_time.limit == 1.0


def test_a_job_that_was_never_scraped_has_no_coverage(old: Deployment) -> None:
    """Jobs are those that the target file requires: one without samples has none of what was due."""
    day = facts(old, 25).day
    assert day is not None
    shares = {one.job: one.share for one in day.coverage}
    assert shares["app"] > 0.995 and shares["chain"] > 0.995
    assert shares["ghost"] == 0.0
    assert day.first_sample_s == 300.0


@contextmanager
def silent(demo: Deployment, start: float, end: float) -> Iterator[None]:
    """Let Prometheus have been stopped for a while in the first day."""
    made = past.made_up(demo.world, datetime.now(UTC))
    made.silence(start, end)
    folder = demo.world.path("prometheus", "other-day")
    past.write(made, "day", folder)
    _given(demo, day=folder)
    try:
        yield
    finally:
        _given(demo)


def _given(demo: Deployment, **pieces: Path) -> None:
    daemon = demo.service("prometheus")
    daemon.stop()
    past.put(demo.world, **pieces)
    daemon.start()
    daemon.wait_ready()


def test_a_gap_has_a_place_and_a_length(old: Deployment) -> None:
    """Half an hour without samples is a fiftieth of the day, told with when it began, and no old block."""
    with silent(old, 12.0, 12.5):
        day = facts(old, 25).day
    assert day is not None
    app = next(one for one in day.coverage if one.job == "app")
    assert 0.975 < app.share < 0.985
    assert 1500 <= app.longest_gap_s <= 2100
    begun = datetime.fromisoformat(app.gap_at) - datetime.fromisoformat(day.start)
    assert timedelta(hours=11.9) <= begun <= timedelta(hours=12.1)
    assert len(day.points("requests")) < 288
    assert max(value for _, value in day.points("head_age")) <= 12


def test_queries_that_are_refused_are_missing_numbers(old: Deployment) -> None:
    """A mistake in an expression of one's own, or one that gives many series, is no number; the rest is there."""
    day = facts(old, 3, "queries = { p95 = 'max(', lag = 'up', log_errors = 'vector(1)' }").day
    assert day is not None
    assert (day.points("p95"), day.points("lag")) == ((), ())
    assert len(day.points("log_errors")) == len(day.points("requests")) == 36
    assert day.expression("p95") == "max("


def test_numbers_that_only_a_query_knows(old: Deployment) -> None:
    """Reorganisations and the like are read where they are asked for; what is not asked for is named."""
    made = past.made_up(old.world, datetime.now(UTC))
    labels = (("instance", "node"), ("job", "chain"))
    counted = {"reorged_blocks_total": 5.0, "failovers_total": 1.0, "dropped_total": 2.0}
    for name, count in counted.items():
        made.counters[name, labels] = [0.0] * len(made.times)
        made.put(name, 12.0, 12.0 + 1 / 60, count)
    made.gauges["reference_difference_blocks", labels] = [1.0] * len(made.times)
    made.put("reference_difference_blocks", 13.0, 13.1, 8.0)
    folder = old.world.path("prometheus", "asked-day")
    past.write(made, "day", folder)
    _given(old, day=folder)
    queries = {
        "reorg_depth": "sum(increase(reorged_blocks_total[$step]))",
        "failovers": "sum(increase(failovers_total[$step]))",
        "dropped": "sum(increase(dropped_total[$step]))",
        "reference_lag": "max(max_over_time(reference_difference_blocks[$step]))",
    }
    text = ", ".join(f"{name} = {expression!r}" for name, expression in queries.items())
    try:
        seen = facts(old, 25, f"queries = {{ {text} }}")
    finally:
        _given(old)
    day = seen.day
    assert day is not None
    values = {one.name: value_of(one, day.points(one.name), day.points("sent")) for one in CHAIN_EXTRAS}
    assert 4.5 < values["reorg_depth"] < 7 and values["reference_lag"] == 8.0
    assert 0.9 < values["failovers"] < 1.3
    assert values["dropped"] == pytest.approx(2 / sum(v for _, v in day.points("sent")), rel=0.3)
    assert {len(day.points(name)) for name in queries} == {288}
    assert seen.not_asked == ("log_errors", "log_volume")
    assert set(facts(old, 3).not_asked) == {"log_errors", "log_volume", *queries}


def test_without_a_go_live_there_is_no_window(old: Deployment) -> None:
    """The target file must say when the release went live."""
    seen = observed(old, go_live='version = "1"')
    assert seen.reason == "no_config" and "release.go_live_at" in seen.detail


def test_the_number_of_requests_is_bounded(old: Deployment) -> None:
    """A look costs some fifty queries, whatever has passed."""
    at = datetime.fromisoformat(old.world.release.deployed_at) + timedelta(hours=29)
    observed(old, at)
    run = Run(load(old.world.dir / "target.toml"), as_of=at)
    run.gather(["window"], registry())
    counts = [entry["count"] for entry in run.seen.requests if entry["endpoint"] == "prometheus"]
    assert 20 < sum(counts) < 60


def test_the_longest_gap() -> None:
    """Of several gaps the longest counts, and one at the end as well."""
    assert _longest_gap([1.0, 0.0, 1.0, 0.4, 0.0, 1.0], 300) == (600.0, 900.0)
    assert _longest_gap([1.0, 1.0, 0.0], 300) == (300.0, 600.0)
    assert _longest_gap([1.0], 300) == (0.0, 0.0)
