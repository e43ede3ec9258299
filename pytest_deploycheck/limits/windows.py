"""Limits of post_go_live: the first day and the first week."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class WindowLimits(Numbers):
    """Limits of post_go_live: first day, first week."""

    window_slot_s: float = limit(
        300, "s", "own: a scheduled run each five minutes; the same key of cron or timer"
    )
    window_runs_min: float = limit(0.95, "ratio", "own: of the scheduled runs that are in the ledger")
    window_coverage_min: float = limit(0.99, "ratio", "own: of the samples that were due since go-live")
    window_good_min: float = limit(0.99, "ratio", "own: of the five-minute steps with traffic")
    window_p95_s: float = limit(1.0, "s", "checklist: < 1s for most endpoints; of all requests in a step")
    window_objective: float = limit(0.999, "ratio", "own: requests answered without a server error")
    window_burn_max: float = limit(1.0, "budgets", "own: share of the day's error budget that may be used")
    window_outside_min: float = limit(0.99, "ratio", "own: of the looks from outside that succeeded")
    window_judged_min: float = limit(0.5, "ratio", "own: of the steps, must have had traffic to judge by")
    window_error_ratio_max: float = limit(0.01, "ratio", "own: of the requests in a step")
    window_spike_factor: float = limit(3.0, "times", "own: over what was usual in the week before")
    window_log_lines_max: float = limit(
        20, "lines", "own: of level error in five minutes, where few are usual"
    )
    window_false_alarm_max: float = limit(
        0.01, "ratio", "own: chance that a healthy window is called a spike or a regression"
    )
    errors_triage_h: float = limit(
        4, "h", "own: until a new group of errors is assigned, resolved or ignored"
    )
    window_silence_requests: float = limit(
        20,
        "requests",
        "own: a silence is an outage where a tenth of the median traffic would have been so many",
    )
    window_transactions_rate_min: float = limit(0.98, "ratio", "own: of purchases and redemptions, settled")
    window_transactions_min_failed: int = limit(2, "transactions", "own: a single failure is no rate")
    window_transactions_slot_s: float = limit(
        3600, "s", "own: a scheduled run each hour looks at transactions"
    )
    window_refunds_max: float = limit(
        0.02, "ratio", "own: of purchases and redemptions that ended, of each kind"
    )
    window_queue_lag_max_s: float = limit(1800, "s", "own: as for pending orders; the oldest that waits")
    window_rpc_error_ratio_max: float = limit(
        0.01, "ratio", "own: failed calls to the node per request served"
    )
    window_head_age_max_s: float = limit(120, "s", "own: ten blocks of twelve seconds")
    window_lag_p99_blocks: float = limit(10, "blocks", "own: of the indexer behind the head")
    window_reverted_max: float = limit(0.02, "ratio", "own: of the transactions sent")
    window_reorg_depth_max: float = limit(
        3, "blocks", "own: taken back at once; those that are waited for before something is settled"
    )
    window_reference_blocks_max: float = limit(5, "blocks", "own: as nodes of two providers may differ")
    window_failovers_max: float = limit(3, "events", "own: changes to another node in a day")
    window_dropped_max: float = limit(0.02, "ratio", "own: of the transactions sent")
    window_signer_days_min: float = limit(
        7, "days", "own: for which the signer's balance lasts at the day's rate"
    )
    window_log_growth_max: float = limit(
        3.0, "times", "own: of the busiest hour of the week before, or else of the first hour"
    )
    window_cpu_max: float = limit(0.8, "ratio", "own: p95 of a host's processors over the day")
    window_memory_max: float = limit(0.85, "ratio", "own: peak of a host's, and of a container's limit")
    window_disk_max: float = limit(0.8, "ratio", "own: peak, of space and of inodes")
    window_disk_days_min: float = limit(7, "days", "own: until a file system is full at the last hours' rate")
    window_descriptors_max: float = limit(0.8, "ratio", "own: peak, of the file descriptors that may be open")
    window_connections_max: float = limit(0.8, "ratio", "own: peak, of the database's connections")
    window_store_memory_max: float = limit(0.85, "ratio", "own: peak, of the cache's memory limit")
    window_counts_max: int = limit(0, "events", "own: restarts, and kills for want of memory")
    window_evictions_max: int = limit(0, "keys", "own: a cache that evicts by design has a limit of its own")
    window_network_errors_max: int = limit(100, "packets", "own: of a host in a day")
    trends_rise_max: float = limit(0.2, "ratio", "own: of p95 over the week before")
    trends_power_min: float = limit(
        0.95, "ratio", "own: chance that a rise of `trends_rise_max` is not called steady"
    )
    trends_disk_days_min: float = limit(30, "days", "own: less, and the review must name the action")
    trends_opens_d: float = limit(5, "days", "own: after go-live; earlier there is too little to review")
    trends_closes_d: float = limit(10, "days", "own: after go-live; the review is signed until then")
