"""Plots as facts: a probe puts one of these into its facts, every report draws it in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["below", "above"]
"""Which side of a limit is good: below for a response time, above for a lifetime that must be left."""


@dataclass(frozen=True)
class Histogram:
    """A distribution: `buckets` are (upper edge, count) in ascending order, `limit` in the same unit."""

    title: str
    unit: str
    buckets: tuple[tuple[float, int], ...]
    limit: float | None = None
    plot: Literal["histogram"] = "histogram"
    good: Side = "below"


@dataclass(frozen=True)
class Bars:
    """One value for each label, with an optional limit that all share."""

    title: str
    unit: str
    bars: tuple[tuple[str, float], ...]
    limit: float | None = None
    plot: Literal["bars"] = "bars"
    good: Side = "below"


@dataclass(frozen=True)
class Series:
    """Values over time: `points` are (seconds since `start`, value); `limit` in the unit of the values."""

    title: str
    unit: str
    points: tuple[tuple[float, float], ...]
    start: str = ""
    limit: float | None = None
    plot: Literal["series"] = "series"
    good: Side = "below"


@dataclass(frozen=True)
class Span:
    """A stretch of time with a mark in it, e.g. a certificate's lifetime and now (ISO 8601 times).

    `limit` is the moment before which the mark must lie, e.g. when a renewal is due.
    """

    title: str
    start: str
    end: str
    mark: str
    plot: Literal["span"] = "span"
    limit: str = ""


@dataclass(frozen=True)
class Timeline:
    """Stretches of time one under the other, e.g. the steps of a rehearsal and what users saw meanwhile.

    `rows` are (label, first second, last second) from `start` (ISO 8601); `limit` is the second by which the last
    of those named in `limited` must end.
    """

    title: str
    start: str
    rows: tuple[tuple[str, float, float], ...]
    limit: float | None = None
    limited: str = ""
    plot: Literal["timeline"] = "timeline"
    unit: str = "s"
