"""The facts of each week since the go-live, as Prometheus keeps them: what a weekly review is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.promql import PromQL, QueryRefused
from pytest_deploycheck.probes.sheets import Sheet, sheet

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

WEEK_S = 7 * 86_400
WEEKS_MAX = 2
"""The newest weeks: a week's samples are many, and what earlier reviews cited was judged at their time."""
SETTLED = timedelta(minutes=15)
"""So long after its end a week's samples are all there."""
ITEM = "post_go_live.ongoing.perf_review"
STATUS_LABELS = (
    "status",
    "code",
    "status_code",
    "http_status",
    "http_status_code",
    "http_response_status_code",
)


@dataclass(frozen=True)
class WeekSheetsFacts:
    """A sheet for each of the newest whole weeks of which Prometheus has everything still, oldest first.

    go_live_at: ISO 8601, empty where it is not fixed.  weeks: whole ones since then.
    """

    go_live_at: str
    weeks: int
    sheets: tuple[Sheet, ...]

    @property
    def first_over(self) -> datetime:
        """When the first week was over."""
        return datetime.fromisoformat(self.go_live_at) + timedelta(seconds=WEEK_S)


@probe(facts=WeekSheetsFacts, deadline=60, needs=("prom_gate",), uses={"prometheus": "GET"})
def week_sheets(target: Target, connect: Connections) -> WeekSheetsFacts:
    """Ask Prometheus for requests, errors, durations and availability of the newest weeks since the go-live."""
    start = target.release.go_live_at
    if start is None:
        return WeekSheetsFacts("", 0, ())
    weeks = max(0, int((connect.now() - start - SETTLED).total_seconds() // WEEK_S))
    found: list[Sheet] = []
    if weeks:
        prom = promql.client(target, connect)
        first = start + timedelta(seconds=WEEK_S) * max(0, weeks - WEEKS_MAX)
        count = min(weeks, WEEKS_MAX)
        kept = _known(prom, first, count)
        columns = {name: _column(prom, query, first, count) for name, query in queries(target).items()}
        for number in range(count):
            if number in kept:
                begun = first + number * timedelta(seconds=WEEK_S)
                values = {name: column.get(number) for name, column in columns.items()}
                if values["requests"] is not None:
                    found.append(sheet(ITEM, begun, begun + timedelta(seconds=WEEK_S), values))
    return WeekSheetsFacts(start.isoformat(), weeks, tuple(found))


def queries(target: Target) -> Mapping[str, str]:
    """Return what is asked of each week, by name."""
    section = target.prometheus
    assert section is not None  # its gate is open
    traffic, latency, span = section.traffic_metric, section.latency_metric, f"{WEEK_S}s"
    errors = " or ".join(f'increase({traffic}{{{label}=~"5.."}}[{span}])' for label in STATUS_LABELS)
    bucket = f"sum by (le) (rate({latency}_bucket[{span}]))"
    jobs = "|".join(section.jobs)
    return {
        "requests": f"sum(increase({traffic}[{span}]))",
        "errors": f"sum({errors})",
        "p95_s": f"histogram_quantile(0.95, {bucket})",
        "p50_s": f"histogram_quantile(0.5, {bucket})",
        "up": f"avg(avg_over_time(up{{job=~{promql.quoted(jobs)}}}[{span}]))",
    }


def _known(prom: PromQL, first: datetime, count: int) -> set[int]:
    """Return the weeks at whose start Prometheus has samples still: what it has deleted in part is no whole week."""
    begin = first.timestamp()
    lines = prom.range("count(up)", begin, begin + (count - 1) * WEEK_S, WEEK_S)
    return {round((at - begin) / WEEK_S) for line in lines for at, _ in line.points}


def _column(prom: PromQL, query: str, first: datetime, count: int) -> dict[int, float]:
    """Return a query's value at the end of each week, by the week's number."""
    end = first.timestamp() + WEEK_S
    try:
        lines = prom.range(query, end, end + (count - 1) * WEEK_S, WEEK_S)
    except QueryRefused:
        return {}
    return {round((at - end) / WEEK_S): value for line in lines for at, value in line.points}
