"""The resources probe: series of cAdvisor and the kubelet, growth that is a leak, and traffic that is work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.promql import PromQL
from pytest_deploycheck.probes.resources import work
from pytest_deploycheck.probes.resources_containers import ContainerUse, containers
from pytest_deploycheck.probes.resources_hosts import hosts
from pytest_deploycheck.target import Target
from tests.probes.canned import Canned, client_of, serving

NOW = 1_795_485_600.0
LIMITS = Limits()
DOCKER = {"id": "/docker/1f", "name": "shop-api-1", "instance": "one:8080"}
KUBELET = {
    "id": "/kubepods/pod1/9c",
    "name": "9cf1",
    "namespace": "shop",
    "pod": "api-7d",
    "container": "api",
    "instance": "one:10250",
}
Values = dict[str, float | Callable[[float], float]]


@contextmanager
def metrics(labels: dict[str, str], values: Values, *, span_s: float = 21_600) -> Iterator[PromQL]:
    """Serve the series of one container or host: each metric a number, or a function of Unix time."""

    def answer(path: str, query: dict[str, list[str]]) -> Canned:
        asked = query["query"][0]
        names = [name for name in values if re.search(rf"\b{name}\b", asked)]
        value = values[names[0]] if names else None
        if path.endswith("query_range"):
            start, end, step = (float(query[name][0]) for name in ("start", "end", "step"))
            moments = [start + n * step for n in range(int((end - start) / step) + 1)]
            points = [[at, str(at_time(value, at))] for at in moments if at >= NOW - span_s]
            result: list[Any] = [{"metric": labels, "values": points}] if value is not None and points else []
            return vector("matrix", result)
        return vector(
            "vector", [] if value is None else [{"metric": labels, "value": [NOW, str(at_time(value, NOW))]}]
        )

    with serving(answer) as base:
        yield PromQL(client_of(base))


def vector(kind: str, result: list[Any]) -> Canned:
    """Return a result as the API writes it."""
    return Canned(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}))


def at_time(value: float | Callable[[float], float] | None, at: float) -> float | None:
    """Return the value at a time."""
    return value(at) if callable(value) else value


def only(labels: dict[str, str], values: Values, **options: Any) -> ContainerUse:
    """Return the one container that the series describe."""
    with metrics(labels, {"container_memory_working_set_bytes": 5e8, **values}, **options) as prom:
        (found,) = containers(prom, "", LIMITS, NOW)
    return found


def test_containers_are_named_as_people_do() -> None:
    """By name under Docker, by namespace, pod and container in Kubernetes, where the name is a hash."""
    assert only(DOCKER, {}).name == "shop-api-1"
    assert only(KUBELET, {}).name == "shop/api-7d/api"


def test_sandboxes_are_no_containers() -> None:
    """Kubernetes's pause container is left out."""
    with metrics({**KUBELET, "container": "POD"}, {"container_memory_working_set_bytes": 1e5}) as prom:
        assert containers(prom, "", LIMITS, NOW) == ()


def test_nobody_counting_is_no_container() -> None:
    """Without the metric there is no container, not one that uses nothing."""
    with metrics(DOCKER, {}) as prom:
        assert containers(prom, "", LIMITS, NOW) == ()


@pytest.mark.parametrize(("reported", "limit"), [(2e9, 2e9), (0.0, 0.0), (9.223372036854772e18, 0.0)])
def test_the_kernels_way_of_no_limit(reported: float, limit: float) -> None:
    """Zero and the largest number both mean that there is none."""
    assert only(DOCKER, {"container_spec_memory_limit_bytes": reported}).memory_limit_bytes == limit


def test_what_nobody_reports_stays_unknown() -> None:
    """A missing series is None; a missing quota means that there is none, since cAdvisor leaves it out then."""
    found = only(DOCKER, {})
    assert (found.memory_limit_bytes, found.oom_kills, found.throttled) == (None, None, None)
    assert (found.cpu_quota_cores, found.cpu_sustained, found.cpu_cores_p95) == (0.0, None, None)


def test_throttling_is_a_share_of_periods() -> None:
    """30 of 600 periods are 5 %."""
    counts: Values = {
        "container_cpu_cfs_periods_total": 600.0,
        "container_cpu_cfs_throttled_periods_total": 30.0,
    }
    assert only(DOCKER, counts).throttled == 0.05


