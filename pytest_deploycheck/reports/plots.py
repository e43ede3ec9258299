"""Plots with the words and numbers that say the same.

No plot marks anything by colour alone, and each says in words what its limit is and which side of it is
good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from pytest_deploycheck.reports import svg, words
from pytest_deploycheck.reports.plot_limits import Limit, finite, limit_of, quantity, unit_of
from pytest_deploycheck.reports.plot_timeline import timeline
from pytest_deploycheck.reports.svg import WIDTH
from pytest_deploycheck.reports.text import one_line

_MOST_POINTS = 160
_MOST_ROWS = 24
_NOTHING = Markup("")


@dataclass(frozen=True)
class Figure:
    """A drawn plot: `summary` and the table (`columns`, `rows`) are its text equivalent.

    A plot of bars is its own table: `bars` holds one drawing for each row, and `svg` is empty.
    """

    title: str
    summary: str
    svg: Markup = _NOTHING
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    bars: tuple[Markup, ...] = ()


def figure(facts: Mapping[str, Any]) -> Figure | None:
    """Draw a plot found in facts, or return None if this is none or its numbers cannot be drawn."""
    drawers: dict[str, Callable[[Mapping[str, Any]], Figure]] = {
        "histogram": _histogram,
        "bars": _bars,
        "series": _series,
        "span": _span,
        "timeline": _timeline,
    }
    draw = drawers.get(str(facts.get("plot")))
    if draw is None:
        return None
    try:
        return draw(facts)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError, ZeroDivisionError):
        return None


def _bars(facts: Mapping[str, Any]) -> Figure:
    unit, limit = unit_of(facts), limit_of(facts)
    bars = [(one_line(str(name), 120), finite(value)) for name, value in facts["bars"]]
    highest = max(value for _, value in bars)
    top = max(highest, limit.value if limit else 0, 0) * 1.02 or 1.0
    summary = f"{words.plural(len(bars), 'value')}, {_extreme(bars, unit, limit)}."
    mark = None
    if limit is not None:
        summary += limit.summary(sum(limit.bad(value) for _, value in bars), len(bars))
        mark = max(limit.value, 0) / top
    shown = bars[:_MOST_ROWS]
    return Figure(
        one_line(str(facts["title"])),
        summary,
        rows=tuple((name, limit.judged(value) if limit else quantity(value, unit)) for name, value in shown),
        bars=tuple(svg.bar(max(value, 0) / top, mark) for _, value in shown),
    )


def _extreme(bars: Sequence[tuple[str, float]], unit: str, limit: Limit | None) -> str:
    """Return the value that is nearest to the wrong side, or beyond it, in words."""
    values = [value for _, value in bars]
    if limit is not None and limit.above:
        return f"lowest {quantity(min(values), unit)}"
    return f"highest {quantity(max(values), unit)}"


def _histogram(facts: Mapping[str, Any]) -> Figure:
    unit, limit = unit_of(facts), limit_of(facts)
    buckets = [(finite(edge), int(finite(count))) for edge, count in facts["buckets"]]
    total = sum(count for _, count in buckets)
    top = max(count for _, count in buckets) or 1
    step, base = WIDTH / len(buckets), 122
    heights = [(base - 18) * count / top for _, count in buckets]
    parts = [
        svg.text(0, 10, f"{top} in the fullest"),
        svg.line(0, base, WIDTH, base),
        svg.boxes((n * step + 1, base - height, step - 2, height) for n, height in enumerate(heights)),
    ]
    every = math.ceil(len(buckets) / 9)
    for place, (edge, _) in enumerate(buckets):
        if place % every == every - 1 or len(buckets) <= 9:
            parts.append(svg.text((place + 1) * step, base + 13, words.number(edge), "end"))
    summary = f"{words.plural(total, 'value')}"
    for share in (0.5, 0.95, 0.99):
        if total and (reached := _quantile(buckets, total, share)) is not None:
            summary += f", {share * 100:.0f} % at or below {quantity(reached, unit)}"
    summary += "."
    if limit is not None:
        if limit.above:
            bad = sum(count for edge, count in buckets if edge <= limit.value)
        else:
            bad = sum(count for (low, _), (_, count) in pairwise(buckets) if low >= limit.value)
        summary += limit.summary(bad)
        x = step * _ordinal(buckets, limit.value)
        left = x > WIDTH / 2
        label = svg.text(x - 4 if left else x + 4, 24, limit.label, "end" if left else "")
        parts += [svg.line(x, 14, x, base, "pl"), label]
    axis = f"upper edge of each bucket{_in(unit)}"
    parts.append(svg.text(0, base + 28, axis, kind="pm"))
    rows = tuple((f"at most {quantity(edge, unit)}", str(count)) for edge, count in buckets)
    title = one_line(str(facts["title"]))
    return Figure(title, summary, svg.drawing(base + 33, parts), ("", "count"), rows[:_MOST_ROWS])


def _quantile(buckets: Sequence[tuple[float, int]], total: int, share: float) -> float | None:
    running = 0
    for edge, count in buckets:
        running += count
        if running >= share * total:
            return edge
    return None


def _ordinal(buckets: Sequence[tuple[float, int]], value: float) -> float:
    """Return where a value lies between the buckets' edges, counted in buckets."""
    low = 0.0
    for place, (edge, _) in enumerate(buckets):
        if value <= edge:
            return place + (value - low) / (edge - low) if edge > low else place
        low = edge
    return float(len(buckets))


