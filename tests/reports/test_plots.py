"""Plots: what they draw and what their words say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.plots import Bars, Histogram, Series, Span, Timeline
from pytest_deploycheck.record import jsonable
from pytest_deploycheck.reports.plots import Figure, figure
from pytest_deploycheck.reports.svg import WIDTH, number

from .pages import parsed

NUMBERS = st.floats(-1e12, 1e12)


def drawn(plot: Any) -> Figure:
    """Draw a plot that can be drawn."""
    made = figure(jsonable(plot))
    assert made is not None
    return made


def test_bars_name_each_value_and_count_those_above_the_limit() -> None:
    """The longest bar is drawn to scale, each bar has its label and value, the limit is counted."""
    made = drawn(Bars("Latency", "s", (("GET /a", 0.5), ("GET /b", 2.0)), limit=1.0))
    assert made.summary == "2 values, highest 2 s. Limit: at most 1 s; 1 of 2 above it."
    assert made.rows == (("GET /a", "500 ms"), ("GET /b", "2 s, too high"))
    lengths = [float(re.findall(r'class="pb"[^>]* d="M0 0h([\d.]+)', bar)[0]) for bar in made.bars]
    assert lengths[1] == pytest.approx(4 * lengths[0], abs=0.3)
    marks = [float(mark) for bar in made.bars for mark in re.findall(r'class="pl"[^>]* d="M([\d.]+) ', bar)]
    assert marks == pytest.approx([lengths[1] / 2] * 2, abs=0.1)


def test_a_histogram_says_quantiles_and_what_is_above_the_limit() -> None:
    """Quantiles are upper edges of buckets; only buckets wholly above the limit count as above it."""
    made = drawn(Histogram("T", "s", ((0.1, 50), (0.5, 45), (1.0, 4), (2.0, 1)), limit=1.0))
    assert made.summary == (
        "100 values, 50 % at or below 100 ms, 95 % at or below 500 ms, 99 % at or below 1 s. "
        "Limit: at most 1 s; 1 above it."
    )
    assert made.rows[0] == ("at most 100 ms", "50")


def test_a_limit_from_below_says_so() -> None:
    """Where values must be above the line, those below it are counted, named and called too low."""
    left = drawn(Bars("Left", "d", (("a", 12.0), ("b", 40.0)), limit=30.0, good="above"))
    assert left.summary == "2 values, lowest 12 d. Limit: at least 30 d; 1 of 2 below it."
    assert left.rows == (("a", "12 d, too low"), ("b", "40 d"))
    rate = drawn(Series("Rate", "requests/s", ((0.0, 9.0), (1.0, 11.0)), limit=10.0, good="above"))
    assert rate.summary.endswith("Limit: at least 10 requests/s; 1 of 2 below it.")
    assert ">at least 10 requests/s<" in rate.svg
    spread = drawn(Histogram("T", "s", ((0.1, 5), (0.5, 7), (1.0, 4)), limit=0.5, good="above"))
    assert spread.summary.endswith("Limit: at least 500 ms; 12 below it.")
    assert ">at least 500 ms<" in spread.svg


@pytest.mark.parametrize(
    ("due", "said"),
    [("2026-12-10T00:00:00Z", "in time."), ("2026-10-10T00:00:00Z", "24 h too late.")],
)
def test_a_span_with_a_limit_says_whether_it_is_kept(due: str, said: str) -> None:
    """The moment before which something is due stands in words, and in the drawing as a dashed line."""
    made = drawn(Span("C", "2026-10-01T00:00:00Z", "2027-01-09T00:00:00Z", "2026-10-11T00:00:00Z", limit=due))
    assert made.summary.endswith(f" Limit: before {due[:10]} 00:00:00 UTC; {said}")
    assert made.svg.count('class="pl"') == 1


def test_an_empty_histogram_says_that_it_is_empty() -> None:
    """No values means no quantiles, not quantiles of zero."""
    assert drawn(Histogram("T", "s", ((0.1, 0), (0.5, 0)))).summary == "0 values."


def test_a_series_says_its_range_and_how_much_of_it_is_above_the_limit() -> None:
    """Lowest, median, highest, last and the count above the limit are said in words."""
    made = drawn(
        Series("Age", "h", ((0.0, 1.0), (60.0, 3.0), (120.0, 2.0)), "2026-11-24T04:00:00Z", limit=2.5)
    )
    assert made.summary == (
        "3 values over 2 min: lowest 1 h, median 2 h, highest 3 h, last 2 h. Limit: at most 2.5 h; 1 of 3 above it."
    )
    assert "2026-11-24 04:00:00 UTC" in made.svg


def test_a_long_series_is_thinned_but_keeps_its_peaks() -> None:
    """Ten thousand points draw a few hundred, the highest among them."""
    points = tuple((float(n), 1000.0 if n == 6543 else 1.0) for n in range(10_000))
    made = drawn(Series("S", "", points))
    line = re.search(r'points="([^"]+)"', made.svg)
    assert line is not None
    heights = [float(point.split(",")[1]) for point in line[1].split()]
    assert len(heights) <= 200
    assert min(heights) < 30
    assert len(made.svg) < 4000


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("2026-10-11T00:00:00Z", "90 d of 100 d left (90 %)."),
        ("2027-01-11T00:00:00Z", "Ended 2 d ago."),
        ("2026-09-29T00:00:00Z", "Starts in 2 d."),
    ],
)
def test_a_span_says_what_is_left(mark: str, said: str) -> None:
    """Before, within and after the span each have their words."""
    made = drawn(Span("Cert", "2026-10-01T00:00:00Z", "2027-01-09T00:00:00Z", mark))
    assert made.summary == f"{said} From 2026-10-01 00:00:00 UTC to 2027-01-09 00:00:00 UTC."


@pytest.mark.parametrize(
    "facts",
    [
        {"plot": "pie", "title": "t"},
        {"plot": "bars", "title": "t", "unit": "s", "bars": []},
        {"plot": "bars", "title": "t", "unit": "s", "bars": [["a", "NaN"]]},
        {"plot": "bars", "title": "t", "unit": "s", "bars": [["a", True]]},
        {"plot": "histogram", "title": "t", "unit": "s", "buckets": [["Infinity", 3]]},
        {"plot": "series", "title": "t", "unit": "s", "points": [[1]]},
        {"plot": "series", "title": "t", "unit": "s", "points": "no"},
        {"plot": "span", "title": "t", "start": "x", "end": "y", "mark": "z"},
        {"plot": "span", "title": "t", "start": "2026-01-01", "end": "2026-01-01", "mark": "2026-01-01"},
        {"plot": "bars", "title": "t", "unit": "s", "bars": [["a", 1]], "limit": "high"},
        {"plot": ["bars"]},
        {
            "plot": "span",
            "title": "t",
            "start": "2026-01-01",
            "end": "2026-01-02",
            "mark": "2026-01-01",
            "limit": "x",
        },
    ],
)
def test_what_cannot_be_drawn_is_not(facts: dict[str, Any]) -> None:
    """Empty, infinite, misshapen plots are None, so that their numbers are shown as fields instead."""
    assert figure(facts) is None


@given(st.floats(-1e6, 1e6))
def test_coordinates_are_short_and_no_further_off_than_a_twentieth(value: float) -> None:
    """One decimal at most, none for whole numbers, no negative zero."""
    said = number(value)
    assert abs(float(said) - value) <= 0.0501
    assert said != "-0"
    assert re.fullmatch(r"-?\d+(\.[1-9])?", said)


@given(
    st.lists(st.tuples(st.text(max_size=60), NUMBERS), min_size=1, max_size=12),
    st.none() | NUMBERS,
    st.text(max_size=40),
)
def test_every_drawing_stays_in_its_frame(
    bars: list[tuple[str, float]], limit: float | None, unit: str
) -> None:
    """Bars, lines and labels of any numbers and names lie within the width, in well-formed markup."""
    for plot in (
        Bars("t", unit, tuple(bars), limit),
        Series("t", unit, tuple((float(n), value) for n, (_, value) in enumerate(bars)), "", limit),
    ):
        made = drawn(plot)
        for svg in map(str, [*made.bars, made.svg]):
            parsed(f"<!DOCTYPE html><title>t</title><body>{svg}")
            for x, width in re.findall(r"M(-?[\d.]+) -?[\d.]+h(-?[\d.]+)v", svg):
                assert 0 <= float(x) <= float(x) + float(width) <= WIDTH + 0.2
            for ends in re.findall(r"M(-?[\d.]+) -?[\d.]+L(-?[\d.]+) ", svg):
                assert all(-0.1 <= float(x) <= WIDTH + 0.1 for x in ends)


def test_a_timeline_draws_stretches_to_scale_and_says_whether_the_limit_held() -> None:
    """Each stretch begins where it does and is as long as it is; the table has both, the words the limit."""
    rows = (("first", 0.0, 10.0), ("second", 10.0, 40.0))
    made = drawn(Timeline("D", "2026-11-24T10:00:00Z", rows, limit=30.0, limited="second"))
    assert made.rows == (("first", "0 s", "10 s"), ("second", "10 s", "30 s"))
    found = re.findall(r'class="pb"[^>]* d="M([\d.]+) [\d.]+h([\d.]+)', str(made.svg))
    (x1, w1), (x2, w2) = ((float(x), float(w)) for x, w in found)
    assert w2 == pytest.approx(3 * w1, abs=0.3)
    assert x2 == pytest.approx(x1 + w1, abs=0.3)
    assert x2 + w2 <= WIDTH + 0.1
    assert "too late" in made.summary
    assert 'class="pl"' in made.svg
    good = drawn(Timeline("D", "2026-11-24T10:00:00Z", rows, limit=1800.0, limited="second"))
    assert "in time" in good.summary
    assert 'class="pl"' not in good.svg, "a limit far beyond the drill would leave it a dot"


def test_a_timeline_that_runs_backwards_is_not_drawn() -> None:
    """Stretches that end before they begin, and none at all, are no plot."""
    assert figure(jsonable(Timeline("D", "2026-11-24T10:00:00Z", (("a", 5.0, 1.0),)))) is None
    assert figure(jsonable(Timeline("D", "2026-11-24T10:00:00Z", ()))) is None
