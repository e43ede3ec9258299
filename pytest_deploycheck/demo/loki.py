"""Stand-in for Loki: push, labels, query and query_range in the documented shapes, backed by a file.

DIR/loki/config.yaml says its limits and is what /config answers. DIR/loki/switches.json: `down` (close the
port), `ready` false (/ready answers 503), `tenant` (refuse requests without this X-Scope-OrgID).
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from pytest_deploycheck.demo import logql
from pytest_deploycheck.demo.log_store import Store
from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches, method_not_allowed
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

LABEL = "loki"
VERSION = "3.2.0-stand-in"
MAX_ENTRIES = 5000  # Loki's default max_entries_limit_per_query
FUTURE_S = 600  # Loki's default creation_grace_period
_API = "/loki/api/v1/"


def configure(world: World) -> None:
    """Write the configuration, over whatever was there."""
    render("loki.yaml", world.path("loki", "config.yaml"), port=world.port("loki"))


class Loki:
    """Answers Loki's HTTP API from a store of lines."""

    def __init__(self, world: World, store: Store) -> None:
        self._store = store
        self._config = world.path("loki", "config.yaml")
        self._switches = Switches(world.path("loki", "switches.json"))
        self._received = 0
        self._discarded = 0

    def __call__(self, request: Request) -> Response:
        """Route a request; unknown paths are 404, a wrong query is a 400 with its reason as text."""
        if request.path == "/ready":
            ready = self._switches.get("ready", True)
            return Response("ready\n") if ready else Response("Ingester not ready\n", 503)
        if request.path == "/metrics":
            return Response(self._metrics(), content_type="text/plain; version=0.0.4")
        if request.path == "/config":
            return Response(self._config.read_text(), content_type="text/plain; charset=utf-8")
        if request.path == f"{_API}status/buildinfo":
            return Response({"version": VERSION, "revision": "stand-in", "branch": "", "goVersion": ""})
        if not request.path.startswith(_API):
            return Response("404 page not found\n", 404)
        tenant = self._switches.get("tenant")
        if tenant and request.headers.get("X-Scope-OrgID") != tenant:
            return Response("no org id\n", 401)
        try:
            return self._api(request, request.path.removeprefix(_API))
        except ValueError as error:
            return Response(f"{error}\n", 400)

    def _api(self, request: Request, path: str) -> Response:
        if path == "push":
            return self._push(request) if request.method == "POST" else method_not_allowed("POST")
        if request.method not in ("GET", "POST", "HEAD"):
            return method_not_allowed("GET, POST")
        now = time.time_ns()
        end = _nanoseconds(request.first("end"), now)
        start = _nanoseconds(request.first("start"), end - 3600 * 10**9)
        if path == "labels":
            return _success(self._store.label_names(start, end))
        if path.startswith("label/") and path.endswith("/values"):
            return _success(self._store.label_values(path.split("/")[1], start, end))
        if path == "series":
            queries = [logql.parse(text) for text in request.query.get("match[]", [])]
            return _success(
                self._store.series([q for q in queries if isinstance(q, logql.LogQuery)], start, end)
            )
        if path == "query":
            return self._query(request, _nanoseconds(request.first("time"), now))
        if path == "query_range":
            return self._query_range(request, start, end)
        return Response("404 page not found\n", 404)

    def _push(self, request: Request) -> Response:
        if "json" not in request.headers.get("Content-Type", ""):
            return Response("the stand-in takes application/json only\n", 415)
        newest = time.time_ns() + FUTURE_S * 10**9
        refused = ""
        for stream in json.loads(request.body)["streams"]:
            labels = {str(name): str(value) for name, value in stream["stream"].items()}
            if not labels:
                raise ValueError("error at least one label pair is required per stream")
            entries = [(int(entry[0]), str(entry[1])) for entry in stream["values"]]
            kept = [entry for entry in entries if entry[0] <= newest]
            self._received += len(kept)
            if len(kept) < len(entries):
                self._discarded += len(entries) - len(kept)
                refused = f"{len(entries) - len(kept)} entries have timestamps too far in the future"
            self._store.add(labels, kept)
        return Response(f"{refused}\n", 400) if refused else Response(status=204)

    def _query(self, request: Request, at: int) -> Response:
        query = logql.parse(request.first("query"))
        if isinstance(query, logql.LogQuery):
            raise ValueError(
                "log queries are not supported as an instant query type, please change to a range query type"
            )
        samples = self._store.samples(query, [at])
        result = [{"metric": labels, "value": points[0]} for labels, points in samples]
        return _success({"resultType": "vector", "result": result, "stats": {}})

    def _query_range(self, request: Request, start: int, end: int) -> Response:
        query = logql.parse(request.first("query"))
        if end < start:
            raise ValueError("end timestamp must not be before or equal to start time")
        if isinstance(query, logql.LogQuery):
            limit = int(request.first("limit", "100"))
            if limit > MAX_ENTRIES:
                raise ValueError(
                    "max entries limit per query exceeded, "
                    f"limit > max_entries_limit ({limit} > {MAX_ENTRIES})"
                )
            forward = request.first("direction", "backward").lower() == "forward"
            streams = self._store.lines(query, start, end, limit, forward=forward)
            result: list[Any] = [
                {"stream": labels, "values": [[str(at), line] for at, line in entries]}
                for labels, entries in streams
            ]
            return _success({"resultType": "streams", "result": result, "stats": {"summary": {}}})
        step = _step_ns(request.first("step"), start, end)
        moments = list(range(start, end + 1, step))
        if len(moments) > 11000:
            raise ValueError(
                "exceeded maximum resolution of 11,000 points per timeseries. Try increasing the step"
            )
        series = self._store.samples(query, moments)
        result = [{"metric": labels, "values": points} for labels, points in series]
        return _success({"resultType": "matrix", "result": result, "stats": {"summary": {}}})

    def _metrics(self) -> str:
        return (
            "# TYPE loki_build_info gauge\n"
            f'loki_build_info{{version="{VERSION}"}} 1\n'
            "# TYPE loki_distributor_lines_received_total counter\n"
            f'loki_distributor_lines_received_total{{tenant="fake"}} {self._received}\n'
            "# TYPE loki_discarded_samples_total counter\n"
            f'loki_discarded_samples_total{{reason="too_far_in_future",tenant="fake"}} {self._discarded}\n'
            "# TYPE loki_ingester_memory_streams gauge\n"
            f'loki_ingester_memory_streams{{tenant="fake"}} {len(self._store)}\n'
        )


def _success(data: Any) -> Response:
    return Response({"status": "success", "data": data})


def _nanoseconds(text: str, default: int) -> int:
    """Return a moment as Loki takes it: nanoseconds, seconds with a fraction or few digits, or RFC 3339."""
    if not text:
        return default
    if text.isdigit():
        return int(text) if len(text) > 10 else int(text) * 10**9
    try:
        if text.replace(".", "", 1).isdigit():
            return int(float(text) * 10**9)
        return int(datetime.fromisoformat(text).timestamp() * 10**6) * 1000
    except ValueError:
        raise ValueError(f'could not parse "{text}" as a time') from None


def _step_ns(text: str, start: int, end: int) -> int:
    """Return the step of a range query in nanoseconds; by default a 250th of the range, 1 s at least."""
    if not text:
        return max((end - start) // 250, 10**9)
    try:
        step = float(text)
    except ValueError:
        step = logql.seconds(text)
    if step <= 0:
        raise ValueError("zero or negative query resolution step widths are not accepted")
    return int(step * 10**9)


def listener(world: World) -> Listener:
    """Return the stand-in on its port, with the lines that earlier runs left on disk."""
    return Listener(world.port("loki"), Loki(world, Store(world.path("loki", "chunks.jsonl"))), LABEL)
