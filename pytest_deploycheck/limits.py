"""Limits: every number that a check compares with, its unit, and where the number comes from.

Each is set under `[limits]` of the target file by the same name. "own" as a source means our own
judgement; "checklist" means that the item's wording says it. A test reads limits through `Recorded`,
so that the evidence shows which limits decided.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from pytest_deploycheck.verdict import LimitUse


def limit(default: float, unit: str, source: str) -> Any:
    """Declare a limit with its unit and source."""
    return Field(default=default, description=source, json_schema_extra={"unit": unit}, ge=0)


class Limits(BaseModel):
    """All limits; a target file may change any of them, within the sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Functional
    health_samples: int = limit(5, "requests", "own: five looks at the health endpoint")
    health_interval_s: float = limit(2.0, "s", "own: five looks over ten seconds")
    health_p95_s: float = limit(0.5, "s", "own")
    health_max_age_s: float = limit(10.0, "s", "own: a body older than this is a cached one")
    access_ttl_max_s: float = limit(3600, "s", "own, OWASP ASVS 5.0 9.2.1: short-lived access tokens")
    refresh_ttl_max_s: float = limit(30 * 86400, "s", "own")
    wrong_logins_max: int = limit(3, "logins", "own: never enough to lock an account")
    wallet_max_block_skew: int = limit(12, "blocks", "own")
    wallet_history_blocks: int = limit(500, "blocks", "own: hosted nodes cap the range of eth_getLogs")
    token_fee_max: float = limit(0, "ratio", "own: what a quote may ask beyond the contract's price")
    token_evidence_max_age_s: float = limit(7 * 86400, "s", "own")
    token_pending_max_s: float = limit(1800, "s", "own")
    token_records: int = limit(200, "rows", "own: newest purchases and redemptions compared with the chain")
    token_min_records: int = limit(1, "rows", "own: nothing compared is nothing proven")
    books_max_lag_blocks: int = limit(12, "blocks", "own: newer events may not be in the index yet")
    round_trip_mined_s: float = limit(60, "s", "own: five blocks of the main network's time")
    round_trip_settled_s: float = limit(30, "s", "own: from the block to the row")
    chain_max_lag_blocks: int = limit(3, "blocks", "own: reads through the API")
    chain_max_indexer_lag_blocks: int = limit(12, "blocks", "own")
    chain_max_queue: int = limit(50, "jobs", "own: more waiting than this is not draining")
    chain_interval_s: float = limit(5, "s", "own: two looks this far apart")
    chain_scrape_wait_s: float = limit(20, "s", "own: one scrape after the looks, at the usual 15 s")
    chain_min_reads: int = limit(2, "reads", "own: values of the contract compared in each look")
    chain_rpc_errors_max: int = limit(0, "errors", "own: counted by the application during the looks")
    db_window_s: float = limit(60, "s", "own: statistics are watched this long, or until writes have moved")
    db_window_min_s: float = limit(10, "s", "own: statistics are watched at least this long")
    db_rollback_min_xacts: int = limit(20, "transactions", "own: the share of fewer says nothing")
    db_log_lookback_s: float = limit(3600, "s", "own: or since the deployment, if that was later")
    db_rollback_ratio_max: float = limit(0.05, "ratio", "own")
    db_idle_in_tx_max_s: float = limit(60, "s", "own")
    db_sequence_used_max: float = limit(0.8, "ratio", "own")
    db_errors_max: int = limit(0, "lines", "own: classes 40, 53, 57 and 58 since the deployment")

    # Performance
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

    # Security
    cert_remaining_min: float = limit(0.25, "ratio", "own: of the certificate's lifetime")
    cert_lifetime_max_d: float = limit(200, "days", "CA/Browser Forum SC-081v3, from 2026-03-15")
    cert_rsa_bits_min: int = limit(2048, "bits", "CA/Browser Forum Baseline Requirements 6.1.5")
    cert_ec_bits_min: int = limit(256, "bits", "CA/Browser Forum Baseline Requirements 6.1.5: P-256")
    cert_scts_min: int = limit(2, "SCTs", "browser Certificate Transparency policies; public CAs only")
    clock_skew_max_s: float = limit(60, "s", "own: beyond it times are not comparable")
    hsts_min_age_s: float = limit(31_536_000, "s", "OWASP ASVS 5.0 3.4.1: one year")
    burst_max_requests: int = limit(300, "requests", "own: per policy row")
    burst_max_rps: float = limit(
        20, "requests/s", "own; raised to what reaching the limit in its window takes"
    )
    burst_below_share: float = limit(0.8, "ratio", "own: this share of a limit must pass")
    burst_above_share: float = limit(1.2, "ratio", "own: refused by this share of a limit")
    authz_routes_max: int = limit(200, "operations", "own")
    authz_max_rps: float = limit(50, "requests/s", "own: some hundred small requests, spread")
    logs_lookback_s: float = limit(86400, "s", "own")
    logs_lines_max: int = limit(20_000, "lines", "own: newest lines scanned of each service")
    logs_min_lines: int = limit(1, "lines", "own: no lines is not clean")
    scan_max_age_s: float = limit(7 * 86400, "s", "own: image scans")
    web_scan_max_age_s: float = limit(30 * 86400, "s", "own")
    scan_db_max_age_s: float = limit(86400, "s", "own: vulnerability database at the time of the scan")

    # Monitoring
    prom_up_min: float = limit(0.95, "ratio", "own: share of an hour's scrapes that succeeded")
    prom_window_s: float = limit(3600, "s", "own")
    prom_scrape_age_factor: float = limit(2.0, "intervals", "own: newest scrape at most this old")
    prom_still_min_requests: int = limit(
        100, "requests", "own: an instance that counts none while others count this many counts no more"
    )
    prom_retention_min_d: float = limit(15, "days", "Prometheus default")
    prom_movement_requests: int = limit(5, "requests", "own: sent by the probe, must show in the counter")
    prom_movement_s: float = limit(30, "s", "own: two scrapes at the usual 15 s, within which they must show")
    grafana_panels_share: float = limit(0.9, "ratio", "own: panels that show data")
    grafana_window_s: float = limit(3600, "s", "own")
    rules_for_min_s: float = limit(60, "s", "own: shorter alerts flap")
    rules_age_factor: float = limit(2.0, "intervals", "own: last evaluation at most this old")
    rules_series_window_s: float = limit(86400, "s", "own: a selector without series for this long is dead")
    logs_newest_max_s: float = limit(300, "s", "own")
    logs_gap_window_s: float = limit(86400, "s", "own: gaps are looked for this far back")
    logs_gap_max_s: float = limit(600, "s", "own: longest silence of a service that is busy otherwise")
    logs_busy_lines: int = limit(10, "lines", "own: a service with this many each `logs_gap_max_s` is busy")
    logs_drop_window_s: float = limit(3600, "s", "own: lines lost by the agent within this")
    logs_round_trip_s: float = limit(60, "s", "own")
    logs_skew_max_s: float = limit(5, "s", "own")
    logs_retention_min_d: float = limit(30, "days", "own")
    errors_read_back_s: float = limit(60, "s", "own")
    uptime_interval_max_s: float = limit(300, "s", "own")
    uptime_age_factor: float = limit(2.0, "intervals", "own: last check at most this old")


class Recorded:
    """The limits as a test sees them: reading one leaves a trace for the evidence."""

    def __init__(self, limits: Limits, origin: str) -> None:
        self._limits = limits
        self._origin = origin
        self._read: dict[str, LimitUse] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._limits, name)
        info = type(self._limits).model_fields[name]
        extra = cast(dict[str, Any], info.json_schema_extra)
        origin = self._origin if name in self._limits.model_fields_set else "default"
        self._read[name] = LimitUse(name, value, str(extra["unit"]), info.description or "", origin)
        return value

    def used(self) -> tuple[LimitUse, ...]:
        """Return the limits read so far, in reading order."""
        return tuple(self._read.values())
