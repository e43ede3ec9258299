"""Limits of post_deploy: performance."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class PerformanceLimits(Numbers):
    """Limits of post_deploy: performance."""

    latency_samples: int = limit(20, "requests", "own: per endpoint; 5 in the smoke stage")
    latency_interval_s: float = limit(1.0, "s", "own: one request a second is no load")
    latency_p95_s: float = limit(1.0, "s", "checklist: < 1s for most endpoints")
    latency_share_ok: float = limit(0.9, "ratio", "own: what 'most' means")
    latency_hard_max_s: float = limit(3.0, "s", "own: no endpoint slower than this")
    latency_window_s: float = limit(900, "s", "own: the server's own histogram is read over this")
    load_fail_ratio_max: float = limit(0.01, "ratio", "own")
    load_p95_s: float = limit(1.0, "s", "checklist: < 1s for most endpoints")
    load_min_duration_s: float = limit(600, "s", "own")
    load_rps_share_min: float = limit(0.95, "ratio", "own: of the requests that rate and duration promise")
    load_critical_min: int = limit(100, "requests", "own: per critical endpoint")
    load_report_max_age_s: float = limit(30 * 86400, "s", "own")
    load_stop_fail_ratio: float = limit(0.02, "ratio", "own: a run in progress ends at this share of errors")
    resource_window_s: float = limit(3600, "s", "own: memory and CPU are judged over an hour")
    resource_rate_s: float = limit(300, "s", "own: rates are taken over this; at least four scrapes")
    resource_min_span_s: float = limit(300, "s", "own: a shorter stretch of a window says nothing")
    trend_window_s: float = limit(6 * 3600, "s", "own: memory growth is fitted over six hours")
    memory_ratio_max: float = limit(0.8, "ratio", "own: working set of the container's limit")
    memory_available_min: float = limit(0.15, "ratio", "own: of the host's memory")
    memory_projection_s: float = limit(86400, "s", "own: growth projected this far must stay in the limit")
    memory_swap_in_max: float = limit(100, "pages/s", "own: pages read back from swap are thrashing")
    memory_oom_window_s: float = limit(
        86400, "s", "own: kills for want of memory are looked for this far back"
    )
    memory_oom_kills_max: int = limit(0, "kills", "own")
    cpu_busy_max: float = limit(0.7, "ratio", "own: p95 of the host")
    cpu_load_max: float = limit(1.0, "per core", "own: load5 per core")
    cpu_throttled_max: float = limit(0.05, "ratio", "own: CFS periods throttled")
    cpu_quota_max: float = limit(0.9, "ratio", "own: a container at its quota is a runaway")
    cpu_sustained_s: float = limit(900, "s", "own: at its quota for this long without a pause")
    cpu_steal_max: float = limit(0.05, "ratio", "own")
    cpu_iowait_max: float = limit(0.1, "ratio", "own")
    traffic_min_rps: float = limit(0.1, "requests/s", "own: below it nothing was measured under load")
    db_stats_min_age_s: float = limit(3600, "s", "own: statistics reset minutes ago look perfect")
    db_min_calls: int = limit(50, "calls", "own: statements called less often are not judged")
    db_mean_max_s: float = limit(0.1, "s", "own: mean of the top twenty statements")
    db_statement_max_s: float = limit(
        1.0, "s", "own: mean plus three standard deviations; one outlier in a million calls is none"
    )
    db_hit_ratio_min: float = limit(0.99, "ratio", "PostgreSQL documentation, own")
    db_hit_min_blocks: int = limit(100_000, "blocks", "own: fewer say nothing about the cache")
    db_big_table_rows: int = limit(100_000, "rows", "own: sequential scans matter from here")
    db_longest_tx_s: float = limit(300, "s", "own")
    db_lock_wait_max_s: float = limit(5, "s", "own")
    db_dead_ratio_max: float = limit(0.2, "ratio", "own: autovacuum's default scale factor")
    db_dead_min_rows: int = limit(10_000, "rows", "own: small tables are not judged")
    db_connections_max: float = limit(0.8, "ratio", "own: of max_connections")
    db_stats_interval_s: float = limit(20, "s", "own: two looks at the statistics this far apart")
    db_recent_min_calls: int = limit(10, "calls", "own: between the two looks")
    db_big_scans_max: int = limit(
        1, "scans", "own: of one big table between the two looks; one may be a dump"
    )
    db_deadlocks_per_h_max: float = limit(1, "per hour", "own: since the statistics began")
    db_temp_max_bytes_per_s: float = limit(10e6, "B/s", "own: sorts and joins spilled to disk")
    db_replica_lag_max_s: float = limit(30, "s", "own")
