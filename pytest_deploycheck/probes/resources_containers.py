"""What each container uses, as cAdvisor counts it: memory against its limit, CPU against its quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.latency import quantile
from pytest_deploycheck.probes.promql import Line, PromQL, Sample, duration

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits

NO_LIMIT_BYTES = 2**60
"""Memory limits from here on are the kernel's way of saying that there is none."""
_KEY = ("instance", "id", "namespace", "pod", "container", "name")
_BY = ", ".join(_KEY)
Key = tuple[str, ...]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ContainerUse:
    """One running container.

    span_s: seconds between its first and its newest sample.  memory_p95_bytes: working set over the window.
    memory_limit_bytes: 0 when none is set, None when nobody said.  memory_growth_bytes_per_s: the smaller of
    the slopes over all and over the later half of the time seen, so that warming up is no leak; None without
    points enough.  memory_projected_bytes: working set after that growth for a while.  oom_kills: None when
    not counted.  cpu_cores_p95: cores in use over the window.  cpu_quota_cores: 0 when none is set.
    cpu_sustained: the least share of its quota that it used during the last `cpu_sustained_s`, None when it
    was not seen that long or has no quota.  throttled: share of its scheduling periods, None without any.
    """

    name: str
    span_s: float
    memory_p95_bytes: float
    memory_limit_bytes: float | None
    memory_growth_bytes_per_s: float | None
    memory_projected_bytes: float | None
    oom_kills: int | None
    cpu_cores_p95: float | None
    cpu_quota_cores: float | None
    cpu_sustained: float | None
    throttled: float | None


def containers(prom: PromQL, selector: str, limits: Limits, now: float) -> tuple[ContainerUse, ...]:
    """Return every container that is running now, by name; empty when nobody counts containers."""
    reader = _Reader(prom, selector, limits, now)
    memory = reader.history("container_memory_working_set_bytes", "sum", limits.trend_window_s)
    if not memory:
        return ()
    memory_limit = reader.newest("container_spec_memory_limit_bytes", "max")
    killed = reader.counted("container_oom_events_total", limits.memory_oom_window_s)
    cpu = reader.history("container_cpu_usage_seconds_total", "sum", limits.resource_window_s, rate=True)
    quota = reader.newest("container_spec_cpu_quota", "max")
    period = reader.newest("container_spec_cpu_period", "max")
    periods = reader.counted("container_cpu_cfs_periods_total", limits.resource_window_s)
    throttled = reader.counted("container_cpu_cfs_throttled_periods_total", limits.resource_window_s)
    found = []
    for key, points in memory.items():
        recent = tuple(value for at, value in points if at >= now - limits.resource_window_s)
        span = points[-1][0] - points[0][0]
        growth = _growth(points)
        reach = limits.memory_projection_s * min(1.0, span / limits.trend_window_s)
        cores = _cores(quota.get(key), period.get(key))
        used = cpu.get(key, ())
        found.append(
            ContainerUse(
                name=_name(key),
                span_s=round(span, 3),
                memory_p95_bytes=quantile(recent, 0.95),
                memory_limit_bytes=_limit(memory_limit.get(key)),
                memory_growth_bytes_per_s=None if growth is None else round(growth, 1),
                memory_projected_bytes=None
                if growth is None
                else round(points[-1][1] + max(0.0, growth) * reach),
                oom_kills=None if key not in killed else round(killed[key]),
                cpu_cores_p95=round(quantile(tuple(v for _, v in used), 0.95), 4) if used else None,
                cpu_quota_cores=cores,
                cpu_sustained=_sustained(used, cores, limits.cpu_sustained_s, now),
                throttled=_share(throttled.get(key), periods.get(key)),
            )
        )
    return tuple(sorted(found, key=lambda one: one.name))


class _Reader:
    """Metrics of the selected containers by their key, over windows that end now."""

    def __init__(self, prom: PromQL, selector: str, limits: Limits, now: float) -> None:
        self._prom, self._selector, self._limits, self._now = prom, selector, limits, now

    def newest(self, metric: str, over: str) -> dict[Key, float]:
        """Return each container's newest value."""
        return self._keyed(self._prom.instant(f"{over} by ({_BY}) ({metric}{{{self._selector}}})", self._now))

    def counted(self, metric: str, window: float) -> dict[Key, float]:
        """Return by how much each container's counter grew in a window."""
        grown = f"increase({metric}{{{self._selector}}}[{duration(window)}])"
        return self._keyed(self._prom.instant(f"sum by ({_BY}) ({grown})", self._now))

    def history(self, metric: str, over: str, window: float, *, rate: bool = False) -> dict[Key, Points]:
        """Return each running container's values in a window; those that have ended by now are left out."""
        series = f"{metric}{{{self._selector}}}"
        if rate:
            series = f"rate({series}[{duration(self._limits.resource_rate_s)}])"
        query = f"{over} by ({_BY}) ({series})"
        step = max(window / 240, self._limits.resource_rate_s / 5)
        lines = self._prom.range(query, self._now - window, self._now, step)
        running = {key: line.points for line in lines if (key := _key(line))[4] != "POD"}
        return {key: points for key, points in running.items() if points[-1][0] > self._now - 2 * step}

    @staticmethod
    def _keyed(samples: tuple[Sample, ...]) -> dict[Key, float]:
        return {_key(sample): sample.value for sample in samples}


def _key(series: Sample | Line) -> Key:
    return tuple(series.label(name) for name in _KEY)


def _name(key: Key) -> str:
    """Return what people call a container: namespace/pod/container in Kubernetes, else its name."""
    labels = dict(zip(_KEY, key, strict=True))
    if labels["pod"]:
        return "/".join(filter(None, (labels["namespace"], labels["pod"], labels["container"])))
    return labels["name"] or labels["container"] or labels["id"]


def _limit(value: float | None) -> float | None:
    return 0.0 if value is not None and value >= NO_LIMIT_BYTES else value


def _cores(quota: float | None, period: float | None) -> float | None:
    """Return the quota in cores, 0 without one: cAdvisor leaves the quota out of its page then."""
    if quota is None or quota <= 0 or not period:
        return 0.0
    return quota / period


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else round(min(1.0, part / whole), 4)


def _sustained(points: Points, cores: float | None, window: float, now: float) -> float | None:
    """Return the least share of the quota in the last `window` seconds, None if not seen for that long."""
    if not cores or not points:
        return None
    # The first rate of a container already covers the time before its own point.
    if points[0][0] > now - window * 0.9:
        return None
    return round(min(value for at, value in points if at >= now - window) / cores, 4)


def _growth(points: Points) -> float | None:
    """Return the least-squares slope per second, the smaller one of all and of the later half."""
    later = points[len(points) // 2 :]
    if len(later) < 3:
        return None
    return min(_slope(points), _slope(later))


def _slope(points: Points) -> float:
    n = len(points)
    mean_at = sum(at for at, _ in points) / n
    mean = sum(value for _, value in points) / n
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread
