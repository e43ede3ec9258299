"""The green probe: what monitoring itself measured over the last minutes, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.prometheus_targets import scraped
from pytest_deploycheck.probes.promql import PromQL, client, duration, quoted

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class Watched:
    """One target, or one look from outside, over the window.

    metric: up or probe_success.  samples: kept.  failed: of these, without the first failures of a target that is new
    within the window.  starting_s: how long those lasted.  span_s: from the first sample (or the window's start) to
    now.  good: as its newest sample says.  interval_s: between samples.
    """

    metric: str
    job: str
    instance: str
    samples: int
    failed: int
    starting_s: float
    span_s: float
    interval_s: float
    age_s: float
    good: bool

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return f"{self.metric} of {self.job} {self.instance}"

    @property
    def due(self) -> float:
        """How many samples there should be."""
        return self.span_s / self.interval_s if self.interval_s else 0.0


@dataclass(frozen=True)
class GreenFacts:
    """Everything that is watched, over `window_s`; jobs: (job, targets that it has at least)."""

    window_s: float
    jobs: tuple[tuple[str, int], ...]
    watched: tuple[Watched, ...]

    @property
    def span_s(self) -> float:
        """How much of the window has been watched, of what was watched for the shortest time."""
        return min((one.span_s for one in self.watched), default=0.0)


@probe(facts=GreenFacts, deadline=30, needs=("prom_gate",), uses={"prometheus": "GET"})
def green(target: Target, connect: Connections) -> GreenFacts:
    """Read every sample of the window of `up` of the expected jobs, and of looks from outside."""
    section, window = target.prometheus, target.limits.green_window_s
    assert section is not None  # else its gate were closed
    prom = client(target, connect)
    now = prom.now()
    intervals = {(one.job, one.instance): one.interval_s for one in scraped(prom, window)[0]}
    jobs = quoted("|".join(section.jobs))
    watched = [
        *_watched(prom, "up", f"up{{job=~{jobs}}}", now, window, intervals),
        *_watched(prom, "probe_success", "probe_success", now, window, intervals),
    ]
    present = set(intervals)
    return GreenFacts(
        window_s=window,
        jobs=tuple(section.jobs.items()),
        # A target that was taken away is not watched any more; whether enough are left is asked by job.
        watched=tuple(one for one in watched if (one.job, one.instance) in present or not present),
    )


def _watched(
    prom: PromQL,
    metric: str,
    selector: str,
    now: float,
    window_s: float,
    intervals: dict[tuple[str, str], float],
) -> Iterator[Watched]:
    """Yield each series of a selector with its samples as they were kept, not as a query would fill them in."""
    found = prom.get("query", query=f"{selector}[{duration(window_s)}]", time=f"{now:.3f}")
    for series in found.get("result", ()) if isinstance(found, dict) else ():
        points = [(float(at), value) for at, value in series.get("values", ())]
        if points:
            yield _judged(metric, series.get("metric", {}), points, now, window_s, intervals)


def _judged(
    metric: str,
    labels: dict[str, Any],
    points: list[tuple[float, Any]],
    now: float,
    window_s: float,
    intervals: dict[tuple[str, str], float],
) -> Watched:
    key = (str(labels.get("job", "")), str(labels.get("instance", "")))
    gaps = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
    interval = intervals.get(key) or (gaps[len(gaps) // 2] if gaps else 0.0)
    first = points[0][0]
    # One that was there before the window begins has a sample within the window's first interval or two.
    new = first - (now - window_s) > max(3 * interval, 0.05 * window_s)
    good = [str(value) == "1" for _, value in points]
    leading = 0
    if new:
        leading = next((n for n, well in enumerate(good) if well), len(good))
    return Watched(
        metric=metric,
        job=key[0],
        instance=key[1],
        samples=len(points),
        failed=good[leading:].count(False) if leading < len(good) else len(good),
        starting_s=round(points[min(leading, len(points) - 1)][0] - first, 1) if leading else 0.0,
        span_s=round(now - first if new else window_s, 1),
        interval_s=interval,
        age_s=round(now - points[-1][0], 1),
        good=good[-1],
    )
