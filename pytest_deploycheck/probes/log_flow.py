"""The log flow probe: do the lines of every service arrive, soon, whole, and stamped with the right time."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki, promql
from pytest_deploycheck.probes.loki import Loki
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.model import LogsSection
from pytest_deploycheck.transports import Connections

DROPPED = (
    "promtail_dropped_entries_total",
    "loki_write_dropped_entries_total",
    "fluentbit_output_dropped_records_total",
    "vector_component_discarded_events_total",
)
"""Counters of lost lines that the usual agents keep."""
_RETENTION = re.compile(r"retention_period:\s*(\d+(?:\.\d+)?)([smhdw])")
_DAYS = {"s": 1 / 86_400, "m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0}


@dataclass(frozen=True)
class ServiceFlow:
    """One service: age of its newest line (None without one), its lines in the window, its longest silence.

    longest_gap_s: None for a service that is not busy enough for silence to mean anything.
    """

    service: str
    newest_age_s: float | None
    lines: int
    longest_gap_s: float | None


@dataclass(frozen=True)
class RoundTrip:
    """One request of ours: `arrived_s` until its line was found, None if never; `skew_s` of its stamp."""

    service: str
    arrived_s: float | None
    skew_s: float | None


@dataclass(frozen=True)
class LogFlowFacts:
    """All services' lines in the log backend.

    round_trip: None when no request could be sent.  dropped: lines that the agent lost lately, None when
    nobody counts them.  retention_d: days, None when the backend does not say.
    """

    services: tuple[ServiceFlow, ...]
    round_trip: RoundTrip | None
    dropped: float | None
    retention_d: float | None


@probe(
    facts=LogFlowFacts,
    deadline=90,
    needs=("logs_gate",),
    uses={"logs": "GET", "api": "GET", "prometheus": "GET"},
)
def log_flow(target: Target, connect: Connections) -> LogFlowFacts:
    """Send a request with a nonce and wait for its line; ask for every service's newest line and silences."""
    section = target.logs
    assert section is not None
    client = loki.client(target, connect)
    nonce = f"flow-{connect.run_id}"
    sent = _send(target, connect, nonce)
    services = tuple(_flow(target, client, section, name, connect) for name in section.services)
    return LogFlowFacts(
        services=services,
        round_trip=_wait_for(target, client, section, nonce, sent, connect) if sent is not None else None,
        dropped=_dropped(target, connect, section),
        retention_d=_retention(client),
    )


def _send(target: Target, connect: Connections, nonce: str) -> float | None:
    try:
        # In the query and as the client's name: which of the two is logged differs, one nearly always is.
        http = connect.http("api", headers={"User-Agent": f"deploycheck/{nonce}"})
        http.get(target.health.path, params={"dc": nonce})
    except (Dead, CannotLook):
        return None
    return connect.now().timestamp()


def _flow(
    target: Target, client: Loki, section: LogsSection, service: str, connect: Connections
) -> ServiceFlow:
    selector = client.selector(service)
    now = connect.now().timestamp()
    newest = client.lines(selector, now - target.limits.logs_lookback_s, now, limit=1)
    bucket = target.limits.logs_gap_max_s
    counts = client.counts(selector, now - target.limits.logs_gap_window_s, now, bucket)
    total = sum(count for _, count in counts)
    silent = None
    if len(counts) > 1 and total / len(counts) >= target.limits.logs_busy_lines:
        times = [at for at, count in counts if count > 0]
        silent = max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
        # Two filled buckets beside each other are one bucket apart without any silence between them.
        silent = max(0.0, silent - bucket)
    return ServiceFlow(
        service=service,
        newest_age_s=round(now - newest[0].at, 2) if newest else None,
        lines=int(total) or len(newest),
        longest_gap_s=silent,
    )


def _wait_for(
    target: Target, client: Loki, section: LogsSection, nonce: str, sent: float, connect: Connections
) -> RoundTrip:
    """Look for the nonce's line until it is there or the round trip's limit is over."""
    service = section.round_trip_service
    selector = client.selector(service) if service else client.any_service()
    while True:
        now = connect.now().timestamp()
        found = client.lines(f'{selector} |= "{nonce}"', sent - 120, now + 120, limit=5)
        if found:
            return RoundTrip(service, round(now - sent, 2), round(found[0].at - sent, 2))
        if now - sent > target.limits.logs_round_trip_s or connect.remaining() < 3:
            return RoundTrip(service, None, None)
        connect.sleep(0.3)


def _dropped(target: Target, connect: Connections, section: LogsSection) -> float | None:
    if target.prometheus is None:
        return None
    names = [section.drop_metric] if section.drop_metric else list(DROPPED)
    span = promql.duration(target.limits.logs_drop_window_s)
    try:
        prom = promql.client(target, connect)
        rises = [sample.value for name in names for sample in prom.instant(f"increase({name}[{span}])")]
    except (Dead, CannotLook):
        return None
    return sum(rises) if rises else None


def _retention(client: Loki) -> float | None:
    text: Any = client.config()
    found = _RETENTION.search(text) if text else None
    return float(found[1]) * _DAYS[found[2]] if found else None
