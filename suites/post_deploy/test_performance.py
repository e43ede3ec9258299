"""Post-Deployment Verification, Performance Testing: items 47 to 51 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.latency import LatencyFacts
from pytest_deploycheck.probes.resources import ResourceFacts
from pytest_deploycheck.verdict import Reason

LATENCY = ("post_deploy.performance.latency", "Response times acceptable (< 1s for most endpoints)")
MEMORY = ("post_deploy.performance.memory", "Memory usage within limits")
CPU = ("post_deploy.performance.cpu", "CPU usage acceptable")


@pytest.mark.smoke
@pytest.mark.checklist(LATENCY[0], text=LATENCY[1])
def test_latency(latency_facts: LatencyFacts, limits: Limits) -> None:
    """Most endpoints answer well within the limit, none far beyond it, and every answer is a right one.

    "Most" counts endpoints for what is measured here, and requests for what the server measured.
    """
    assert latency_facts.endpoints, "no endpoint was asked"
    for endpoint in latency_facts.endpoints:
        assert not endpoint.silent, f"{endpoint.path} gave no answer in time"
        wrong = sorted({status for status in endpoint.statuses if not 200 <= status < 300})
        assert not wrong, f"{endpoint.path} answers {wrong}: fast or slow, that is not the answer"
        assert not endpoint.invalid, f"{endpoint.path} answers {endpoint.invalid} times without valid JSON"
    timed = [endpoint for endpoint in latency_facts.endpoints if endpoint.total_s]
    if not {endpoint.path for endpoint in timed} & set(latency_facts.beyond_health):
        unproven(
            Reason.NO_EVIDENCE,
            "no answer beyond health, version and documentation was timed (all others came from a cache, or "
            "were refused with 429); name more in perf.endpoints",
        )
    for endpoint in timed:
        assert endpoint.p95_s <= limits.latency_hard_max_s, f"{endpoint.path} takes {endpoint.p95_s:.2f} s"
    slow = {endpoint.path: endpoint.p95_s for endpoint in timed if endpoint.p95_s > limits.latency_p95_s}
    share = 1 - len(slow) / len(timed)
    assert share >= limits.latency_share_ok, f"{len(slow)} of {len(timed)} endpoints are slow: {slow}"
    server = latency_facts.server
    if server.routes:
        all_rps = sum(route.rps for route in server.routes)
        slow_routes = [route for route in server.routes if route.p95_s > limits.latency_p95_s]
        share = 1 - sum(route.rps for route in slow_routes) / all_rps
        assert share >= limits.latency_share_ok, (
            f"by the server's own count {1 - share:.0%} of the requests go to slow routes: "
            f"{ {route.route: route.p95_s for route in slow_routes} }"
        )
    elif server.declared:
        unproven(Reason.NO_TRAFFIC, f"prometheus.latency_metric is declared, but there is {server.note}")


@pytest.mark.checklist(MEMORY[0], text=MEMORY[1])
def test_memory(resources_facts: ResourceFacts, limits: Limits) -> None:
    """Every container stays, and will stay, within a limit; no host runs short; nothing was killed for it."""
    for container in resources_facts.containers:
        limit, name = container.memory_limit_bytes, container.name
        if resources_facts.require_limits:
            assert limit != 0, f"container {name} has no memory limit, so that its use means nothing"
        if limit:
            used = container.memory_p95_bytes / limit
            assert used <= limits.memory_ratio_max, f"container {name} uses {used:.0%} of its memory limit"
            ahead = container.memory_projected_bytes
            assert ahead is None or ahead <= limit, (
                f"container {name} grows by {container.memory_growth_bytes_per_s} B/s to {ahead / limit:.0%} "
                "of its memory limit before long"
            )
        killed = container.oom_kills
        assert killed is None or killed <= limits.memory_oom_kills_max, (
            f"container {name} was killed {killed} times for want of memory"
        )
    for host in resources_facts.hosts:
        if host.available_p05 is not None:
            assert host.available_p05 >= limits.memory_available_min, f"host {host.name} is short of memory"
        if host.swap_in_pages_per_s is not None:
            assert host.swap_in_pages_per_s <= limits.memory_swap_in_max, f"host {host.name} is swapping"
        if host.oom_kills is not None:
            assert host.oom_kills <= limits.memory_oom_kills_max, (
                f"host {host.name} killed for want of memory"
            )
    _measured_under_load(resources_facts, limits)
    for container in resources_facts.containers:
        if container.memory_limit_bytes is None and resources_facts.require_limits:
            unproven(Reason.NO_EVIDENCE, f"nobody reports the memory limit of container {container.name}")
    for host in resources_facts.hosts:
        if host.available_p05 is None:
            unproven(Reason.NO_EVIDENCE, f"nobody reports the available memory of host {host.name}")


@pytest.mark.checklist(CPU[0], text=CPU[1])
def test_cpu(resources_facts: ResourceFacts, limits: Limits) -> None:
    """Hosts have processors to spare over the whole window, and no container is held back by its quota."""
    for container in resources_facts.containers:
        name = container.name
        if container.throttled is not None:
            assert container.throttled <= limits.cpu_throttled_max, f"container {name} is throttled"
        if container.cpu_sustained is not None:
            assert container.cpu_sustained <= limits.cpu_quota_max, f"container {name} is always at its quota"
    for host in resources_facts.hosts:
        assert host.busy_p95 <= limits.cpu_busy_max, f"the processors of host {host.name} are busy"
        if host.load_per_core is not None:
            assert host.load_per_core <= limits.cpu_load_max, f"work is waiting on host {host.name}"
        if host.iowait is not None:
            assert host.iowait <= limits.cpu_iowait_max, f"host {host.name} waits for its disks"
        if host.steal is not None:
            assert host.steal <= limits.cpu_steal_max, f"host {host.name} does not get its processors"
    _measured_under_load(resources_facts, limits)


def _measured_under_load(facts: ResourceFacts, limits: Limits) -> None:
    """End a check as unproven unless all were seen, for long enough, while there was work."""
    if not facts.hosts:
        unproven(Reason.NO_EVIDENCE, "no host metrics: let Prometheus scrape node_exporter on each host")
    if not facts.containers and facts.require_limits:
        unproven(
            Reason.NO_EVIDENCE,
            "no container metrics in Prometheus: let it scrape cAdvisor or the kubelet, fit "
            "prometheus.container_selector, or set perf.require_limits = false where nothing runs in containers",
        )
    if facts.absent:
        unproven(Reason.NO_EVIDENCE, f"nobody measures {', '.join(facts.absent)}")
    if facts.span_s < limits.resource_min_span_s:
        unproven(Reason.NO_EVIDENCE, f"measured for {facts.span_s:.0f} s only; look again later")
    if facts.requests_per_s is None:
        unproven(
            Reason.NO_TRAFFIC,
            f"no {facts.traffic_metric} in Prometheus, so that nobody knows whether there was work; set "
            "prometheus.traffic_metric",
        )
    if facts.requests_per_s < limits.traffic_min_rps:
        unproven(
            Reason.NO_TRAFFIC, f"{facts.requests_per_s:g} requests/s: an idle system is within any limit"
        )
