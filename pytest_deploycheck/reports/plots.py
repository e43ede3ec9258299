"""Plots as inline SVG, each with the words and numbers that say the same.

Geometry stands in presentation attributes and colours have defaults there, so that a plot can be read
where style sheets are refused. No plot marks anything by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.text import one_line, visible

WIDTH = 360
_MOST_POINTS = 160
_MOST_ROWS = 24


@dataclass(frozen=True)
class Figure:
    """A drawn plot: `summary` and the table (`columns`, `rows`) are its text equivalent."""

    title: str
    summary: str
    svg: Markup
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def figure(facts: Mapping[str, Any]) -> Figure | None:
    """Draw a plot found in facts, or return None if this is none or its numbers cannot be drawn."""
    draw = {"histogram": _histogram, "bars": _bars, "series": _series, "span": _span}.get(
        str(facts.get("plot"))
    )
    if draw is None:
        return None
    try:
        return draw(facts)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError, ZeroDivisionError):
        return None


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _limit(facts: Mapping[str, Any]) -> float | None:
    return None if facts.get("limit") is None else _finite(facts["limit"])


def _quantity(value: float, unit: str) -> str:
    return words.quantity(value, {"ratio": "", "seconds": "s"}.get(unit, unit))


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "pt") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}" font-size="11">{}</text>').format(
        kind, x, y, anchor, visible(text)
    )


def _rect(x: float, y: float, width: float, height: float, kind: str = "pb", fill: str = "#3f6fa8") -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
        kind, x, y, max(width, 0), max(height, 0), fill
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "pa") -> Markup:
    dash = Markup(' stroke-dasharray="5 3" stroke-width="1.5"') if kind == "pl" else Markup("")
    return Markup(
        '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="currentColor"{}/>'
    ).format(kind, x1, y1, x2, y2, dash)


def _svg(height: float, title: str, summary: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="plot" role="img" viewBox="0 0 {} {:.0f}" aria-label="{}">{}</svg>').format(
        WIDTH, height, visible(f"{title}. {summary}"), Markup("").join(parts)
    )


def _bars(facts: Mapping[str, Any]) -> Figure:
    unit, limit = _unit(facts), _limit(facts)
    bars = [(one_line(str(name)), _finite(value)) for name, value in facts["bars"]]
    shown = bars[:_MOST_ROWS]
    top = max([value for _, value in bars] + [limit or 0, 0]) * 1.08 or 1.0
    parts = []
    for place, (name, value) in enumerate(shown):
        y = 30 * place
        parts += [
            _text(0, y + 11, one_line(name, 48 - len(_quantity(value, unit)))),
            _text(WIDTH, y + 11, _quantity(value, unit), "end"),
            _rect(0, y + 16, WIDTH, 7, "pt0", "#d8dde3"),
            _rect(0, y + 16, WIDTH * max(value, 0) / top, 7),
        ]
    height = 30 * len(shown)
    summary = f"{words.plural(len(bars), 'value')}, highest {_quantity(max(v for _, v in bars), unit)}."
    if limit is not None:
        above = sum(value > limit for _, value in bars)
        summary += f" Limit {_quantity(limit, unit)}: {above} of {len(bars)} above it."
        x = WIDTH * max(limit, 0) / top
        parts += [_line(x, 30 * place + 13, x, 30 * place + 26, "pl") for place in range(len(shown))]
        parts.append(_text(min(x, WIDTH - 4), height + 8, "limit", "end"))
        height += 12
    title = one_line(str(facts["title"]))
    rows = tuple((name, _quantity(value, unit)) for name, value in shown)
    return Figure(title, summary, _svg(height, title, summary, parts), ("", "value"), rows)


def _histogram(facts: Mapping[str, Any]) -> Figure:
    unit, limit = _unit(facts), _limit(facts)
    buckets = [(_finite(edge), int(_finite(count))) for edge, count in facts["buckets"]]
    total = sum(count for _, count in buckets)
    top = max(count for _, count in buckets) or 1
    step, base = WIDTH / len(buckets), 122
    every = math.ceil(len(buckets) / 9)
    parts = [_text(0, 10, f"{top} in the fullest"), _line(0, base, WIDTH, base)]
    for place, (edge, count) in enumerate(buckets):
        height = (base - 18) * count / top
        parts.append(_rect(place * step + 1, base - height, step - 2, height))
        if place % every == every - 1 or len(buckets) <= 9:
            parts.append(_text((place + 1) * step, base + 13, words.number(edge), "end"))
    summary = f"{words.plural(total, 'value')}"
    for share in (0.5, 0.95, 0.99):
        if total and (reached := _quantile(buckets, total, share)) is not None:
            summary += f", {share * 100:.0f} % at or below {_quantity(reached, unit)}"
    summary += "."
    if limit is not None:
        above = sum(count for (low, _), (_, count) in pairwise(buckets) if low >= limit)
        summary += f" Limit {_quantity(limit, unit)}: {above} above it."
        x = step * _ordinal(buckets, limit)
        parts += [_line(x, 14, x, base, "pl"), _text(min(x, WIDTH) - 4, 24, "limit", "end")]
    title = one_line(str(facts["title"]))
    rows = tuple((f"at most {_quantity(edge, unit)}", str(count)) for edge, count in buckets)
    axis = f"upper edge of each bucket{_in(unit)}"
    parts.append(_text(0, base + 28, axis, kind="pt pm"))
    return Figure(title, summary, _svg(base + 33, title, summary, parts), ("", "count"), rows[:_MOST_ROWS])


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
    unit, limit = _unit(facts), _limit(facts)
    points = [(_finite(at), _finite(value)) for at, value in facts["points"]]
    values = sorted(value for _, value in points)
    first, last = points[0][0], points[-1][0]
    low, high = min(values[0], limit or 0, 0), max(values[-1], limit or 0, 0)
    high += 0 if high > low else 1
    high += (high - low) * 0.05
    base, left = 122.0, 0.0
    width = (last - first) or 1.0

    def place(at: float, value: float) -> str:
        x, y = left + (WIDTH - left) * (at - first) / width, base - (base - 16) * (value - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    drawn = " ".join(place(at, value) for at, value in _thinned(points))
    parts = [
        _line(0, base, WIDTH, base),
        Markup('<polyline class="ps" fill="none" stroke="#3f6fa8" stroke-width="1.5" points="{}"/>').format(
            drawn
        ),
        _text(0, 10, _quantity(values[-1], unit) + " highest"),
    ]
    summary = (
        f"{words.plural(len(points), 'value')} over {words.duration(last - first)}: lowest "
        f"{_quantity(values[0], unit)}, median {_quantity(values[len(values) // 2], unit)}, highest "
        f"{_quantity(values[-1], unit)}, last {_quantity(points[-1][1], unit)}."
    )
    if limit is not None:
        above = sum(value > limit for value in values)
        summary += f" Limit {_quantity(limit, unit)}: {above} of {len(values)} above it."
        y = base - (base - 16) * (limit - low) / (high - low)
        parts += [_line(0, y, WIDTH, y, "pl"), _text(WIDTH, y - 3, "limit", "end")]
    start = words.moment(facts["start"]) if facts.get("start") else "start"
    parts += [
        _text(0, base + 14, start, kind="pt pm"),
        _text(WIDTH, base + 14, f"+ {words.duration(last - first)}", "end", "pt pm"),
    ]
    title = one_line(str(facts["title"]))
    return Figure(title, summary, _svg(base + 20, title, summary, parts))


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
        _rect(0, 16, WIDTH, 9, "pt0", "#d8dde3"),
        _rect(0, 16, x, 9),
        _line(x, 11, x, 30, "px"),
        _text(min(max(x, 14), WIDTH - 14), 9, "now", "middle"),
        _text(0, 41, words.moment(facts["start"])[:10], kind="pt pm"),
        _text(WIDTH, 41, words.moment(facts["end"])[:10], "end", "pt pm"),
    ]
    title = one_line(str(facts["title"]))
    summary += f" From {words.moment(facts['start'])} to {words.moment(facts['end'])}."
    return Figure(title, summary, _svg(46, title, summary, parts))


def _unit(facts: Mapping[str, Any]) -> str:
    return one_line(str(facts["unit"]), 16)


def _in(unit: str) -> str:
    return f", {unit}" if unit and unit != "ratio" else ""
