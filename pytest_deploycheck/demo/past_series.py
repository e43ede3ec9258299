"""The series of the made-up past, by the job that they would have been scraped from."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from pytest_deploycheck.demo import blackbox, cadvisor, prometheus
from pytest_deploycheck.demo.world import World

if TYPE_CHECKING:
    from pytest_deploycheck.demo.past import Past, Series

REQUESTS_PER_S = 12.0
ERRORS = 0.0002
CONTAINERS = ("app1", "app2", "nginx", "postgres", "valkey", "rpc")
# Share of requests answered within so many seconds.
_WITHIN = {
    "0.005": 0.02,
    "0.01": 0.1,
    "0.025": 0.35,
    "0.05": 0.65,
    "0.1": 0.86,
    "0.25": 0.97,
    "0.5": 0.993,
    "1.0": 0.999,
    "2.5": 1.0,
    "5.0": 1.0,
    "10.0": 1.0,
    "+Inf": 1.0,
}
_GIB = 2.0**30


def fill(past: Past, world: World, chance: random.Random) -> None:
    """Put the series of every job into the past."""
    jobs = prometheus.scraped(world)
    for job, targets in jobs.items():
        for service, port in targets.items():
            instance = f"127.0.0.1:{port}" if job != "blackbox" else service
            past.gauges[_key("up", job, instance)] = [1.0] * len(past.times)
    traffic = [REQUESTS_PER_S * busy(at) * chance.uniform(0.9, 1.1) for at in past.times]
    for service, port in jobs["app"].items():
        _app(past, traffic, f"127.0.0.1:{port}", service)
    for url in blackbox.probed(world):
        past.gauges[_key("probe_success", "blackbox", url, vantage=blackbox.VANTAGE)] = [1.0] * len(
            past.times
        )
    _chain(past, f"127.0.0.1:{world.port('chain_exporter')}")
    _node(past, chance, f"127.0.0.1:{world.port('node_exporter')}")
    _containers(past, chance, f"127.0.0.1:{world.port('cadvisor')}")
    _stores(past, world)
    for level, per_s in (("info", 20.0), ("error", 0.002)):
        key = _key(
            "shipper_lines_total", "logs", f"127.0.0.1:{world.port('shipper')}", level=level, source="app"
        )
        past.counters[key] = [per_s * passed for _, passed in past.steps()]


def busy(at: float) -> float:
    """Return how busy the hour of a time is, around 1: afternoons are, nights are not."""
    return 1 + 0.5 * math.sin(2 * math.pi * (at / 3600 - 9) / 24)


def _app(past: Past, traffic: list[float], instance: str, service: str) -> None:
    """Put half of the requests, their durations, and what the instance says of the chain."""

    def key(metric: str, **labels: str) -> Series:
        return _key(metric, "app", instance, service=service, **labels)

    came = [rate / 2 * passed for rate, (_, passed) in zip(traffic, past.steps(), strict=True)]
    asked = [0.25 * passed for _, passed in past.steps()]
    for route, status, share in (("/token", "200", 1 - ERRORS), ("/token", "500", ERRORS)):
        labels = {"method": "GET", "route": route, "status": status}
        past.counters[key("http_requests_total", **labels)] = [n * share for n in came]
    past.counters[key("http_requests_total", method="GET", route="/health", status="200")] = asked
    for bound, share in _WITHIN.items():
        labels = {"method": "GET", "route": "/token", "le": bound}
        past.counters[key("http_request_duration_seconds_bucket", **labels)] = [n * share for n in came]
    past.counters[key("http_request_duration_seconds_count", method="GET", route="/token")] = came
    past.counters[key("http_request_duration_seconds_sum", method="GET", route="/token")] = [
        n * 0.06 for n in came
    ]
    past.counters[key("app_rpc_errors_total")] = [n * 1e-4 for n in came]
    past.counters[key("app_transactions_failed_total")] = [n * 1e-4 for n in came]
    past.counters[key("app_transactions_sent_total", kind="purchase")] = [n * 0.02 for n in came]
    blocks = [int(at // 12) for at in past.times]
    past.gauges[key("app_chain_head_block")] = [float(block) for block in blocks]
    past.gauges[key("app_indexer_block")] = [float(block - 1) for block in blocks]
    past.gauges[key("app_queue_depth")] = [float(n % 4) for n in range(len(blocks))]


def _chain(past: Past, instance: str) -> None:
    """Let there be a block each twelve seconds, and a signer who pays for some of them."""

    def put(name: str, values: list[float]) -> None:
        past.gauges[_key(name, "chain", instance, service="chain")] = list(values)

    put("chain_up", [1.0] * len(past.times))
    put("chain_head_block", [float(at // 12) for at in past.times])
    put("chain_head_timestamp_seconds", [at // 12 * 12.0 for at in past.times])
    put("chain_signer_balance_wei", [5e18 - (at - past.times[0]) / 86_400 * 2e16 for at in past.times])
    put("chain_signer_pending_transactions", [0.0] * len(past.times))


def _node(past: Past, chance: random.Random, instance: str) -> None:
    """Put one host of four processors and 16 GiB, whose disk fills slowly."""

    def key(metric: str, **labels: str) -> Series:
        return _key(metric, "node", instance, service="node_exporter", **labels)

    use = [0.25 * busy(at) * chance.uniform(0.8, 1.2) for at in past.times]
    for mode in ("idle", "user", "iowait", "steal"):
        share = {"idle": [1 - one for one in use], "user": [one * 0.98 for one in use]}.get(
            mode, [one * 0.01 for one in use]
        )
        past.counters[key("node_cpu_seconds_total", cpu="0", mode=mode)] = [
            passed * one for one, (_, passed) in zip(share, past.steps(), strict=True)
        ]
    gauges = {
        "node_memory_MemTotal_bytes": [16 * _GIB] * len(past.times),
        "node_memory_MemAvailable_bytes": [16 * _GIB * (0.6 - 0.1 * busy(at)) for at in past.times],
        "node_filefd_allocated": [4000.0] * len(past.times),
        "node_filefd_maximum": [1e6] * len(past.times),
        "node_load5": [4 * one for one in use],
    }
    for name, values in gauges.items():
        past.gauges[key(name)] = list(values)
    disk = {"device": "/dev/sda1", "fstype": "ext4", "mountpoint": "/"}
    grown = [(at - past.go_live) / 86_400 * 0.1 * _GIB for at in past.times]
    past.gauges[key("node_filesystem_avail_bytes", **disk)] = [60 * _GIB - one for one in grown]
    past.gauges[key("node_filesystem_size_bytes", **disk)] = [100 * _GIB] * len(past.times)
    past.gauges[key("node_filesystem_files_free", **disk)] = [6e6] * len(past.times)
    past.gauges[key("node_filesystem_files", **disk)] = [6.5e6] * len(past.times)
    for name in (
        "node_network_receive_errs_total",
        "node_network_transmit_errs_total",
        "node_vmstat_oom_kill",
    ):
        past.counters[key(name, **({"device": "eth0"} if "network" in name else {}))] = [0.0] * len(
            past.times
        )


def _containers(past: Past, chance: random.Random, instance: str) -> None:
    """Put every container's memory and processor, and since when it runs."""
    for name in CONTAINERS:

        def key(metric: str, name: str = name) -> Series:
            labels = {"name": name, "container": name, "id": f"/docker/stand-in-{name}"}
            return _key(metric, "cadvisor", instance, service="cadvisor", **labels)

        limit = float(cadvisor.MEMORY_LIMIT_BYTES)
        past.gauges[key("container_memory_working_set_bytes")] = [
            limit * 0.3 * chance.uniform(0.95, 1.05) for _ in past.times
        ]
        past.gauges[key("container_spec_memory_limit_bytes")] = [limit] * len(past.times)
        past.gauges[key("container_start_time_seconds")] = [past.go_live - 60.0] * len(past.times)
        past.counters[key("container_cpu_usage_seconds_total")] = [
            0.1 * passed * busy(at) for at, passed in past.steps()
        ]
        past.counters[key("container_oom_events_total")] = [0.0] * len(past.times)


def _stores(past: Past, world: World) -> None:
    """Put what the exporters of the database and of the cache say."""
    database, cache = f"127.0.0.1:{world.port('pg_exporter')}", f"127.0.0.1:{world.port('redis_exporter')}"
    for name, job, instance, value in (
        ("pg_up", "postgres", database, 1.0),
        ("deploycheck_connections_used", "postgres", database, 14.0),
        ("deploycheck_connections_max", "postgres", database, 100.0),
        ("redis_up", "redis", cache, 1.0),
        ("redis_memory_used_bytes", "redis", cache, 3e6),
        ("redis_memory_max_bytes", "redis", cache, 64e6),
    ):
        service = "postgres" if job == "postgres" else "valkey"
        past.gauges[_key(name, job, instance, service=service)] = [value] * len(past.times)
    past.counters[_key("redis_evicted_keys_total", "redis", cache, service="valkey")] = [0.0] * len(
        past.times
    )


def _key(metric: str, job: str, instance: str, /, **labels: str) -> Series:
    return metric, tuple(sorted({"job": job, "instance": instance, **labels}.items()))
