"""Response times as the server counted them: a histogram in Prometheus, by route and weighted by traffic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.promql import PromQL, Sample, client, duration

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.monitoring import PrometheusSection
    from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class RouteTimes:
    """One route's 95th percentile in seconds and its requests per second, over the window."""

    route: str
    p95_s: float
    rps: float


@dataclass(frozen=True)
class ServerTimes:
    """All routes with traffic in the last `window_s` seconds, busiest first; empty without such a histogram.

    declared: the target file names the metric, so that it should be there.  note: why nothing was read.
    """

    metric: str
    window_s: float
    routes: tuple[RouteTimes, ...]
    declared: bool
    note: str = ""


def server_times(target: Target, connect: Connections) -> ServerTimes:
    """Read each route's 95th percentile; raises what the Prometheus client raises."""
    prom = client(target, connect)
    section = target.prometheus
    assert section is not None  # else the client could not be made
    window = target.limits.latency_window_s
    declared = "latency_metric" in section.model_fields_set
    rates, p95s = _classic(prom, section, window)
    if not rates:
        rates, p95s = _native(prom, section, window)
    p95_of = {sample.label(section.route_label): sample.value for sample in p95s}
    seconds = 0.001 if re.search(r"_(?:ms|milliseconds)$", section.latency_metric) else 1.0
    ignored = [re.compile(pattern) for pattern in target.perf.ignore_routes]
    routes = [
        RouteTimes(route, round(p95_of[route] * seconds, 4), round(sample.value, 4))
        for sample in rates
        if sample.value > 0
        and (route := sample.label(section.route_label)) in p95_of
        and not any(pattern.search(route) for pattern in ignored)
    ]
    routes.sort(key=lambda one: (-one.rps, one.route))
    note = "" if routes else f"no traffic in {section.latency_metric} over {window:g} s"
    return ServerTimes(section.latency_metric, window, tuple(routes), declared, note)


def _classic(
    prom: PromQL, section: PrometheusSection, window: float
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    by, rate = section.route_label, f"[{duration(window)}]"
    rates = prom.instant(f"sum by ({by}) (rate({section.latency_metric}_count{rate}))")
    if not rates:
        return (), ()
    buckets = f"sum by (le, {by}) (rate({section.latency_metric}_bucket{rate}))"
    return rates, prom.instant(f"histogram_quantile(0.95, {buckets})")


def _native(
    prom: PromQL, section: PrometheusSection, window: float
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Ask the same of a native histogram, which has no series for its buckets."""
    rate = f"sum by ({section.route_label}) (rate({section.latency_metric}[{duration(window)}]))"
    rates = prom.instant(f"histogram_count({rate})")
    return rates, prom.instant(f"histogram_quantile(0.95, {rate})") if rates else ()
