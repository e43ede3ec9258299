"""The slo probe: the indicators of performance now, at their worst of late, and before the release."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.plots import Series
from pytest_deploycheck.probes.promql import Line, PromQL, QueryRefused, client
from pytest_deploycheck.probes.slo_rows import RESPONSE_TIME, TRAFFIC, Row, rows

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

POINTS = 120
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
UPPER = ("<=", "<")
"""Of these a greater value is a worse one."""


@dataclass(frozen=True)
class Indicator:
    """One indicator.

    op, limit: what its value must be.  now, worst: its value at present and at its worst in the window; None without
    a sample.  series: how many series the query gives, which must be one.  span_s: from its first sample in the window
    to its last.  refused: what Prometheus says of a query that it does not take.
    """

    name: str
    expression: str
    op: str
    limit: float
    now: float | None
    worst: float | None
    series: int
    span_s: float
    refused: str


@dataclass(frozen=True)
class SloFacts:
    """All indicators over `window_s`.

    traffic: the name of the indicator without which the others say nothing.  before_s: the response time in a window
    of the same length before the release, None where there is no history; now_s: its mean since.  left_out: indicators
    that do not apply, and why.
    """

    window_s: float
    indicators: tuple[Indicator, ...]
    traffic: str
    before_s: float | None
    now_s: float | None
    left_out: tuple[tuple[str, str], ...]
    response_time: Series | None

    def of(self, name: str) -> Indicator | None:
        """Return an indicator by its name."""
        return next((one for one in self.indicators if one.name == name), None)


@probe(facts=SloFacts, deadline=40, needs=("prom_gate",), uses={"prometheus": "GET"})
def slo(target: Target, connect: Connections) -> SloFacts:
    """Evaluate each indicator now and over the window, and the response time before the release."""
    limits, prom = target.limits, client(target, connect)
    now = prom.now()
    released = target.release.deployed_at
    start = max(now - limits.slo_window_s, released.timestamp() if released else 0.0)
    step = max((now - start) / POINTS, 1.0)
    table = rows(target, limits)
    settled = released.timestamp() + limits.slo_settle_s if released else 0.0
    looked = [(row, *_look(prom, row, start, now, step, settled)) for row in table]
    line = next((found for row, found, _ in looked if row.name == RESPONSE_TIME), None)
    before = None
    row = next((row for row in table if row.name == RESPONSE_TIME), None)
    if row is not None and released is not None:
        before = _mean(
            _range(prom, row, released.timestamp() - limits.slo_window_s, released.timestamp(), step)
        )
    return SloFacts(
        window_s=limits.slo_window_s,
        indicators=tuple(indicator for _, _, indicator in looked),
        traffic=TRAFFIC,
        before_s=before,
        now_s=_mean(line),
        left_out=tuple(sorted(target.slo.leave_out.items())),
        response_time=_plot(line, start, limits.slo_p95_s),
    )


def _look(
    prom: PromQL, row: Row, start: float, now: float, step: float, settled: float
) -> tuple[Line | None, Indicator]:
    try:
        at_once = prom.instant(row.expression, now)
        lines = prom.range(row.expression, start, now, step)
    except QueryRefused as error:
        return None, Indicator(row.name, row.expression, row.op, row.limit, None, None, 0, 0.0, error.message)
    one = lines[0] if len(lines) == 1 else None
    values = _settled(row, one, settled) if one else []
    return one, Indicator(
        name=row.name,
        expression=row.expression,
        op=row.op,
        limit=row.limit,
        now=_short(at_once[0].value) if len(at_once) == 1 else None,
        worst=_short((max if row.op in UPPER else min)(values)) if values else None,
        series=max(len(at_once), len(lines)),
        span_s=round(one.points[-1][0] - one.points[0][0], 1) if one else 0.0,
        refused="",
    )


def _settled(row: Row, line: Line, settled: float) -> list[float]:
    """Return the values that count: what is beyond the limit at first, right after the release, is its start."""
    begun = False
    found = []
    for at, value in line.points:
        begun = begun or at > settled or COMPARE[row.op](value, row.limit)
        if begun:
            found.append(value)
    return found


def _range(prom: PromQL, row: Row, start: float, end: float, step: float) -> Line | None:
    try:
        lines = prom.range(row.expression, start, end, step)
    except QueryRefused:
        return None
    return lines[0] if len(lines) == 1 else None


def _mean(line: Line | None) -> float | None:
    return _short(sum(value for _, value in line.points) / len(line.points)) if line else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _plot(line: Line | None, start: float, limit: float) -> Series | None:
    if line is None:
        return None
    points = tuple((round(at - start, 1), _short(value)) for at, value in line.points)
    return Series("Response time before go-live, 95th percentile", "s", points, "", limit)
