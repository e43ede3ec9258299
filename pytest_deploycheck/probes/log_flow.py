"""The log flow probe: do the lines of every service arrive, soon, whole, and stamped with the right time.

A backend that is ready, and full of lines of last week, proves nothing: a request of ours is followed into
the log, and services that log all the time must have logged just now, without holes.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import loki, promql

if TYPE_CHECKING:
    from pytest_deploycheck.probes.loki import Loki
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Response

DROPPED = (
    "promtail_dropped_entries_total",
    "loki_write_dropped_entries_total",
    "fluentbit_output_dropped_records_total",
    "fluentbit_output_retries_failed_total",
    "vector_component_discarded_events_total",
)
"""Counters of lost lines that the usual agents keep."""
AHEAD_S = 900.0
"""Lines stamped in the future are looked for this far ahead."""
STEPS_PER_GAP = 15
BUSY_STEPS_MIN = 3
PATIENCE_S = 8.0
"""So long a look waits for a history that is only just too short."""
_LIMITS = re.compile(r"^limits_config:\n(?:[ \t].*\n|\n)*?[ \t]+retention_period:[ \t]*(\S+)", re.MULTILINE)
_COMPACTOR = re.compile(r"^compactor:\n(?:[ \t].*\n|\n)*?[ \t]+retention_enabled:[ \t]*true", re.MULTILINE)


@dataclass(frozen=True)
class ServiceFlow:
    """One service.

    newest_age_s: age of its newest line within the look-back, negative for one of the future, None without
    any.  lines: in the window in which gaps are looked for.  busy: it logs so steadily there that silence
    means something.  longest_gap_s: its longest silence in that window, None when counts could not be read.
    """

    service: str
    newest_age_s: float | None
    lines: int | None
    busy: bool
    longest_gap_s: float | None


@dataclass(frozen=True)
class RoundTrip:
    """Requests of ours with a nonce, followed into the log.

    service: where the line must appear, empty for any.  found_in: where it did.  arrived_s: seconds until it
    was found, None if it was not.  skew_s: how far its stamp is from the request by our clock or the
    server's, whichever is nearer.
    """

    service: str
    paths: tuple[str, ...]
    found_in: tuple[str, ...]
    arrived_s: float | None
    skew_s: float | None


@dataclass(frozen=True)
class LogFlowFacts:
    """All services' lines in the log backend.

    window_s: gaps are looked for this far back.  round_trip: None when no request could be sent.  dropped:
    (counter, lines that the agent lost lately), empty when nobody counts them.  retention_d: days that lines
    are kept at least, None when neither the configuration nor an old line tells.  keeps_all: they are never
    deleted.
    """

    window_s: float
    services: tuple[ServiceFlow, ...]
    round_trip: RoundTrip | None
    dropped: tuple[tuple[str, float], ...]
    retention_d: float | None
    keeps_all: bool


@probe(
    facts=LogFlowFacts,
    deadline=110,
    needs=("logs_gate",),
    uses={"logs": "GET", "api": "GET", "prometheus": "GET"},
)
def log_flow(target: Target, connect: Connections) -> LogFlowFacts:
    """Follow requests of ours into the log; ask for every service's newest line and silences."""
    client = loki.client(target, connect)
    trip = _round_trip(target, connect, client)
    waited = 0.0
    while True:
        services = _services(target, connect, client)
        if waited >= PATIENCE_S or any(flow.busy or flow.lines is None for flow in services):
            break
        connect.sleep(1.0)
        waited += 1.0
    retention, keeps_all = _retention(target, connect, client)
    return LogFlowFacts(
        window_s=target.limits.logs_gap_window_s,
        services=services,
        round_trip=trip,
        dropped=_dropped(target, connect),
        retention_d=retention,
        keeps_all=keeps_all,
    )


def _services(target: Target, connect: Connections, client: Loki) -> tuple[ServiceFlow, ...]:
    section, limits = target.logs, target.limits
    assert section is not None  # else its gate were closed
    now = connect.now().timestamp()
    step = max(1, round(limits.logs_gap_max_s / STEPS_PER_GAP))
    try:
        counts = client.buckets(now - limits.logs_gap_window_s, now, step)
    except CannotLook:
        counts = {}
    found = []
    for name in section.services:
        newest = client.lines(client.selector(name), now - limits.logs_lookback_s, now + AHEAD_S, limit=1)
        row = counts.get(name)
        least = limits.logs_busy_lines / STEPS_PER_GAP
        busy, gap = steadiness(row, step, least, limits.logs_newest_max_s) if row else (False, None)
        age = round(now - newest[0].at, 2) if newest else None
        found.append(ServiceFlow(name, age, sum(row) if row is not None else None, busy, gap))
    return tuple(found)


