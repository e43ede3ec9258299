"""A timeline: stretches of time one under the other, and in a table when each began and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pytest_deploycheck.reports import svg, words
from pytest_deploycheck.reports.plot_limits import finite, quantity
from pytest_deploycheck.reports.svg import WIDTH
from pytest_deploycheck.reports.text import one_line

_LABELS = 128
"""Width of the labels before the stretches."""
_ROW, _BOX = 15, 9
_MOST = 24


def timeline(facts: Mapping[str, Any]) -> tuple[str, str, Markup, tuple[tuple[str, str, str], ...]]:
    """Return title, summary, drawing and the rows of the table."""
    rows = [(one_line(str(name), 60), finite(begin), finite(end)) for name, begin, end in facts["rows"]][
        :_MOST
    ]
    if not rows or any(end < begin for _, begin, end in rows):
        raise ValueError("a timeline has rows that end after they begin")
    length = max(end for _, _, end in rows) or 1.0
    limit = None if facts.get("limit") is None else finite(facts["limit"])
    shown = limit is not None and limit <= 2 * length
    scale = (WIDTH - _LABELS) / max(length, limit if shown and limit is not None else 0)
    parts = []
    for place, (name, begin, end) in enumerate(rows):
        y = place * _ROW
        parts += [
            svg.text(0, y + _BOX, name[:22]),
            svg.boxes(
                [(min(_LABELS + begin * scale, WIDTH - 1), y + 1, max((end - begin) * scale, 1.0), _BOX)]
            ),
        ]
    bottom = len(rows) * _ROW
    if shown and limit is not None:
        parts.append(svg.line(_LABELS + limit * scale, 0, _LABELS + limit * scale, bottom, "pl"))
    parts += [
        svg.line(_LABELS, bottom, WIDTH, bottom),
        svg.text(_LABELS, bottom + 13, words.moment(facts["start"]), kind="pm"),
        svg.text(WIDTH, bottom + 13, f"+ {words.duration(length)}", "end", "pm"),
    ]
    longest = max(rows, key=lambda one: one[2] - one[1])
    took = quantity(longest[2] - longest[1], "s")
    summary = f"{words.plural(len(rows), 'stretch', 'stretches')} over {words.duration(length)}; longest: {longest[0]}, {took}."
    if limit is not None:
        name = one_line(str(facts.get("limited") or "all of it"), 60)
        end = max((end for label, _, end in rows if label == name), default=length)
        summary += f" Limit: {name} ends after at most {quantity(limit, 's')}; {'too late' if end > limit else 'in time'}."
    table = tuple((name, quantity(begin, "s"), quantity(end - begin, "s")) for name, begin, end in rows)
    return one_line(str(facts["title"])), summary, svg.drawing(bottom + 18, parts), table
