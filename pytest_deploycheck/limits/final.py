"""Limits of go_live: final checks; of operations: alerts; of post_go_live: dependencies."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class FinalLimits(Numbers):
    """Limits of go_live: final checks; of operations: alerts that warn early; of post_go_live: dependencies."""

    green_window_s: float = limit(900, "s", "own: monitoring is green for so long without a pause")
    green_coverage_min: float = limit(0.95, "ratio", "own: of the scrapes that were due in the window")
    green_settle_s: float = limit(120, "s", "own: a target that is new may fail for so long at its start")
    green_failed_max: int = limit(0, "scrapes", 'checklist: "all systems green"')
    green_run_max_age_h: float = limit(24, "h", "own: an item's newest verdict in the ledger")
    critical_recent_s: float = limit(600, "s", "own: no critical alert has fired for so long")
    critical_pending_max_s: float = limit(30, "s", "own: a condition that holds longer is no hiccup")
    watchdog_max_age_s: float = limit(300, "s", "own: the always-firing alert arrived within this")
    evaluation_age_factor: float = limit(2.0, "intervals", "own: a rule group's last evaluation")
    evaluation_age_min_s: float = limit(30, "s", "own: on short intervals, jitter is no standstill")
    slo_window_s: float = limit(1800, "s", "own: the worst of so long counts, besides the present value")
    slo_rate_s: float = limit(300, "s", "own: rates are taken over this")
    slo_min_span_s: float = limit(300, "s", "own: a shorter stretch says nothing")
    slo_settle_s: float = limit(
        120, "s", "own: right after a release, what is slow at first may be so for so long"
    )
    slo_traffic_min_rps: float = limit(0.1, "requests/s", "own: an idle system is within every limit")
    slo_availability_min: float = limit(0.99, "ratio", "own: looks from outside that succeeded")
    slo_error_ratio_max: float = limit(0.01, "ratio", "own: requests answered with a server error")
    slo_p95_s: float = limit(1.0, "s", "checklist: < 1s for most endpoints")
    slo_cpu_max: float = limit(0.7, "ratio", "own: of a host's processors")
    slo_memory_max: float = limit(0.8, "ratio", "own: of a host's memory")
    slo_disk_max: float = limit(0.8, "ratio", "own: of a file system")
    slo_connections_max: float = limit(0.8, "ratio", "own: of the database's connections")
    slo_queue_max: float = limit(100, "entries", "own: waiting")
    slo_rpc_errors_max: float = limit(0.1, "per second", "own: calls to the node that failed")
    slo_lag_max_blocks: float = limit(12, "blocks", "own: of the indexer behind the head")
    slo_regression_max: float = limit(1.2, "times", "own: the response time of before the release")
    slo_regression_floor_s: float = limit(0.1, "s", "own: below this a multiple of nearly nothing")
    final_code_scan_max_age_h: float = limit(24, "h", "own: scans of code and dependencies at go-live")
    final_image_scan_max_age_h: float = limit(24, "h", "own: scans of running images at go-live")
    final_web_scan_max_age_d: float = limit(7, "days", "own: scan of the public door at go-live")
    contract_audit_max_age_d: float = limit(366, "days", "own: word of a contract's audit, bound to its code")
    security_waiver_max_d: float = limit(90, "days", "own: a finding is accepted for no longer")
    silence_max_d: float = limit(7, "days", "own: a longer silence is a rule that should be changed")
    silence_recreated_max: int = limit(3, "times", "own: the same silence again is a rule to change")
    deadman_ping_max_age_s: float = limit(
        3600, "s", "own: the outside watcher heard of the alerting within this"
    )
    deps_update_every_d: float = limit(35, "days", 'checklist: "regular"; own: monthly, with slack')
    deps_audit_max_age_d: float = limit(8, "days", "own: audited weekly, with a day's slack")
    deps_base_max_age_d: float = limit(30, "days", "own: images are built anew monthly")
    deps_deploy_lag_max_d: float = limit(14, "days", "own: an update reaches production within this")
