"""The shapes that plots are drawn with.

Geometry stands in presentation attributes and colours have defaults there, so that a plot can be read
where style sheets are refused. A drawing is no text: the words beside it say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from pytest_deploycheck.reports.text import visible

WIDTH = 360
BAR = 9

Box = tuple[float, float, float, float]


def number(value: float) -> str:
    """Return a coordinate with one decimal at most: a page holds thousands."""
    return f"{value:.1f}".removesuffix(".0").replace("-0", "0", int(abs(value) < 0.05))


def text(x: float, y: float, words: str, anchor: str = "", kind: str = "") -> Markup:
    """Return words at a place; anchor: start (if empty), middle or end."""
    return Markup('<text x="{}" y="{}"{}{}>{}</text>').format(
        number(x), number(y), _attribute("text-anchor", anchor), _attribute("class", kind), visible(words)
    )


def boxes(found: Iterable[Box], kind: str = "pb", fill: str = "#3f6fa8") -> Markup:
    """Return filled boxes, each (x, y, width, height), as one path."""
    drawn = "".join(
        f"M{number(x)} {number(y)}h{number(max(width, 0))}v{number(max(height, 0))}H{number(x)}z"
        for x, y, width, height in found
    )
    return Markup('<path class="{}" fill="{}" d="{}"/>').format(kind, fill, drawn)


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "pa") -> Markup:
    """Return a straight line; the kind `pl`, a limit, is dashed."""
    dash = Markup(' stroke-dasharray="5 3" stroke-width="1.5"') if kind == "pl" else Markup("")
    return Markup('<path class="{}" stroke="currentColor"{} d="M{} {}L{} {}"/>').format(
        kind, dash, *map(number, (x1, y1, x2, y2))
    )


def curve(points: Iterable[tuple[float, float]]) -> Markup:
    """Return a line through points."""
    drawn = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return Markup(
        '<polyline class="ps" fill="none" stroke="#3f6fa8" stroke-width="1.5" points="{}"/>'
    ).format(drawn)


def drawing(height: float, parts: Sequence[Markup]) -> Markup:
    """Return a drawing of the plots' width."""
    return Markup(
        '<svg class="plot" viewBox="0 0 {} {:.0f}" font-size="11" aria-hidden="true">{}</svg>'
    ).format(WIDTH, height, Markup("").join(parts))


def bar(length: float, limit: float | None) -> Markup:
    """Return one bar of a table; its length and its limit's place are shares of the width."""
    mark = line(WIDTH * limit, -2, WIDTH * limit, BAR + 2, "pl") if limit is not None else Markup("")
    return Markup(
        '<svg class="plot" width="180" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"'
        ' aria-hidden="true">{}{}</svg>'
    ).format(BAR, WIDTH, BAR, boxes([(0, 0, WIDTH * length, BAR)]), mark)


def _attribute(name: str, value: str) -> Markup:
    return Markup(' {}="{}"').format(name, value) if value else Markup("")
