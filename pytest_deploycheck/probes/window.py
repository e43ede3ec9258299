"""The window probe: the first day and the first week after the go-live, as Prometheus has them.

Nothing is kept between runs: each asks for all of the window that has passed, so that a run that was killed is
made good by the next. What Prometheus did not see is shown as such: a gap is no good time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.plots import Series
from pytest_deploycheck.probes.promql import PromQL, QueryRefused, client, duration, quoted
from pytest_deploycheck.probes.window_peaks import Peak, peaks
from pytest_deploycheck.probes.window_queries import BEFORE, DAY, WEEK, query
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DAY_S, DAY_STEP_S = 86_400.0, 300.0
WEEK_S, WEEK_STEP_S = 7 * 86_400.0, 3600.0


@dataclass(frozen=True)
class Sli:
    """One number over a window: `points` are (seconds since its start, value at the end of a step).

    Steps without a value have no point.  expression: PromQL.
    """

    name: str
    expression: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class JobCoverage:
    """How much of a job Prometheus has seen: `share` of the samples that were due.

    per_step: samples of one target in an ordinary step, 0 when there was none.  targets: how many there must
    be.  longest_gap_s, gap_at: the longest stretch of steps in which half of the samples or more are missing,
    and when it began (ISO 8601).
    """

    job: str
    targets: int
    per_step: float
    share: float
    longest_gap_s: float
    gap_at: str


@dataclass(frozen=True)
class Window:
    """A stretch of time from `start` to `until`, in whole steps; it closes at `closes` (ISO 8601).

    first_sample_s: from its start to the first step in which any job has a sample, None where none has.
    """

    start: str
    until: str
    closes: str
    step_s: float
    steps: int
    slis: tuple[Sli, ...]
    coverage: tuple[JobCoverage, ...]
    first_sample_s: float | None

    def points(self, name: str) -> tuple[tuple[float, float], ...]:
        """Return the points of a number by its name; none where it was not measured."""
        return next((one.points for one in self.slis if one.name == name), ())

    def expression(self, name: str) -> str:
        """Return the PromQL that a number was asked by."""
        return next((one.expression for one in self.slis if one.name == name), "")

    @property
    def error_ratio(self) -> tuple[tuple[float, float], ...]:
        """Errors per request, of steps with requests."""
        errors = dict(self.points("errors"))
        return tuple(
            (at, errors[at] / rate) for at, rate in self.points("requests") if rate > 0 and at in errors
        )

    @property
    def closed(self) -> bool:
        """Whether all of it has passed."""
        return self.until >= self.closes

    @property
    def span_s(self) -> float:
        """Seconds that have passed of it, in whole steps."""
        return self.steps * self.step_s


@dataclass(frozen=True)
class WindowFacts:
    """The first day and week from `go_live_at` on, and the week before; None while no step of one has passed.

    must_measure: kinds of peaks that there must be.  peaks: of the first day so far.  not_asked: numbers of the day that
    no query asks for, which nothing is said of.   response_time, error_ratio: the first day as plots.
    """

    go_live_at: str
    day: Window | None
    week: Window | None
    before: Window | None
    must_measure: tuple[str, ...]
    peaks: tuple[Peak, ...]
    response_time: Series | None
    error_ratio: Series | None
    not_asked: tuple[str, ...] = ()

    @property
    def go_live(self) -> datetime:
        """When the windows open."""
        return datetime.fromisoformat(self.go_live_at)


@probe(facts=WindowFacts, deadline=60, needs=("prom_gate",), uses={"prometheus": "GET"})
def window(target: Target, connect: Connections) -> WindowFacts:
    """Read the numbers of the first day, the first week and the week before from Prometheus."""
    go_live = target.release.go_live_at
    if go_live is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.go_live_at in {target.path.name}; add it")
    prom, limits = client(target, connect), target.limits
    start = float(round(go_live.timestamp()))
    now = min(connect.now().timestamp(), prom.now())
    day = _window(prom, target, DAY, start, start + DAY_S, now, DAY_STEP_S)
    week = _window(prom, target, WEEK, start, start + WEEK_S, now, WEEK_STEP_S)
    before = None
    if day is not None:
        before = _window(prom, target, BEFORE, start - WEEK_S, start, now, WEEK_STEP_S, covered=False)
    end = start + day.span_s if day is not None else start
    return WindowFacts(
        go_live_at=_iso(start),
        day=day,
        week=week,
        before=before,
        must_measure=tuple(target.watch.resources),
        peaks=peaks(prom, target, start, end) if day is not None else (),
        response_time=_plot(
            day, "p95", "Response time since go-live, 95th percentile", "s", limits.window_p95_s
        ),
        error_ratio=_plot(
            day,
            "error_ratio",
            "Server errors per request since go-live",
            "ratio",
            limits.window_error_ratio_max,
        ),
        not_asked=tuple(one.name for one in day.slis if not one.expression) if day is not None else (),
    )


def _window(
    prom: PromQL,
    target: Target,
    names: tuple[str, ...],
    start: float,
    closes: float,
    now: float,
    step: float,
    *,
    covered: bool = True,
) -> Window | None:
    steps = int((min(now, closes) - start) // step)
    if steps < 1:
        return None
    until = start + steps * step
    slis = []
    for name in names:
        expression = query(target, name, step)
        slis.append(Sli(name, expression, _measured(prom, expression, start, until, step)))
    coverage, first = _coverage(prom, target, start, until, step, steps) if covered else ((), None)
    return Window(
        start=_iso(start),
        until=_iso(until),
        closes=_iso(closes),
        step_s=step,
        steps=steps,
        slis=tuple(slis),
        coverage=coverage,
        first_sample_s=first,
    )


def _measured(
    prom: PromQL, expression: str, start: float, until: float, step: float
) -> tuple[tuple[float, float], ...]:
    """Return the values at the ends of steps; none where it cannot be asked or gives several series."""
    if not expression:
        return ()
    try:
        lines = prom.range(expression, start + step, until, step)
    except QueryRefused:
        return ()
    if len(lines) != 1:
        return ()
    return tuple((round(at - start, 3), float(f"{value:.6g}")) for at, value in lines[0].points)


def _coverage(
    prom: PromQL, target: Target, start: float, until: float, step: float, steps: int
) -> tuple[tuple[JobCoverage, ...], float | None]:
    """Count the samples of `up` in each step: its mean says nothing of samples that are missing."""
    section = target.prometheus
    assert section is not None  # else its gate were closed
    counted = (
        f"count_over_time(up{{job=~{quoted('|'.join(map(re.escape, section.jobs)))}}}[{duration(step)}])"
    )
    together = {
        line.label("job"): dict(line.points)
        for line in prom.range(f"sum by (job) ({counted})", start + step, until, step)
    }
    each = {
        line.label("job"): sorted(value for _, value in line.points)
        for line in prom.range(f"max by (job) ({counted})", start + step, until, step)
    }
    found = []
    for job, targets in sorted(section.jobs.items()):
        usual = each.get(job, [])
        per_step = usual[len(usual) // 2] if usual else 0.0
        seen = together.get(job, {})
        due = per_step * max(targets, 1)
        shares = [
            min(1.0, seen.get(start + n * step, 0.0) / due) if due else 0.0 for n in range(1, steps + 1)
        ]
        gap, begun = _longest_gap(shares, step)
        found.append(
            JobCoverage(
                job=job,
                targets=targets,
                per_step=per_step,
                share=round(sum(shares) / steps, 5),
                longest_gap_s=gap,
                gap_at=_iso(start + begun) if gap else "",
            )
        )
    first = min((at for points in together.values() for at in points), default=None)
    return tuple(found), None if first is None else first - start


def _longest_gap(shares: list[float], step: float) -> tuple[float, float]:
    longest, begun, length = 0.0, 0.0, 0.0
    for n, share in enumerate(shares):
        length = length + step if share <= 0.5 else 0.0
        if length > longest:
            longest, begun = length, (n + 1) * step - length
    return longest, begun


def _plot(day: Window | None, name: str, title: str, unit: str, limit: float | None) -> Series | None:
    points = day.points(name) if day is not None else ()
    if day is not None and name == "error_ratio":
        points = day.error_ratio
    return Series(title, unit, points, day.start if day else "", limit) if points else None


def _iso(moment: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(moment))).isoformat()