def test_a_runaway_is_seen_against_its_quota() -> None:
    """Half a core of a quota of half a core, without a pause, is all of it."""
    cpu: Values = {
        "container_cpu_usage_seconds_total": 0.5,
        "container_spec_cpu_quota": 50_000.0,
        "container_spec_cpu_period": 100_000.0,
    }
    assert only(DOCKER, cpu).cpu_sustained == 1.0
    # Seen for a minute only: that may be its start.
    assert only(DOCKER, cpu, span_s=60).cpu_sustained is None


def leaking(rate: float) -> Callable[[float], float]:
    """Return memory that grows by so many bytes a second."""
    return lambda at: 5e8 + rate * (at - (NOW - 21_600))


def warming(at: float) -> float:
    """Return memory that fills a cache for an hour and then stands still."""
    return min(5e8, 1e8 + 1e5 * (at - (NOW - 21_600)))


def test_a_leak_is_projected() -> None:
    """A slow leak seen for six hours is carried on for a day."""
    found = only(DOCKER, {"container_memory_working_set_bytes": leaking(1000)})
    assert found.memory_growth_bytes_per_s == pytest.approx(1000, rel=0.01)
    assert found.memory_projected_bytes == pytest.approx(5e8 + 1000 * (21_600 + 86_400), rel=0.01)


def test_warming_up_is_no_leak() -> None:
    """What grew first and stands still since is not projected."""
    found = only(DOCKER, {"container_memory_working_set_bytes": warming})
    assert found.memory_projected_bytes == pytest.approx(5e8, rel=0.001)


def test_a_short_look_is_not_projected_far() -> None:
    """Half an hour is carried on for two hours, as six hours are for a day."""
    found = only(DOCKER, {"container_memory_working_set_bytes": leaking(1000)}, span_s=1800)
    assert found.memory_projected_bytes == pytest.approx(5e8 + 1000 * (21_600 + 7200), rel=0.01)


def test_a_shrinking_container_is_projected_as_it_is() -> None:
    """Memory that is given back is not counted on."""
    found = only(DOCKER, {"container_memory_working_set_bytes": leaking(-1000)})
    assert found.memory_projected_bytes == pytest.approx(5e8 - 1000 * 21_600, rel=0.01)


def test_a_container_that_ended_is_not_judged() -> None:
    """Series of an earlier container of the window are history."""
    gone: Values = {"container_memory_working_set_bytes": lambda at: 5e8 if at < NOW - 1800 else float("nan")}
    with metrics(DOCKER, gone) as prom:
        assert containers(prom, "", LIMITS, NOW) == ()


def test_hosts_without_counters_are_partly_known() -> None:
    """A host that reports processors only is a host; the rest is None."""
    with metrics({"instance": "one:9100"}, {"node_cpu_seconds_total": 2.0}) as prom:
        (host,) = hosts(prom, "", LIMITS, NOW).hosts
    assert (host.name, host.cores) == ("one:9100", 2)
    assert (host.available_p05, host.load_per_core, host.oom_kills) == (None, None, None)


def test_load_is_counted_per_core() -> None:
    """A load of three on two cores is one and a half."""
    values: Values = {"node_load5": 3.0, "node_cpu_seconds_total": 2.0}
    with metrics({"instance": "one:9100"}, values) as prom:
        (host,) = hosts(prom, "", LIMITS, NOW).hosts
    assert host.load_per_core == 1.5


@pytest.mark.parametrize(
    ("metric", "selector"),
    [
        ("requests_total", '{path!~"ROUTES"}'),
        ('requests_total{job="shop"}', '{path!~"ROUTES", job="shop"}'),
        ("requests_total{}", '{path!~"ROUTES"}'),
        ('requests_total{job="shop", }', '{path!~"ROUTES", job="shop"}'),
    ],
)
def test_monitoring_is_no_traffic(metric: str, selector: str) -> None:
    """Requests for health and metrics are left out, whatever else the target file selects."""
    base = {"name": "x", "environment": "dev", "base_url": "https://x.example"}
    section = {"url": "http://p", "jobs": {}, "traffic_metric": metric, "route_label": "path"}
    target = Target.model_validate(
        {"target": base, "prometheus": section, "health": {"path": "/up", "version_path": ""}}
    )
    found = work(target)
    routes = found.split('"')[1]
    assert found == "requests_total" + selector.replace("ROUTES", routes)
    assert [
        bool(re.fullmatch(routes, path)) for path in ("/up", "/health/live", "/metrics", "/upload", "/")
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]
