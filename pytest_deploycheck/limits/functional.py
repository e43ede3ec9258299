"""Limits of post_deploy: functional."""

from __future__ import annotations

from pytest_deploycheck.limits.base import Numbers, limit


class FunctionalLimits(Numbers):
    """Limits of post_deploy: functional."""

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
