"""The check of items 49 and 50 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.plots import Bars, Series
from pytest_deploycheck.probes.resources import ResourceFacts
from pytest_deploycheck.probes.resources_containers import ContainerUse
from pytest_deploycheck.probes.resources_hosts import HostUse
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_performance.py")
LIMITS = Limits()

BARS, SERIES = Bars("", "", ()), Series("", "", ())


GB = 2.0**30
CONTAINER = ContainerUse(
    name="app",
    span_s=7200,
    memory_p95_bytes=0.5 * GB,
    memory_limit_bytes=GB,
    memory_growth_bytes_per_s=10.0,
    memory_projected_bytes=0.51 * GB,
    oom_kills=0,
    cpu_cores_p95=0.4,
    cpu_quota_cores=1.0,
    cpu_sustained=0.3,
    throttled=0.01,
)
HOST = HostUse(
    name="one:9100",
    span_s=3540,
    cores=4,
    busy_p95=0.5,
    iowait=0.01,
    steal=0.0,
    load_per_core=0.4,
    available_p05=0.4,
    swap_in_pages_per_s=0.0,
    oom_kills=0,
)


def resources(
    container: ContainerUse | None = None, host: HostUse | None = None, **changes: Any
) -> ResourceFacts:
    """Return one container on one host, with some work."""
    base = ResourceFacts(
        window_s=3600,
        traffic_metric="http_requests_total",
        requests_per_s=12.0,
        declared=(),
        require_limits=True,
        containers=(container or CONTAINER,),
        hosts=(host or HOST,),
        memory=BARS,
        cpu=BARS,
        host_busy=SERIES,
    )
    return replace(base, **changes)


def container(**changes: Any) -> ResourceFacts:
    """Return facts with a changed container."""
    return resources(replace(CONTAINER, **changes))


def host(**changes: Any) -> ResourceFacts:
    """Return facts with a changed host."""
    return resources(host=replace(HOST, **changes))


@pytest.mark.parametrize("check", ["test_memory", "test_cpu"])
@pytest.mark.parametrize(
    "facts",
    [
        resources(),
        container(oom_kills=None, throttled=None, cpu_sustained=None, cpu_quota_cores=0.0),
        container(memory_growth_bytes_per_s=None, memory_projected_bytes=None),
        host(swap_in_pages_per_s=None, oom_kills=None, iowait=None, steal=None, load_per_core=None),
        resources(containers=(), require_limits=False),
        resources(
            replace(CONTAINER, memory_limit_bytes=0.0, memory_projected_bytes=9 * GB), require_limits=False
        ),
        resources(declared=("app",)),
    ],
    ids=["plain", "no quota", "young", "bare kernel", "no containers", "no limits wanted", "declared"],
)
def test_systems_with_headroom_pass(check: str, facts: ResourceFacts) -> None:
    """Hosts without containers, containers without quota and old kernels are not accused."""
    CHECKS[check](facts, LIMITS)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (container(memory_limit_bytes=0.0), "container app has no memory limit"),
        (container(memory_p95_bytes=0.85 * GB), "container app uses 85% of its memory limit"),
        (container(memory_projected_bytes=1.5 * GB), "to 150% of its memory limit"),
        (container(oom_kills=1), "was killed 1 times for want of memory"),
        (host(available_p05=0.1), "host one:9100 is short of memory"),
        (host(swap_in_pages_per_s=500.0), "host one:9100 is swapping"),
        (host(oom_kills=2), "host one:9100 killed for want of memory"),
        # What was seen to be wrong is not excused by what was not seen.
        (
            resources(replace(CONTAINER, memory_limit_bytes=0.0), hosts=(), requests_per_s=None),
            "no memory limit",
        ),
    ],
)
def test_short_memory_fails(facts: ResourceFacts, words: str) -> None:
    """Missing limits, use, growth, kills, and hosts that run short are each named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        CHECKS["test_memory"](facts, LIMITS)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (container(throttled=0.06), "container app is throttled"),
        (container(cpu_sustained=0.95), "container app is always at its quota"),
        (host(busy_p95=0.71), "the processors of host one:9100 are busy"),
        (host(load_per_core=1.1), "work is waiting on host one:9100"),
        (host(iowait=0.2), "host one:9100 waits for its disks"),
        (host(steal=0.06), "host one:9100 does not get its processors"),
    ],
)
def test_scarce_processors_fail(facts: ResourceFacts, words: str) -> None:
    """Throttling, runaways, busy hosts, waiting work, slow disks and greedy neighbours are each named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        CHECKS["test_cpu"](facts, LIMITS)


@pytest.mark.parametrize("check", ["test_memory", "test_cpu"])
@pytest.mark.parametrize(
    ("facts", "reason", "words"),
    [
        (resources(hosts=()), Reason.NO_EVIDENCE, "node_exporter"),
        (resources(containers=()), Reason.NO_EVIDENCE, "prometheus.container_selector"),
        (resources(declared=("app", "worker")), Reason.NO_EVIDENCE, "nobody measures worker"),
        (container(span_s=60.0), Reason.NO_EVIDENCE, "measured for 60 s only"),
        (host(span_s=120.0), Reason.NO_EVIDENCE, "measured for 120 s only"),
        (resources(requests_per_s=None), Reason.NO_TRAFFIC, "prometheus.traffic_metric"),
        (resources(requests_per_s=0.0), Reason.NO_TRAFFIC, "an idle system"),
    ],
)
def test_what_was_not_measured_under_load_is_unproven(
    check: str, facts: ResourceFacts, reason: Reason, words: str
) -> None:
    """No data, too little of it, and nobody at work are no proof."""
    with pytest.raises(Unproven, match=words) as why:
        CHECKS[check](facts, LIMITS)
    assert why.value.reason is reason


@pytest.mark.parametrize("facts", [container(memory_limit_bytes=None), host(available_p05=None)])
def test_memory_that_nobody_reports_is_unproven(facts: ResourceFacts) -> None:
    """An unknown limit is not a kept one."""
    with pytest.raises(Unproven, match="nobody reports"):
        CHECKS["test_memory"](facts, LIMITS)
