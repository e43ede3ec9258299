"""The latency probe: how long users wait, through the public door and by the server's own histogram.

What is fast because it is wrong does not count: a 404, a refused login, a body that is no JSON, an answer out
of a cache. What is slow because the runner is far away shows: the time of a TCP connect is among the facts.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.plots import Bars, Histogram
from pytest_deploycheck.probes.latency_endpoints import endpoints_of
from pytest_deploycheck.probes.latency_server import ServerTimes, server_times
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

SAMPLES_MIN = 5
"""Rounds taken even when the deadline is near; fewer give no 95th percentile worth the name."""
SILENT_AFTER_S = 2.0
"""An answer is given up this long after `latency_hard_max_s`: it is too slow in any case."""
_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class EndpointTimes:
    """The answers of one path to the test account.

    statuses: of every answer, in order; 429 with its polite repetition aside.  limited: answers 429.
    invalid: answers that call themselves JSON and are not, or that are empty without being a 204.
    cached: answers from a cache, which are not timed.  silent: requests without an answer in time.
    ttfb_s, total_s: seconds to the end of the headers and of the body, of the good answers that are timed.
    """

    path: str
    statuses: tuple[int, ...]
    limited: int
    invalid: int
    cached: int
    silent: int
    ttfb_s: tuple[float, ...]
    total_s: tuple[float, ...]

    @property
    def p50_s(self) -> float:
        """The median of the total times, in seconds."""
        return quantile(self.total_s, 0.5)

    @property
    def p95_s(self) -> float:
        """The 95th percentile of the total times, in seconds."""
        return quantile(self.total_s, 0.95)


@dataclass(frozen=True)
class LatencyFacts:
    """All endpoints that were timed, and what the server says of all its routes.

    logged_in: the requests carried the test account's token.  connect_s: median of three TCP connects from
    here, a round trip, None when it could not be measured.  beyond_health: paths other than those by which
    the service says how it is.  distribution, per_endpoint: the same numbers as plots.
    """

    logged_in: bool
    connect_s: float | None
    endpoints: tuple[EndpointTimes, ...]
    beyond_health: tuple[str, ...]
    server: ServerTimes
    distribution: Histogram
    per_endpoint: Bars


def quantile(values: tuple[float, ...], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


@probe(
    facts=LatencyFacts,
    deadline=120,
    needs=("api",),
    uses={"api": "GET connect", "login": "POST", "prometheus": "GET"},
)
def latency(target: Target, connect: Connections) -> LatencyFacts:
    """Ask every endpoint several times, a round a second, and read the server's own response times."""
    logged_in = connect.has_account("test_account")
    http = connect.api() if logged_in else connect.http("api")
    paths = endpoints_of(target, http, logged_in)
    http.get(target.health.path)  # opens the connection, so that no sample pays for the handshake
    limits = target.limits
    found = {path: _Tally(path) for path in paths}
    for number in range(limits.latency_samples):
        started = time.monotonic()
        if number:
            connect.sleep(limits.latency_interval_s)
        for tally in found.values():
            tally.ask(http, connect, limits)
        if number + 1 >= SAMPLES_MIN and connect.remaining() < 2 * (time.monotonic() - started) + 20:
            break
    endpoints = tuple(tally.times() for tally in found.values())
    own = {target.health.path, target.health.version_path, target.api.openapi_path}
    timed = [value for endpoint in endpoints for value in endpoint.total_s]
    return LatencyFacts(
        logged_in=logged_in,
        connect_s=_round_trip(target, connect),
        endpoints=endpoints,
        beyond_health=tuple(
            path
            for path in paths
            if not any(path == base or path.startswith(f"{base}/") for base in own if base)
        ),
        server=_server(target, connect),
        distribution=Histogram("Response times, all endpoints", "s", _buckets(timed), limits.latency_p95_s),
        per_endpoint=Bars(
            "Response time by endpoint, 95th percentile",
            "s",
            tuple((endpoint.path, endpoint.p95_s) for endpoint in endpoints if endpoint.total_s),
            limits.latency_p95_s,
        ),
    )


class _Tally:
    """One path's answers while they come in."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._statuses: list[int] = []
        self._counts = {"limited": 0, "invalid": 0, "cached": 0, "silent": 0}
        self._times: list[tuple[float, float]] = []

    def ask(self, http: Http, connect: Connections, limits: Limits) -> None:
        """Send one request and count what comes; a path that was silent once is not asked again."""
        if self._counts["silent"]:
            return
        try:
            answer = http.get(self.path, timeout=limits.latency_hard_max_s + SILENT_AFTER_S)
        except CannotLook as why:
            if why.reason is not Reason.TIMEOUT:
                raise
            connect.remaining()  # our own time is up: that is no fact about the service
            self._counts["silent"] += 1
            return
        if answer.status == 429:
            self._counts["limited"] += 1
            return
        self._statuses.append(answer.status)
        if not 200 <= answer.status < 300:
            return
        if not _valid(answer):
            self._counts["invalid"] += 1
        elif cached(answer):
            self._counts["cached"] += 1
        else:
            self._times.append((round(answer.ttfb_s, 4), round(answer.total_s, 4)))

    def times(self) -> EndpointTimes:
        """Return what was counted."""
        return EndpointTimes(
            path=self.path,
            statuses=tuple(self._statuses),
            ttfb_s=tuple(ttfb for ttfb, _ in self._times),
            total_s=tuple(total for _, total in self._times),
            **self._counts,
        )


def cached(answer: Response) -> bool:
    """Whether a cache answered: an Age above zero, or one of the usual headers that report a hit."""
    age = (answer.header("age") or "0").strip()
    hits = " ".join(answer.all("x-cache") + answer.all("cf-cache-status") + answer.all("x-cache-status"))
    return (age.isdigit() and int(age) > 0) or "hit" in hits.lower()


def _valid(answer: Response) -> bool:
    if not answer.body:
        return answer.status == 204
    kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    if not (kind.endswith("/json") or kind.endswith("+json")) or answer.truncated:
        return True
    try:
        answer.json()
    except CannotLook:
        return False
    return True


def _server(target: Target, connect: Connections) -> ServerTimes:
    """Read the server's histogram; without Prometheus the other measure stands alone."""
    try:
        return server_times(target, connect)
    except (Dead, CannotLook) as why:
        metric = target.prometheus.latency_metric if target.prometheus else ""
        return ServerTimes(metric=metric, window_s=0.0, routes=(), declared=False, note=why.message)


def _round_trip(target: Target, connect: Connections) -> float | None:
    url = urlsplit(target.target.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    took = []
    for _ in range(3):
        connect.socket_allowed("api", "connect", f"{url.hostname}:{port}")
        started = time.monotonic()
        try:
            socket.create_connection((url.hostname or "", port), timeout=3).close()
        except OSError:
            return None
        took.append(time.monotonic() - started)
    return round(sorted(took)[1], 4)


def _buckets(values: list[float]) -> tuple[tuple[float, int], ...]:
    """Count the values under the usual edges, up to the last edge that has any."""
    edges = [edge for edge in _EDGES_S if edge < max(values, default=0.0)]
    edges.append(next((edge for edge in _EDGES_S if edge not in edges), max(values, default=0.0)))
    counts = [sum(value <= edge for value in values) for edge in edges]
    return tuple(
        (edge, count - before) for edge, count, before in zip(edges, counts, [0, *counts], strict=False)
    )
