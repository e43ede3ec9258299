"""Post-Deployment Verification, Performance Testing: items 47 to 51 of the default checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.places import same_place
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_stats import DbStatsFacts
    from pytest_deploycheck.probes.latency import LatencyFacts
    from pytest_deploycheck.probes.load import LoadFacts
    from pytest_deploycheck.probes.resources import ResourceFacts

LATENCY = ("post_deploy.performance.latency", "Response times acceptable (< 1s for most endpoints)")
LOAD = ("post_deploy.performance.load", "Load testing completed")
MEMORY = ("post_deploy.performance.memory", "Memory usage within limits")
CPU = ("post_deploy.performance.cpu", "CPU usage acceptable")
DB = ("post_deploy.performance.db", "Database performance optimized")


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


@pytest.mark.checklist(LOAD[0], text=LOAD[1])
def test_load(load_facts: LoadFacts, limits: Limits, now: datetime) -> None:
    """This release bore the load it is meant for, on a system that counts, without errors or waiting."""
    test, total = load_facts, load_facts.total
    assert total.requests > 0, f"the load test made no request at all; {'; '.join(test.stopped)}"
    assert not test.stopped, f"the load test was stopped: {'; '.join(test.stopped)}"
    assert not test.altered, f"not as Locust wrote them: {', '.join(test.altered)}"
    if not test.allowed_hosts:
        unproven(Reason.NO_CONFIG, f"name {test.host} in load.allowed_hosts if a load test of it counts")
    assert any(same_place(test.host, allowed) for allowed in test.allowed_hosts), (
        f"the load test went to {test.host}, not to {' or '.join(test.allowed_hosts)}"
    )
    failed = total.failures / total.requests
    assert failed <= limits.load_fail_ratio_max, (
        f"{total.failures} requests failed, such as {test.errors[:3]}"
    )
    assert not test.exceptions, f"the load test itself is broken: {test.exceptions[:3]}"
    assert test.users >= test.wanted_users, "fewer users than load.users asks for"
    assert test.rps >= test.wanted_rps, "fewer requests a second than load.rps asks for"
    assert test.duration_s >= limits.load_min_duration_s, "too short to show a leak or a full queue"
    promised = test.rps * test.duration_s
    good = total.requests - total.failures
    assert good >= limits.load_rps_share_min * promised, f"{good} good requests where {promised:.0f} were due"
    if test.users_peak is None or test.seconds is None:
        unproven(Reason.NO_EVIDENCE, "the history of the load test is empty, so that its course is not known")
    assert test.users_peak >= test.users, f"there were {test.users_peak} users at most"
    slack_s = max(0.05 * test.duration_s, 2)
    assert test.seconds >= test.duration_s - slack_s, f"the load test was over after {test.seconds:.0f} s"
    _quick_under_load(test, limits)
    for used in test.saturation:
        limit = {
            "memory": limits.memory_ratio_max,
            "processors": limits.cpu_quota_max,
            "connections": limits.db_connections_max,
        }[used.kind]
        assert used.share <= limit, f"{used.kind} of {used.name} at {used.share:.0%} during the load test"
    if not test.released_commit:
        unproven(Reason.NO_CONFIG, "without release.commit nobody knows whether this release was tested")
    assert _same_commit(test.commit, test.released_commit), (
        f"the load test was of another commit, {test.commit}"
    )
    age = now - datetime.fromisoformat(test.started_at)
    if not test.made_now:
        assert age > timedelta(minutes=-5), f"the load test claims to have begun at {test.started_at}"
        if age.total_seconds() > limits.load_report_max_age_s:
            unproven(Reason.STALE, f"the newest load test is {age.days} days old")


def _quick_under_load(test: LoadFacts, limits: Limits) -> None:
    """Judge the whole and each critical route by itself, since the whole hides one slow route."""
    assert test.total.p95_s is not None, "the load test has no times"
    assert test.total.p95_s <= limits.load_p95_s, "responses are slow under load"
    for name in test.critical:
        routes = [route for route in test.routes if route.name == name]
        answered = sum(route.requests - route.failures for route in routes)
        assert answered >= limits.load_critical_min, f"{name} is critical and was answered too rarely"
        for route in routes:
            assert (route.p95_s or 0.0) <= limits.load_p95_s, f"{name} is slow under load"
    for route in test.routes:
        if route.p95_s is not None:
            assert route.p95_s <= limits.latency_hard_max_s, f"{route.name} takes very long under load"


def _same_commit(one: str, other: str) -> bool:
    """Compare two commits, either of which may be shortened to seven digits or more."""
    short, full = sorted((one.lower(), other.lower()), key=len)
    return len(short) >= 7 and full.startswith(short)


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
            "no container metrics: let Prometheus scrape cAdvisor or the kubelet, fit prometheus.container_"
            "selector, or set perf.require_limits = false where nothing runs in containers",
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


@pytest.mark.checklist(DB[0], text=DB[1])
def test_db_statements(db_stats_facts: DbStatsFacts, limits: Limits) -> None:
    """The statements that take most time are quick, since the statistics began and also just now."""
    often = [one for one in db_stats_facts.statements if one.calls >= limits.db_min_calls]
    lately = [one for one in db_stats_facts.statements if one.recent_calls >= limits.db_recent_min_calls]
    for one in often:
        assert one.mean_s <= limits.db_mean_max_s, f"on average {one.calls} calls are slow: {one.text}"
        assert one.slow_tail_s <= limits.db_statement_max_s, f"slow too often: {one.text}"
    for one in lately:
        if one.recent_mean_s is not None:
            assert one.recent_mean_s <= limits.db_mean_max_s, f"slow in the last seconds: {one.text}"
    if not often:
        unproven(
            Reason.NO_TRAFFIC,
            f"no statement of the application was called {limits.db_min_calls} times in database "
            f"{db_stats_facts.database}",
        )
    _statistics_tell(db_stats_facts, limits)


@pytest.mark.checklist(DB[0], text=DB[1])
def test_db_bounds(db_stats_facts: DbStatsFacts, limits: Limits) -> None:
    """Nobody blocks, no table rots, the cache holds what is read, and copies of the data keep up."""
    db = db_stats_facts
    assert db.longest_lock_wait_s <= limits.db_lock_wait_max_s, f"waiting for {db.longest_lock_wait_for}"
    assert db.longest_tx_s <= limits.db_longest_tx_s, f"a transaction stays open: {db.longest_tx_by}"
    used = db.connections / db.connections_max
    assert used <= limits.db_connections_max, (
        f"{db.connections} of {db.connections_max} connections are taken"
    )
    if db.hit_ratio is not None and db.blocks_hit + db.blocks_read >= limits.db_hit_min_blocks:
        assert db.hit_ratio >= limits.db_hit_ratio_min, "too many blocks are not found in the cache"
    for table in db.tables:
        total = table.rows + table.dead_rows
        if total >= limits.db_dead_min_rows:
            dead = table.dead_rows / total
            assert dead <= limits.db_dead_ratio_max, f"{table.name}, last vacuumed {table.last_vacuum_at}"
        if table.rows >= limits.db_big_table_rows:
            assert table.recent_seq_scans <= limits.db_big_scans_max, (
                f"{table.name} with {table.rows} rows is read from end to end, again and again"
            )
    deadlocks_per_h = db.deadlocks / max(db.stats_age_s, 3600) * 3600
    assert deadlocks_per_h <= limits.db_deadlocks_per_h_max, f"{db.deadlocks} deadlocks"
    assert db.recent_temp_bytes_per_s <= limits.db_temp_max_bytes_per_s, "queries spill to disk"
    for replica in db.replicas:
        if replica.lag_s is not None:
            assert replica.lag_s <= limits.db_replica_lag_max_s, f"standby {replica.name} lags"
    assert not db.archiver_failing, "the newest attempt to archive WAL failed"
    _statistics_tell(db, limits)


def _statistics_tell(db: DbStatsFacts, limits: Limits) -> None:
    if db.stats_age_s < limits.db_stats_min_age_s:
        unproven(
            Reason.NO_EVIDENCE,
            f"the statistics began {db.stats_age_s:.0f} s ago; whatever was slow before is forgotten",
        )