def _series(facts: Mapping[str, Any]) -> Figure:
    unit, limit = unit_of(facts), limit_of(facts)
    points = [(finite(at), finite(value)) for at, value in facts["points"]]
    values = sorted(value for _, value in points)
    first, last = points[0][0], points[-1][0]
    line = limit.value if limit else 0
    low, high = min(values[0], line, 0), max(values[-1], line, 0)
    high += 0 if high > low else 1
    high += (high - low) * 0.05
    base, width = 122.0, (last - first) or 1.0

    def level(value: float) -> float:
        return base - (base - 16) * (value - low) / (high - low)

    parts = [
        svg.line(0, base, WIDTH, base),
        svg.curve((WIDTH * (at - first) / width, level(value)) for at, value in _thinned(points)),
        svg.text(0, 10, quantity(values[-1], unit) + " highest"),
    ]
    summary = (
        f"{words.plural(len(points), 'value')} over {words.duration(last - first)}: lowest "
        f"{quantity(values[0], unit)}, median {quantity(values[len(values) // 2], unit)}, highest "
        f"{quantity(values[-1], unit)}, last {quantity(points[-1][1], unit)}."
    )
    if limit is not None:
        summary += limit.summary(sum(map(limit.bad, values)), len(values))
        y = level(limit.value)
        parts += [svg.line(0, y, WIDTH, y, "pl"), svg.text(WIDTH, y - 3, limit.label, "end")]
    start = words.moment(facts["start"]) if facts.get("start") else "start"
    parts += [
        svg.text(0, base + 14, start, kind="pm"),
        svg.text(WIDTH, base + 14, f"+ {words.duration(last - first)}", "end", "pm"),
    ]
    return Figure(one_line(str(facts["title"])), summary, svg.drawing(base + 20, parts))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points few enough to draw, keeping the extremes of each stretch."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    length = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), length):
        stretch = points[start : start + length]
        extremes = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(extremes)
    return kept


def _span(facts: Mapping[str, Any]) -> Figure:
    start, end, mark = (datetime.fromisoformat(str(facts[name])) for name in ("start", "end", "mark"))
    length = (end - start).total_seconds()
    passed = (mark - start).total_seconds() / length
    x = WIDTH * min(max(passed, 0.0), 1.0)
    if passed > 1:
        summary = f"Ended {words.duration((mark - end).total_seconds())} ago."
    elif passed < 0:
        summary = f"Starts in {words.duration((start - mark).total_seconds())}."
    else:
        left = words.duration((end - mark).total_seconds())
        summary = f"{left} of {words.duration(length)} left ({(1 - passed) * 100:.0f} %)."
    parts = [
        svg.boxes([(0, 16, WIDTH, 9)], "pt0", "#d8dde3"),
        svg.boxes([(0, 16, x, 9)]),
        svg.line(x, 11, x, 30, "px"),
        svg.text(min(max(x, 14), WIDTH - 14), 9, "now", "middle"),
        svg.text(0, 41, words.moment(facts["start"])[:10], kind="pm"),
        svg.text(WIDTH, 41, words.moment(facts["end"])[:10], "end", "pm"),
    ]
    summary += f" From {words.moment(facts['start'])} to {words.moment(facts['end'])}."
    if facts.get("limit"):
        due = datetime.fromisoformat(str(facts["limit"]))
        share = min(max((due - start).total_seconds() / length, 0.0), 1.0)
        parts.append(svg.line(WIDTH * share, 13, WIDTH * share, 28, "pl"))
        late = f"{words.duration((mark - due).total_seconds())} too late" if mark > due else "in time"
        summary += f" Limit: before {words.moment(facts['limit'])}; {late}."
    return Figure(one_line(str(facts["title"])), summary, svg.drawing(46, parts))


def _timeline(facts: Mapping[str, Any]) -> Figure:
    title, summary, drawn, rows = timeline(facts)
    return Figure(title, summary, drawn, ("", "begins after", "takes"), rows)


def _in(unit: str) -> str:
    return f", {unit}" if unit and unit != "ratio" else ""
