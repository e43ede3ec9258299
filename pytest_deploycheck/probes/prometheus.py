"""The Prometheus probe: is every job scraped, was it all along, and do the numbers move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.promql import PromQL
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.model import PrometheusSection
from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class ScrapeTarget:
    """One scraped address: `age_s` since its last scrape, None if there was none; intervals in seconds."""

    job: str
    instance: str
    health: str
    error: str
    age_s: float | None
    interval_s: float


@dataclass(frozen=True)
class UpShare:
    """How much of the window an address was up: `share` of its `samples`; `expected` scrapes were due."""

    job: str
    instance: str
    share: float
    samples: float
    expected: float


@dataclass(frozen=True)
class Movement:
    """What requests sent by the probe did to the traffic counter: its rise, in all and by instance."""

    sent: int
    rise: float
    by_instance: tuple[tuple[str, float], ...]
    waited_s: float


@dataclass(frozen=True)
class PrometheusFacts:
    """One Prometheus.

    expected: (job, targets at least).  backends: (metric, instance, up) of exporters that say whether the
    server behind them answers.  metrics: (name, series now) of those required.  retention_d: days, None when
    it does not say.  movement: None when no request could be sent.  reload_ok: the last configuration was
    accepted, None when it does not say.
    """

    url: str
    reload_ok: bool | None
    retention_d: float | None
    expected: tuple[tuple[str, int], ...]
    targets: tuple[ScrapeTarget, ...]
    shares: tuple[UpShare, ...]
    backends: tuple[tuple[str, str, bool], ...]
    metrics: tuple[tuple[str, int], ...]
    traffic_metric: str
    movement: Movement | None


@probe(facts=PrometheusFacts, deadline=60, needs=("prom_gate",), uses={"prometheus": "GET", "api": "GET"})
def prometheus(target: Target, connect: Connections) -> PrometheusFacts:
    """Ask Prometheus for targets, their history, required metrics, and whether its counters move."""
    section = target.prometheus
    assert section is not None
    prom = promql.client(target, connect)
    before = _traffic(prom, section)
    sent = _send(target, connect)
    now = prom.now()
    runtime = prom.get("status/runtimeinfo")
    targets = _targets(prom.get("targets", state="active"), now)
    names = set(section.jobs)
    window = target.limits.prom_window_s
    uptime = now - promql.moment(runtime.get("startTime")) if runtime.get("startTime") else window
    return PrometheusFacts(
        url=section.url,
        reload_ok=runtime.get("reloadConfigSuccess"),
        retention_d=_retention(str(runtime.get("storageRetention", ""))),
        expected=tuple(section.jobs.items()),
        targets=tuple(found for found in targets if found.job in names),
        shares=_shares(prom, [t for t in targets if t.job in names], window, min(window, uptime)),
        backends=tuple(
            (name, sample.label("instance"), sample.value == 1)
            for name in section.backends
            for sample in prom.instant(name)
        ),
        metrics=tuple((name, len(prom.instant(name))) for name in section.required_metrics),
        traffic_metric=section.traffic_metric,
        movement=_movement(prom, target, connect, before, sent) if sent else None,
    )


def _targets(data: Any, now: float) -> list[ScrapeTarget]:
    found = []
    for entry in data.get("activeTargets", ()) if isinstance(data, dict) else ():
        labels = entry.get("labels", {})
        last = promql.moment(entry.get("lastScrape"))
        found.append(
            ScrapeTarget(
                job=str(labels.get("job", entry.get("scrapePool", ""))),
                instance=str(labels.get("instance", "")),
                health=str(entry.get("health", "unknown")),
                error=str(entry.get("lastError", "")),
                age_s=round(now - last, 2) if last > 0 else None,
                interval_s=promql.seconds(str(entry.get("scrapeInterval", "60s"))),
            )
        )
    return found


def _shares(prom: PromQL, targets: list[ScrapeTarget], window: float, lived: float) -> tuple[UpShare, ...]:
    """Return the share of scrapes that succeeded, and how many there were of those that were due."""
    span = promql.duration(window)
    average = {
        (s.label("job"), s.label("instance")): s.value for s in prom.instant(f"avg_over_time(up[{span}])")
    }
    count = {
        (s.label("job"), s.label("instance")): s.value for s in prom.instant(f"count_over_time(up[{span}])")
    }
    return tuple(
        UpShare(
            job=found.job,
            instance=found.instance,
            share=average.get((found.job, found.instance), 0.0),
            samples=count.get((found.job, found.instance), 0.0),
            expected=round(lived / found.interval_s, 1) if found.interval_s else 0.0,
        )
        for found in targets
    )


def _traffic(prom: PromQL, section: PrometheusSection) -> dict[str, float]:
    query = f"sum by (instance) ({section.traffic_metric})"
    return {sample.label("instance"): sample.value for sample in prom.instant(query)}


def _send(target: Target, connect: Connections) -> int:
    """Send the requests that the counter must show; 0 when the API takes none, which is not this item's."""
    try:
        http = connect.http("api")
        for _ in range(target.limits.prom_movement_requests):
            http.get(target.health.path)
    except (Dead, CannotLook):
        return 0
    return target.limits.prom_movement_requests


def _movement(
    prom: PromQL, target: Target, connect: Connections, before: dict[str, float], sent: int
) -> Movement:
    """Wait for the next scrapes until the counter shows the requests, or the time for it is over."""
    section = target.prometheus
    assert section is not None
    began = connect.now()
    while True:
        after = _traffic(prom, section)
        rises = {name: after[name] - before.get(name, 0.0) for name in after}
        waited = (connect.now() - began).total_seconds()
        if sum(rises.values()) >= sent or waited > target.limits.prom_movement_s or connect.remaining() < 5:
            return Movement(sent, sum(rises.values()), tuple(sorted(rises.items())), round(waited, 2))
        connect.sleep(0.5)


def _retention(text: str) -> float | None:
    """Return days of a retention such as "15d" or "15d or 10GiB"; None when only a size is given."""
    span = promql.seconds(text.partition(" or ")[0])
    return span / 86_400 if span else None
