"""Rate limits that all instances share, in Valkey; and the count of failed logins of an account."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass

import redis
from fastapi import Request

from pytest_deploycheck.demo.app.metrics import Metrics
from pytest_deploycheck.demo.app.problems import Problem
from pytest_deploycheck.demo.app.switches import Switches

# Keeps the time of each request of the last window in a sorted set. Returns the number that is left, or -1,
# and the milliseconds until the oldest of them leaves the window.
_SLIDING_WINDOW = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - window)
local count = redis.call('ZCARD', KEYS[1])
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local reset = window
if oldest[2] then reset = tonumber(oldest[2]) + window - ms end
if count >= limit then return {-1, reset} end
redis.call('ZADD', KEYS[1], ms, now[1] .. '.' .. now[2] .. '.' .. count)
redis.call('PEXPIRE', KEYS[1], window)
return {limit - count - 1, reset}
"""
# NIST SP 800-63B-4 allows at most 100 consecutive failures of an account.
MAX_FAILURES, LOCKOUT_S = 50, 60


@dataclass(frozen=True)
class Policy:
    """At most `limit` requests of one client in any `window_s` seconds."""

    limit: int
    window_s: int


POLICIES = {"/token/quote": Policy(20, 2), "/auth/login": Policy(10, 2)}


class Limiter:
    """Counts requests; when its store is away, requests pass and are counted as unlimited."""

    def __init__(self, url: str, password: str, switches: Switches, metrics: Metrics) -> None:
        self._store = redis.Redis.from_url(
            url,
            password=password or None,
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            retry=None,
            decode_responses=True,
        )
        self._script = self._store.register_script(_SLIDING_WINDOW)
        self._switches, self._metrics = switches, metrics
        self._own: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def admit(self, route: str, client: str) -> dict[str, str]:
        """Count a request and return the headers to answer with; Problem 429 when it is one too many."""
        policy = POLICIES[route]
        if self._switches.lists("limiter_off", route):
            return {}
        left, reset_s = self._count(f"limit:{route}:{client}", policy)
        if left is None:
            return {}
        headers = {
            "RateLimit-Policy": f'"client";q={policy.limit};w={policy.window_s}',
            "RateLimit": f'"client";r={max(left, 0)};t={reset_s}',
        }
        if left < 0:
            raise self._refusal(route, "Too many requests from this address.", reset_s, headers)
        return headers

    def check_account(self, username: str) -> None:
        """Problem 429 while an account is locked, whether or not it exists."""
        if self._switches.on("lockout_off"):
            return
        try:
            failures = self._store.get(f"failures:{username}")
            if failures is None or int(str(failures)) < MAX_FAILURES:
                return
            wait_s = max(int(str(self._store.ttl(f"failures:{username}"))), 1)
        except redis.RedisError:
            self._metrics.limiter_errors.inc()
            return
        raise self._refusal("/auth/login", "Too many failed logins of this account.", wait_s, {})

    def note_login(self, username: str, succeeded: bool) -> None:
        """Count a failed login; a successful one clears the count."""
        name = f"failures:{username}"
        try:
            if succeeded:
                self._store.delete(name)
            else:
                with self._store.pipeline() as pipeline:
                    pipeline.incr(name)
                    pipeline.expire(name, LOCKOUT_S)
                    pipeline.execute()
        except redis.RedisError:
            self._metrics.limiter_errors.inc()

    def ping(self) -> None:
        """Raise redis.RedisError unless the store answers."""
        self._store.ping()

    def _refusal(self, route: str, detail: str, wait_s: int, headers: dict[str, str]) -> Problem:
        self._metrics.rate_limited.labels(route).inc()
        return Problem(429, detail, {**headers, "Retry-After": str(wait_s)})

    def _count(self, name: str, policy: Policy) -> tuple[int | None, int]:
        """Return how many requests are left, -1 for one too many, None for unknown; and seconds to wait."""
        if self._switches.on("limiter_per_worker"):
            return self._count_alone(name, policy)
        try:
            left, reset_ms = self._script(keys=[name], args=[policy.limit, policy.window_s * 1000])
        except redis.RedisError:
            self._metrics.limiter_errors.inc()
            return None, 0
        return int(left), max(math.ceil(reset_ms / 1000), 1)

    def _count_alone(self, name: str, policy: Policy) -> tuple[int, int]:
        now = time.monotonic()
        with self._lock:
            times = self._own[name]
            while times and times[0] <= now - policy.window_s:
                times.popleft()
            wait_s = math.ceil(times[0] + policy.window_s - now) if times else policy.window_s
            if len(times) >= policy.limit:
                return -1, wait_s
            times.append(now)
            return policy.limit - len(times), wait_s


def client_address(request: Request, switches: Switches) -> str:
    """Return who is asking: what the edge says, when it is the edge that asks."""
    peer = request.client.host if request.client else "unknown"
    if switches.on("limiter_xff"):
        for name in ("x-original-forwarded-for", "x-forwarded-for"):
            if claimed := request.headers.get(name):
                return claimed.split(",")[0].strip()
    if peer.startswith("127."):
        return request.headers.get("x-real-ip", peer)
    return peer
