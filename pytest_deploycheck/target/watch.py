"""How the product is watched after its go-live."""

from __future__ import annotations

from pytest_deploycheck.target.base import Section


class WatchSection(Section):
    """`[watch]`: what the first day and the first week are judged by.

    The metrics are names or selectors of series in Prometheus.  `queries`: PromQL by the name of what it
    measures (see probes/window_queries.py), instead of the usual one over these metrics; `$step` in it is the
    width of a step.  `signups_query`: a SELECT of `created_at`, a row for each new user.  `refund_queries`: a SELECT of `created_at` by the
    name of what it lists: refunds, disputes.  `queue_queries`: the same of what still waits: webhooks, payouts.  `resources`: what must be measured
    to say something of them (see probes/window_peaks.py); restarts are of containers.
    """

    head_time_metric: str = "chain_head_timestamp_seconds"
    head_metric: str = "app_chain_head_block"
    sent_metric: str = "app_transactions_sent_total"
    failed_metric: str = "app_transactions_failed_total"
    signer_metric: str = "chain_signer_balance_wei"
    queries: dict[str, str] = {}
    signups_query: str = ""
    refund_queries: dict[str, str] = {}
    queue_queries: dict[str, str] = {}
    resources: list[str] = ["cpu", "memory", "disk", "restarts"]
