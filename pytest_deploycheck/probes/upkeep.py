"""Whether watching goes on: a month of scrapes, of scheduled runs, and of alerts that somebody tends or nobody does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import ledger as ledgers
from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.week_sheets import STATUS_LABELS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.promql import Line, PromQL
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DAY_S = 86_400
UNTENDED = ("none", "info")
"""Severities of alerts that ask for nothing, such as those that only keep others quiet."""


@dataclass(frozen=True)
class Firing:
    """An alert that fired within the window: its longest stretch, whether that lasts still, and its starts in a day.

    Between two looks, `slot_s` apart, an alert may have come and gone unseen.
    """

    name: str
    longest_s: float
    now: bool
    starts_per_day: int


@dataclass(frozen=True)
class Silence:
    """An active silence: who made it and why, what it is over, since when and until when (ISO 8601)."""

    by: str
    comment: str
    matchers: str
    start: str
    end: str


@dataclass(frozen=True)
class UpkeepFacts:
    """What came of watching from `start` until now, at most a month.

    go_live_at, start: ISO 8601, empty where no go-live is fixed.  coverage: required job -> share of the slots of
    `slot_s` that have samples of it.  requests, errors: counted within the window, None where nobody counts them.
    run_every_s: the schedule.  due: runs within the window by it.  runs, interrupted: in the ledger.  missed: runs that
    were due and are not there.  longest_run_gap_s, gap_at: between two runs.  broken: where the ledger's chain does not hold.
    ledger_problem: why there is no ledger to read.
    """

    go_live_at: str
    start: str
    slot_s: float
    coverage: tuple[tuple[str, float], ...]
    requests: float | None
    errors: float | None
    alerts: tuple[Firing, ...]
    silences: tuple[Silence, ...]
    run_every_s: float
    due: float
    runs: int
    interrupted: int
    missed: int
    longest_run_gap_s: float
    gap_at: str
    broken: str
    ledger_problem: str

    @property
    def runs_share(self) -> float:
        """Share of the runs that were due; more often than that does not make up for a hole."""
        if not self.runs or not self.due:
            return 0.0
        return max(0.0, 1 - self.missed / self.due)


@probe(
    facts=UpkeepFacts,
    deadline=90,
    needs=("prom_gate", "am_gate"),
    uses={"prometheus": "GET", "alertmanager": "GET", "files": "read"},
)
def upkeep(target: Target, connect: Connections) -> UpkeepFacts:
    """Ask Prometheus, Alertmanager and the ledger for the month behind us, or as much of it as is since the go-live."""
    live, now, limits = target.release.go_live_at, connect.now(), target.limits
    if live is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.go_live_at in {target.path.name}; add it")
    start = max(live, now - timedelta(days=limits.upkeep_window_d))
    prom = promql.client(target, connect)
    window = (now - start).total_seconds()
    open_ = window >= limits.upkeep_first_d * DAY_S
    runs, interrupted, broken, problem = _runs(target, connect, start, now)
    every = limits.upkeep_run_every_h * 3600
    missed, longest, at = missing([start, *runs, now], every)
    return UpkeepFacts(
        go_live_at=live.isoformat(),
        start=start.isoformat(),
        slot_s=limits.upkeep_slot_s,
        coverage=tuple(_coverage(prom, target, now, window)) if open_ else (),
        requests=_counted(prom, target, now, window, errors=False) if open_ else None,
        errors=_counted(prom, target, now, window, errors=True) if open_ else None,
        alerts=tuple(_alerts(prom, target, start, now)) if open_ else (),
        silences=tuple(_silences(target, connect)),
        run_every_s=every,
        due=round(window / every, 2) if every else 0.0,
        runs=len(runs),
        interrupted=interrupted,
        missed=missed,
        longest_run_gap_s=longest,
        gap_at=at,
        broken=broken,
        ledger_problem=problem,
    )


def _coverage(prom: PromQL, target: Target, now: datetime, window: float) -> Iterable[tuple[str, float]]:
    section, slot = target.prometheus, target.limits.upkeep_slot_s
    assert section is not None  # its gate is open
    slots = max(1, int(window / slot))
    query = f"count_over_time((count by (job) (up))[{slots * slot:.0f}s:{slot:.0f}s])"
    found = {one.label("job"): one.value for one in prom.instant(query, now.timestamp())}
    for job in sorted(section.jobs):
        yield job, round(min(1.0, found.get(job, 0.0) / slots), 5)


def _counted(prom: PromQL, target: Target, now: datetime, window: float, *, errors: bool) -> float | None:
    section = target.prometheus
    assert section is not None
    span, metric = f"{window:.0f}s", section.traffic_metric
    if not errors:
        return prom.value(f"sum(increase({metric}[{span}]))", now.timestamp())
    parts = " or ".join(f'increase({metric}{{{label}=~"5.."}}[{span}])' for label in STATUS_LABELS)
    return prom.value(f"sum({parts})", now.timestamp())


def _alerts(prom: PromQL, target: Target, start: datetime, now: datetime) -> list[Firing]:
    step = target.limits.upkeep_slot_s
    quiet = "|".join(UNTENDED)
    query = (
        f'count by (alertname) (ALERTS{{alertstate="firing",severity!~"{quiet}",'
        f"alertname!={promql.quoted(target.alerts.watchdog)}}})"
    )
    end = now.timestamp()
    begin = end - (end - start.timestamp()) // step * step  # so that the last look is at what fires now
    lines = prom.range(query, begin, end, step)
    return sorted((firing(line, step, end) for line in lines), key=lambda one: -one.longest_s)


def firing(line: Line, step: float, now: float) -> Firing:
    """Return what the times at which an alert fired amount to; each look stands for a step, neighbours are one."""
    times = [at for at, _ in line.points]
    stretches = [[times[0], times[0]]]
    for before, after in itertools.pairwise(times):
        if after - before <= 1.5 * step:
            stretches[-1][1] = after
        else:
            stretches.append([after, after])
    longest = max(stretches, key=lambda one: one[1] - one[0])
    starts = [begin for begin, _ in stretches]
    per_day = max(sum(1 for other in starts if 0 <= other - begin < DAY_S) for begin in starts)
    lasts = now - longest[1] <= 1.5 * step
    return Firing(line.label("alertname"), longest[1] - longest[0] + step, lasts, per_day)


def _silences(target: Target, connect: Connections) -> list[Silence]:
    section = target.alertmanager
    assert section is not None
    token = connect.secret(section.token) if section.token else ""
    http = connect.http("alertmanager", bearer=token)
    answer = http.get("/api/v2/silences")
    if answer.status in (401, 403):
        raise CannotLook(Reason.NO_ACCESS, f"{http.shown} answers {answer.status}; give alertmanager.token")
    body = answer.json()
    if not isinstance(body, list):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}/api/v2/silences gives no list")
    return [_silence(one) for one in body if one.get("status", {}).get("state") == "active"]


def _silence(values: dict[str, Any]) -> Silence:
    matchers = ", ".join(
        f"{one.get('name')}{'=' if one.get('isEqual', True) else '!='}{one.get('value')}"
        for one in values.get("matchers", ())
    )
    times = [
        datetime.fromtimestamp(promql.moment(values.get(key)), UTC).isoformat()
        for key in ("startsAt", "endsAt")
    ]
    return Silence(
        str(values.get("createdBy", "")), str(values.get("comment", "")), matchers, times[0], times[1]
    )


def _runs(
    target: Target, connect: Connections, start: datetime, now: datetime
) -> tuple[list[datetime], int, str, str]:
    """Return when complete runs ended, how many were interrupted, and what is wrong with the ledger."""
    if not target.ledger.path:
        return [], 0, "", f"no ledger.path in {target.path.name}; without it no run is remembered"
    connect.socket_allowed("files", "read", target.ledger.path)
    view = ledgers.read(target.file(target.ledger.path))
    mine = [
        entry
        for entry in view.entries
        if (entry.target, entry.environment) == (target.name, target.target.environment)
        and start <= entry.at <= now
    ]
    whole = sorted(entry.at for entry in mine if not entry.interrupted)
    return whole, len(mine) - len(whole), view.broken, ""


def missing(times: Sequence[datetime], every_s: float) -> tuple[int, float, str]:
    """Return how many runs are not there between neighbours, and the longest gap in seconds with its beginning."""
    gaps = [((after - before).total_seconds(), before) for before, after in itertools.pairwise(times)]
    longest, at = max(gaps, key=lambda one: one[0])
    return sum(max(0, round(gap / every_s) - 1) for gap, _ in gaps), longest, at.isoformat()
