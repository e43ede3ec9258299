"""The resources probe: memory and processors of every container and host over a window, and the traffic.

An idle system is within every limit: without traffic nothing is proven.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.plots import Bars, Series
from pytest_deploycheck.probes.promql import PromQL, client, duration, quoted
from pytest_deploycheck.probes.resources_containers import ContainerUse, containers
from pytest_deploycheck.probes.resources_hosts import HostUse, hosts

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

PATIENCE_S = 8.0
"""So long a look waits for a history that is only just too short."""
_MONITORED = ("/health", "/healthz", "/livez", "/readyz", "/metrics")


@dataclass(frozen=True)
class ResourceFacts:
    """Containers and hosts over `window_s` seconds.

    requests_per_s: by `traffic_metric` over the same window, those of monitoring aside; None without it.
    declared: container names that the target file says must be among them.  require_limits: whether every
    container must have a memory limit.  memory, cpu, host_busy: the same numbers as plots.
    """

    window_s: float
    traffic_metric: str
    requests_per_s: float | None
    declared: tuple[str, ...]
    require_limits: bool
    containers: tuple[ContainerUse, ...]
    hosts: tuple[HostUse, ...]
    memory: Bars
    cpu: Bars
    host_busy: Series

    @property
    def absent(self) -> tuple[str, ...]:
        """Declared containers that nobody measures."""
        seen = {one.name for one in self.containers}
        return tuple(name for name in self.declared if name not in seen)

    @property
    def span_s(self) -> float:
        """The shortest history among hosts and containers, in seconds; 0 when there is none."""
        spans = [one.span_s for one in self.containers] + [one.span_s for one in self.hosts]
        return min(spans, default=0.0)


@probe(facts=ResourceFacts, deadline=40, needs=("prom_gate",), uses={"prometheus": "GET"})
def resources(target: Target, connect: Connections) -> ResourceFacts:
    """Read what containers and hosts used over the window, and the traffic meanwhile, from Prometheus."""
    prom = client(target, connect)
    waited = 0.0
    while True:
        facts = _look(target, prom)
        missing = target.limits.resource_min_span_s - facts.span_s
        if missing <= 0 or missing > PATIENCE_S or waited >= PATIENCE_S:
            return facts
        connect.sleep(0.5)
        waited += 0.5


def work(target: Target) -> str:
    """Return a selector of the requests that are work: monitoring asks an idle service, too."""
    section = target.prometheus
    assert section is not None  # else its gate were closed
    own = {target.health.path, target.health.version_path, *_MONITORED} - {""}
    routes = "|".join(f"{re.escape(path)}(/.*)?" for path in sorted(own))
    metric, _, labels = section.traffic_metric.partition("{")
    matchers = [f"{section.route_label}!~{quoted(routes)}", labels.rstrip().removesuffix("}").strip(" ,")]
    return f"{metric}{{{', '.join(filter(None, matchers))}}}"


def _look(target: Target, prom: PromQL) -> ResourceFacts:
    section, limits = target.prometheus, target.limits
    assert section is not None  # else its gate were closed
    now = prom.now()
    traffic = prom.value(f"sum(rate({work(target)}[{duration(limits.resource_window_s)}]))", now)
    seen = containers(prom, section.container_selector, limits, now)
    machines = hosts(prom, section.host_selector, limits, now)
    start = machines.busiest[0][0] if machines.busiest else now
    return ResourceFacts(
        window_s=limits.resource_window_s,
        traffic_metric=section.traffic_metric,
        requests_per_s=None if traffic is None else round(traffic, 4),
        declared=tuple(target.perf.containers),
        require_limits=target.perf.require_limits,
        containers=seen,
        hosts=machines.hosts,
        memory=Bars(
            "Memory of each container, share of its limit (95th percentile)",
            "ratio",
            tuple((c.name, c.memory_p95_bytes / c.memory_limit_bytes) for c in seen if c.memory_limit_bytes),
            limits.memory_ratio_max,
        ),
        cpu=Bars(
            "Processor of each container, share of its quota (95th percentile)",
            "ratio",
            tuple(
                (c.name, c.cpu_cores_p95 / c.cpu_quota_cores)
                for c in seen
                if c.cpu_quota_cores and c.cpu_cores_p95 is not None
            ),
        ),
        host_busy=Series(
            "Processors of the busiest host, share in use",
            "ratio",
            tuple((round(at - start, 3), round(value, 4)) for at, value in machines.busiest),
            datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds"),
            limits.cpu_busy_max,
        ),
    )
