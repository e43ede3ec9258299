"""A small client of Loki's HTTP API: lines and counts of a selector over a stretch of time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.monitoring import LogsSection
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

PAGE = 5_000
"""Lines asked for at a time: Loki's own default limit for one query."""


@dataclass(frozen=True)
class LogLine:
    """One line: `at` is Unix time in seconds."""

    at: float
    service: str
    text: str


class Loki:
    """Queries over a client of the `logs` endpoint; the probe declares GET there."""

    def __init__(self, http: Http, section: LogsSection) -> None:
        self._http = http
        self._label = section.service_label
        self._services = tuple(section.services)

    def selector(self, service: str) -> str:
        """Return the stream selector of one service."""
        escaped = service.replace("\\", "\\\\").replace('"', '\\"')
        return f'{{{self._label}="{escaped}"}}'

    def any_service(self) -> str:
        """Return the stream selector of all services."""
        return f'{{{self._label}=~".+"}}'

    def among(self, services: Iterable[str]) -> str:
        """Return the stream selector of some services."""
        names = "|".join(re.escape(name) for name in services).replace("`", "")
        return f"{{{self._label}=~`{names}`}}"

    def lines(self, query: str, start: float, end: float, *, limit: int = PAGE) -> list[LogLine]:
        """Return the newest lines of a query between two Unix times, newest first, page by page."""
        found: list[LogLine] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = self._page(query, start, end, size)
            found += page
            if len(page) < size:
                break
            end = page[-1].at - 1e-6
        return found

    def _page(self, query: str, start: float, end: float, size: int) -> list[LogLine]:
        data = self._query(query, start, end, limit=str(size), direction="backward")
        found = []
        for stream in data.get("result", ()):
            service = str(stream.get("stream", {}).get(self._label, ""))
            found += [LogLine(int(at) / 1e9, service, str(text)) for at, text, *_ in stream.get("values", ())]
        return sorted(found, key=lambda line: -line.at)

    def counts(self, selector: str, start: float, end: float, step_s: float) -> list[tuple[float, float]]:
        """Return (Unix time, lines in the step before it) for each step; steps without lines are 0."""
        step = max(1, round(step_s))
        query = f"sum(count_over_time({selector}[{step}s]))"
        data = self._query(query, start, end, step=str(step))
        seen = [pair for series in data.get("result", ()) for pair in series.get("values", ())]
        filled = sorted((float(at), float(count)) for at, count in seen)
        if not filled:
            return []
        by_step = {round((at - filled[0][0]) / step): count for at, count in filled}
        return [(filled[0][0] + n * step, by_step.get(n, 0.0)) for n in range(max(by_step) + 1)]

    def totals(self, query: str, first: float, steps: int, step_s: int) -> list[int]:
        """Return the lines of a query in each of some steps, whose first ends at a Unix time; 0 where there is none."""
        data = self._query(
            f"sum(count_over_time({query}[{step_s}s]))", first, first + (steps - 1) * step_s, step=str(step_s)
        )
        found = [0] * steps
        for series in data.get("result", ()):
            for at, count in series.get("values", ()):
                place = round((float(at) - first) / step_s)
                if 0 <= place < steps:
                    found[place] += int(float(count))
        return found

    def buckets(self, start: float, end: float, step_s: int) -> dict[str, list[int]]:
        """Return the lines of each declared service in every step of a stretch of time, oldest first."""
        names = "|".join(re.escape(name) for name in self._services).replace("`", "")
        query = f"sum by ({self._label}) (count_over_time({{{self._label}=~`{names}`}}[{step_s}s]))"
        steps = max(1, int((end - start) // step_s))
        first = end - (steps - 1) * step_s
        data = self._query(query, first, end, step=str(step_s))
        found = {name: [0] * steps for name in self._services}
        for series in data.get("result", ()):
            row = found.get(str(series.get("metric", {}).get(self._label, "")))
            for at, count in series.get("values", ()) if row is not None else ():
                place = round((float(at) - first) / step_s)
                if row is not None and 0 <= place < steps:
                    row[place] += int(float(count))
        return found

    def config(self) -> str:
        """Return the configuration that the backend shows, or nothing where it shows none."""
        try:
            answer = self._http.get("/config")
        except (CannotLook, Dead):
            return ""
        return answer.text if answer.status == 200 else ""

    def _query(self, query: str, start: float, end: float, **more: str) -> dict[str, Any]:
        parameters = {"query": query, "start": str(int(start * 1e9)), "end": str(int(end * 1e9)), **more}
        answer = self._http.get("/loki/api/v1/query_range", params=parameters, body_max=64 * 2**20)
        if answer.status in (401, 403):
            raise CannotLook(Reason.NO_ACCESS, f"{self._http.shown} answers {answer.status}; give logs.token")
        if answer.status != 200:
            words = answer.text[:160]
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} refuses {query[:80]!r}: {words}")
        body = answer.json()
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} gives no data for {query[:80]!r}")
        return data


def client(target: Target, connect: Connections) -> Loki:
    """Return a client of the target's Loki, with its token and tenant."""
    section = target.logs
    assert section is not None
    token = connect.secret(section.token) if section.token is not None else ""
    headers = {"X-Scope-OrgID": section.tenant} if section.tenant else {}
    return Loki(connect.http("logs", bearer=token, headers=headers), section)
