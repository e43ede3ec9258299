"""What each host has left, as node_exporter counts it: processors, memory, swap, kills for want of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.latency import quantile
from pytest_deploycheck.probes.promql import Line, PromQL, duration

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits


@dataclass(frozen=True)
class HostUse:
    """One host; shares are of all its processors, and None is what nobody counted.

    span_s: seconds between its first and its newest sample in the window.  busy_p95: share of time not idle.
    load_per_core: mean of the five-minute load.  available_p05: share of memory that is still available,
    except in the worst twentieth of the window.  swap_in_pages_per_s: pages read back.  oom_kills: by the
    kernel, in `memory_oom_window_s`.
    """

    name: str
    span_s: float
    cores: int
    busy_p95: float
    iowait: float | None
    steal: float | None
    load_per_core: float | None
    available_p05: float | None
    swap_in_pages_per_s: float | None
    oom_kills: int | None


@dataclass(frozen=True)
class Hosts:
    """All hosts by name, and the busiest one's processors over the window, as (Unix time, share)."""

    hosts: tuple[HostUse, ...]
    busiest: tuple[tuple[float, float], ...]


def hosts(prom: PromQL, selector: str, limits: Limits, now: float) -> Hosts:
    """Return every selected host that reports now; none when nobody counts them."""
    rated, window = f"[{duration(limits.resource_rate_s)}]", f"[{duration(limits.resource_window_s)}]"
    step = max(limits.resource_window_s / 240, limits.resource_rate_s / 5)
    start = now - limits.resource_window_s

    def where(**labels: str) -> str:
        return (
            "{"
            + ", ".join([*(f'{k}="{v}"' for k, v in labels.items()), *([selector] if selector else [])])
            + "}"
        )

    def over_time(query: str) -> dict[str, tuple[tuple[float, float], ...]]:
        return {_host(line): line.points for line in prom.range(query, start, now, step)}

    def at_once(query: str) -> dict[str, float]:
        return {sample.label("instance"): sample.value for sample in prom.instant(query, now)}

    def share(mode: str) -> dict[str, float]:
        return at_once(f"avg by (instance) (rate(node_cpu_seconds_total{where(mode=mode)}{window}))")

    busy = over_time(f"1 - avg by (instance) (rate(node_cpu_seconds_total{where(mode='idle')}{rated}))")
    cores = at_once(f"count by (instance) (node_cpu_seconds_total{where(mode='idle')})")
    iowait, steal = share("iowait"), share("steal")
    load = at_once(f"avg by (instance) (avg_over_time(node_load5{where()}{window}))")
    memory = f"node_memory_MemAvailable_bytes{where()} / node_memory_MemTotal_bytes{where()}"
    unused = over_time(f"avg by (instance) ({memory})")
    swapped = at_once(f"sum by (instance) (rate(node_vmstat_pswpin{where()}{window}))")
    past = f"[{duration(limits.memory_oom_window_s)}]"
    killed = at_once(f"sum by (instance) (increase(node_vmstat_oom_kill{where()}{past}))")
    found = [
        HostUse(
            name=name,
            span_s=round(points[-1][0] - points[0][0], 3),
            cores=round(cores[name]),
            busy_p95=round(quantile(tuple(value for _, value in points), 0.95), 4),
            iowait=_rounded(iowait.get(name)),
            steal=_rounded(steal.get(name)),
            load_per_core=_rounded(load[name] / cores[name] if name in load else None),
            available_p05=_rounded(
                -quantile(tuple(-v for _, v in unused[name]), 0.95) if name in unused else None
            ),
            swap_in_pages_per_s=_rounded(swapped.get(name)),
            oom_kills=round(killed[name]) if name in killed else None,
        )
        for name, points in sorted(busy.items())
        if name in cores
    ]
    busiest = max(found, key=lambda one: one.busy_p95, default=None)
    return Hosts(tuple(found), busy[busiest.name] if busiest else ())


def _host(line: Line) -> str:
    return line.label("instance")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
