"""What Prometheus reads from each instance."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNMATCHED = "unmatched"  # the route of a request that no route serves
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Failures that alert rules look for count from zero: a rule over a series that does not exist yet can neither
# see the first increase nor be told from a rule over a misspelt name.
_FAILURES = (
    ("GET", "/health", "503"),
    ("POST", "/auth/login", "401"),
    ("POST", "/auth/login", "429"),
    ("GET", "/token/quote", "429"),
)


class Metrics:
    """One registry, so that a test may make as many as it likes."""

    def __init__(self, version: str, commit: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "http_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        for series in _FAILURES:
            self.requests.labels(*series)
        self.durations = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.logins = self._counter("app_logins_total", "Logins, by result.", ["result"])
        self.rate_limited = self._counter(
            "app_rate_limited_total", "Requests refused by a rate limit or a lockout.", ["route"]
        )
        self.rpc_errors = self._counter("app_rpc_errors_total", "Calls to the node without a usable answer.")
        self.limiter_errors = self._counter(
            "app_limiter_errors_total", "Requests let through because the rate limiter's store was away."
        )
        self.reverted = self._counter(
            "app_transactions_failed_total", "Transactions that failed on the chain."
        )
        self.sent = self._counter("app_transactions_sent_total", "Transactions sent.", ["kind"])
        self.errors = self._counter("app_errors_total", "Requests that ended in an unexpected error.")
        self.indexer_block = self._gauge("app_indexer_block", "Last block whose events are indexed.")
        self.head_block = self._gauge("app_chain_head_block", "Newest block that the service has seen.")
        self.head_at = self._gauge("app_chain_head_timestamp_seconds", "Time of the newest block seen.")
        self.queue_depth = self._gauge("app_queue_depth", "Purchases and redemptions not yet confirmed.")
        self.signer_balance = self._gauge("app_signer_balance_wei", "Ether of the signer's account, in wei.")
        self.leader = self._gauge("app_indexer_leader", "1 on the instance whose indexer runs.")
        self.pool_size = self._gauge("app_db_pool_size", "Open database connections.")
        self.pool_idle = self._gauge("app_db_pool_idle", "Open database connections not in use.")
        self.pool_max = self._gauge("app_db_pool_max", "Most database connections that may be open.")
        self.pool_waiting = self._gauge("app_db_pool_waiting", "Threads waiting for a database connection.")
        build = Gauge("app_build_info", "The running release.", ["version", "commit"], registry=self.registry)
        build.labels(version, commit).set(1)
        self._frozen: bytes | None = None
        self._lock = threading.Lock()

    def _counter(self, name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(name, text, labels or [], registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def page(self, frozen: bool) -> bytes:
        """Return the exposition; frozen, the one that was current when the freeze began."""
        with self._lock:
            if not frozen:
                self._frozen = None
                return generate_latest(self.registry)
            if self._frozen is None:
                self._frozen = generate_latest(self.registry)
            return self._frozen
