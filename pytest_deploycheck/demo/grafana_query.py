"""Panel queries as Grafana runs them: macros filled in, the data source asked, the answer in data frames."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_TIMEOUT_S = 5
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SCRAPE_INTERVAL_S = 15  # Grafana's default for a Prometheus data source


def run(query: dict[str, Any], source: dict[str, Any] | None, start: str, end: str) -> dict[str, Any]:
    """One entry of `results`: data frames, or an error with its status."""
    if source is None:
        return _error("Data source not found", 404, "exchange")
    first, last = _moment(start), _moment(end)
    points = int(query.get("maxDataPoints", 100))
    step = max(float(query.get("intervalMs", 0)) / 1000, (last - first) / max(points, 1), 1.0)
    expression = _macros(query.get("expr", ""), step, last - first)
    instant = bool(query.get("instant")) and not query.get("range")
    span = {"time": last} if instant else {"start": first, "end": last, "step": step}
    if source["type"] == "loki":
        path = "/loki/api/v1/query" if instant else "/loki/api/v1/query_range"
    elif source["type"] == "prometheus":
        path = "/api/v1/query" if instant else "/api/v1/query_range"
    else:
        return _error(f"Plugin not registered: {source['type']}", 404, "exchange")
    form = urllib.parse.urlencode({"query": expression, **span}).encode()
    try:
        with urllib.request.urlopen(source["url"] + path, form, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            data = json.load(reply)["data"]
    except urllib.error.HTTPError as error:
        return _error(_reason(error), error.code, "downstream")
    except (OSError, ValueError, KeyError) as error:
        return _error(f"{source['url']}: {error}", 502, "downstream")
    reference = query.get("refId", "A")
    return {"status": 200, "frames": [_frame(reference, expression, row) for row in _rows(data)]}


def _rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    if data["resultType"] == "scalar":
        return [{"metric": {}, "values": [data["result"]]}]
    return [{"values": [row["value"]] if "value" in row else [], **row} for row in data["result"]]


def _frame(reference: str, expression: str, row: dict[str, Any]) -> dict[str, Any]:
    """Two columns: time in milliseconds, and numbers (null for NaN) or lines."""
    lines = "stream" in row
    labels = row["stream"] if lines else row["metric"]
    scale = 1e-6 if lines else 1e3
    times = [int(float(at) * scale) for at, _ in row["values"]]
    values = [text if lines else _number(text) for _, text in row["values"]]
    fields = [
        {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}, "config": {}},
        {
            "name": "Line" if lines else "Value",
            "type": "string" if lines else "number",
            "typeInfo": {"frame": "string" if lines else "float64"},
            "labels": labels,
            "config": {},
        },
    ]
    meta = {"type": "log-lines" if lines else "timeseries-multi", "executedQueryString": expression}
    return {
        "schema": {"refId": reference, "meta": meta, "fields": fields},
        "data": {"values": [times, values]},
    }


def _number(text: str) -> float | None:
    value = float(text)
    return value if value == value and abs(value) != float("inf") else None


def _macros(expression: str, step_s: float, range_s: float) -> str:
    rate_s = max(step_s + _SCRAPE_INTERVAL_S, 4 * _SCRAPE_INTERVAL_S)
    values = {
        "__rate_interval": f"{rate_s:.0f}s",
        "__interval_ms": f"{step_s * 1000:.0f}",
        "__interval": f"{step_s:.0f}s",
        "__range_s": f"{range_s:.0f}",
        "__range": f"{range_s:.0f}s",
    }
    return re.sub(r"\$\{?(__\w+)\}?", lambda match: values.get(match[1], match[0]), expression)


def _moment(text: str) -> float:
    """Unix seconds of `now`, `now-6h`, or milliseconds since the epoch; ValueError for anything else."""
    if match := re.fullmatch(r"now(?:-(\d+)([smhd]))?", text):
        back = int(match[1]) * _UNIT_S[match[2]] if match[1] else 0
        return time.time() - back
    return int(text) / 1000


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200]


def _error(message: str, status: int, origin: str) -> dict[str, Any]:
    return {"error": message, "errorSource": origin, "status": status, "frames": []}