def steadiness(counts: Sequence[int], step_s: float, least: float, long_s: float) -> tuple[bool, float]:
    """Tell whether lines come so steadily that silence means something, and the longest silence in seconds.

    Only the time between the first and the last line counts: before, the service may not have run, and what
    comes after is the age of its newest line. Steady means that half of the steps have `least` lines, over `long_s`
    seconds or more: what a service says while it starts is no rhythm.
    """
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return False, 0.0
    lived = counts[filled[0] : filled[-1] + 1]
    longest = max((after - before - 1 for before, after in itertools.pairwise(filled)), default=0)
    enough = max(BUSY_STEPS_MIN, long_s / step_s)
    busy = len(lived) >= enough and statistics.median(lived) >= max(least, 0.5)
    return busy, longest * step_s


def _round_trip(target: Target, connect: Connections, client: Loki) -> RoundTrip | None:
    """Send a request to two routes, since health checks are often kept out of logs, and wait for a line."""
    section = target.logs
    assert section is not None
    nonce = f"flow-{connect.run_id}"
    # In the query, as request id and as the client's name: one of them is nearly always logged.
    headers = {"User-Agent": f"deploycheck/{nonce}", "X-Request-ID": nonce}
    paths = tuple(dict.fromkeys(path for path in (target.health.path, target.auth.me_path) if path))
    began = connect.now().timestamp()
    try:
        http = connect.http("api", headers=headers)
        answers = [http.get(path, params={"dc": nonce}) for path in paths]
    except (Dead, CannotLook):
        return None
    sent = connect.now().timestamp()
    service = section.round_trip_service
    query = f'{client.selector(service) if service else client.any_service()} |= "{nonce}"'
    while True:
        now = connect.now().timestamp()
        # Stamps may be off by hours, as with a time zone that was misread.
        found = client.lines(query, sent - 86_400, now + AHEAD_S, limit=20)
        if found:
            skew = min((_off(line.at, began, sent, answers) for line in found), key=abs)
            names = tuple(sorted({line.service for line in found}))
            return RoundTrip(service, paths, names, round(now - sent, 2), round(skew, 2))
        if now - sent > target.limits.logs_round_trip_s or connect.remaining() < 5:
            return RoundTrip(service, paths, (), None, None)
        connect.sleep(0.3)


def _off(stamp: float, began: float, sent: float, answers: Sequence[Response]) -> float:
    """Return how far a stamp is outside the time of the requests, by our clock or by the server's."""
    spans = [(began, sent)]
    for answer in answers:
        try:
            date = parsedate_to_datetime(answer.header("date") or "").timestamp()
        except ValueError:
            continue
        spans.append((date - 1, date + 1))  # whole seconds
    return min((stamp - min(max(stamp, start), end) for start, end in spans), key=abs)


def _dropped(target: Target, connect: Connections) -> tuple[tuple[str, float], ...]:
    if target.prometheus is None or target.logs is None:
        return ()
    names = [target.logs.drop_metric] if target.logs.drop_metric else list(DROPPED)
    span = promql.duration(target.limits.logs_drop_window_s)
    found = []
    try:
        prom = promql.client(target, connect)
        for name in names:
            rises = prom.instant(f"increase({name}[{span}])")
            if rises:
                found.append((name, round(sum(sample.value for sample in rises), 1)))
    except (Dead, CannotLook):
        return ()
    return tuple(found)


def _retention(target: Target, connect: Connections, client: Loki) -> tuple[float | None, bool]:
    """Return the days that lines are kept, by the configuration or else by a line as old as required."""
    config = client.config()
    if config:
        period = _LIMITS.search(config)
        kept = promql.seconds(period[1]) if period else 0.0
        if not kept or not _COMPACTOR.search(config):
            return None, True
        return round(kept / 86_400, 2), False
    required = target.limits.logs_retention_min_d
    end = connect.now().timestamp() - required * 86_400
    try:
        old = client.lines(client.any_service(), end - 2 * 86_400, end, limit=1)
    except CannotLook:
        return None, False
    return (required if old else None), False
