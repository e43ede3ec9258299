"""A small PromQL client: what Prometheus answers as plain numbers, and no data as no data.

Numbers arrive as strings; NaN and the infinities are no values and are left out; an empty answer is an
empty tuple or None, never zero. Shapes are those of the Prometheus HTTP API, version 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

POINTS_MAX = 11_000
"""Prometheus refuses a range query for more points of one series than this."""
LISTED_MAX_BYTES = 64 * 2**20
"""Targets and rules of a large cluster are longer than an ordinary answer."""
_SHOWN = 160  # characters of a query in a message


class QueryRefused(CannotLook):
    """Prometheus refuses a query, mostly for a mistake in it; a caught one is one missing fact."""


@dataclass(frozen=True)
class Sample:
    """One series' value at one moment: `labels` in ascending order of their names."""

    labels: tuple[tuple[str, str], ...]
    value: float

    def label(self, name: str) -> str:
        """Return a label's value; a label that is not there is the empty one, as in PromQL."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True)
class Line:
    """One series over time: `points` are (Unix time in s, value), gaps where it had no value."""

    labels: tuple[tuple[str, str], ...]
    points: tuple[tuple[float, float], ...]

    def label(self, name: str) -> str:
        """Return a label's value; a label that is not there is the empty one, as in PromQL."""
        return dict(self.labels).get(name, "")


class PromQL:
    """Queries over a client of the `prometheus` endpoint; the probe declares GET there."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, path: str, **parameters: str) -> Any:
        """Return the `data` of an API answer, `path` from /api/v1/ on, such as "targets"."""
        answer = self._http.get(f"/api/v1/{path}", params=parameters, body_max=LISTED_MAX_BYTES)
        return _data(answer, f"/api/v1/{path}", self._http.shown)

    def instant(self, query: str, at: float | None = None) -> tuple[Sample, ...]:
        """Return the samples of a query at a Unix time, by default Prometheus's own now."""
        parameters = {"query": query} | ({} if at is None else {"time": f"{at:.3f}"})
        result = self._query("query", query, parameters)
        if result["resultType"] == "scalar":
            value = _number(result["result"][1])
            return () if value is None else (Sample((), value),)
        found = []
        for series in _series(result, "vector", query):
            value = _number(series["value"][1]) if "value" in series else None
            if value is not None:
                found.append(Sample(_labels(series), value))
        return tuple(found)

    def value(self, query: str, at: float | None = None) -> float | None:
        """Return the value of a query that gives one, or None when it gives none or several."""
        found = self.instant(query, at)
        return found[0].value if len(found) == 1 else None

    def range(self, query: str, start: float, end: float, step_s: float) -> tuple[Line, ...]:
        """Return the series of a query between two Unix times, at least `step_s` seconds a point."""
        step = max(step_s, (end - start) / POINTS_MAX, 0.001)
        parameters = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        result = self._query("query_range", query, parameters)
        lines = []
        for series in _series(result, "matrix", query):
            pairs = ((float(at), _number(value)) for at, value in series.get("values", ()))
            points = tuple((at, value) for at, value in pairs if value is not None)
            if points:
                lines.append(Line(_labels(series), points))
        return tuple(lines)

    def now(self) -> float:
        """Return the server's time as Unix time: windows are counted by its clock, not the runner's."""
        moment = self.value("time()")
        if moment is None:
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} gives no value for time()")
        return moment

    def _query(self, path: str, query: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = self._http.get(f"/api/v1/{path}", params=parameters)
        data = _data(answer, f"query {query[:_SHOWN]!r}", self._http.shown)
        if not isinstance(data, dict) or not {"resultType", "result"} <= data.keys():
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown}: no result for {query[:_SHOWN]!r}")
        return data


def client(target: Target, connect: Connections) -> PromQL:
    """Return a client of the target's Prometheus, with its token when `prometheus.token` gives one."""
    section = target.prometheus
    token = connect.secret(section.token) if section is not None and section.token is not None else ""
    return PromQL(connect.http("prometheus", bearer=token))


def quoted(text: str) -> str:
    """Return a string as a PromQL literal, so that nothing in it can end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def duration(seconds: float) -> str:
    """Return seconds as a PromQL duration, in whole milliseconds and at least one."""
    return f"{max(1, round(seconds * 1000))}ms"


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}


def seconds(text: str) -> float:
    """Return a Prometheus duration such as "1m30s" in seconds; 0 for what is none."""
    return sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION.findall(text))


def _data(answer: Response, what: str, shown: str) -> Any:
    if answer.status in (401, 403):
        message = f"{shown} answers {answer.status} to {what}; give prometheus.token"
        raise CannotLook(Reason.NO_ACCESS, message)
    body = answer.json()
    if not isinstance(body, dict) or body.get("status") != "success":
        words = str(body.get("error", "")) if isinstance(body, dict) else ""
        raise QueryRefused(
            Reason.UNPARSEABLE,
            f"{shown} refuses {what} with {answer.status}: {words[:200] or 'no reason given'}",
        )
    return body.get("data")


def _series(result: Mapping[str, Any], kind: str, query: str) -> list[Any]:
    if result["resultType"] != kind or not isinstance(result["result"], list):
        raise QueryRefused(
            Reason.UNPARSEABLE, f"{query[:_SHOWN]!r} gives a {result['resultType']}, not a {kind}"
        )
    return result["result"]


def _labels(series: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in series.get("metric", {}).items()))


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def moment(text: Any) -> float:
    """Return a Prometheus time as Unix time; its zero time and nonsense are 0."""
    if not isinstance(text, str) or text.startswith("0001"):
        return 0.0
    trimmed = re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
