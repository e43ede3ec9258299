"""The Grafana probe: does each dashboard show data, panel by panel, from data sources that answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.verdict import Reason

GROUP = "dashboard.grafana.app"
_VOLATILE = ("id", "version", "iteration", "uid")
_VARIABLE = re.compile(r"\$\{(\w+)(?::[^}]*)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]")
_BUILT_IN = {
    "__rate_interval": "1m",
    "__interval": "15s",
    "__range": "1h",
    "__interval_ms": "15000",
    "__range_s": "3600",
}


@dataclass(frozen=True)
class DataSource:
    """One data source: healthy, None where its plugin offers no health check."""

    uid: str
    name: str
    type: str
    healthy: bool | None
    message: str


@dataclass(frozen=True)
class Panel:
    """One panel that queries: whether any query gave a number, and what is wrong with it otherwise."""

    title: str
    has_data: bool
    error: str
    unresolved: tuple[str, ...]


@dataclass(frozen=True)
class Dashboard:
    """One required dashboard.

    found: it is there.  same_as_released: equal to its file in `grafana.dashboards_dir` but for volatile
    fields, None without one.
    """

    uid: str
    title: str
    found: bool
    same_as_released: bool | None
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class GrafanaFacts:
    """A Grafana: `database` as its health says; anonymous: it shows dashboards without a token."""

    version: str
    database: str
    anonymous: bool
    sources: tuple[DataSource, ...]
    dashboards: tuple[Dashboard, ...]
    required_panels: tuple[str, ...]


@probe(facts=GrafanaFacts, deadline=40, needs=("grafana_gate",), uses={"grafana": "GET POST"})
def grafana(target: Target, connect: Connections) -> GrafanaFacts:
    """Walk the panels of each required dashboard and run their queries, which only read."""
    section = target.grafana
    assert section is not None
    http = connect.http("grafana", bearer=connect.secret(section.token))
    health = http.get("/api/health").json()
    sources = _known(http)
    seconds = target.limits.grafana_window_s
    end = connect.now().timestamp()
    boards = []
    for uid in section.dashboards:
        board = _board(http, uid)
        released = target.file(section.dashboards_dir) if section.dashboards_dir else None
        panels = tuple(_panels(http, board, sources, end - seconds, end)) if board else ()
        boards.append(
            Dashboard(
                uid=uid,
                title=str((board or {}).get("title", "")),
                found=board is not None,
                same_as_released=_same(board, released) if board and released else None,
                panels=panels,
            )
        )
    stranger = connect.http("grafana").get("/api/search?limit=1")
    return GrafanaFacts(
        version=str(health.get("version", "")),
        database=str(health.get("database", "")),
        anonymous=stranger.status == 200,
        sources=tuple(_source(http, source) for source in sources.values()),
        dashboards=tuple(boards),
        required_panels=tuple(section.required_panels),
    )


def _known(http: Http) -> dict[str, dict[str, Any]]:
    answer = _readable(http, http.get("/api/datasources"))
    return {str(source["uid"]): source for source in answer.json()}


def _readable(http: Http, answer: Response) -> Response:
    if answer.status in (401, 403):
        raise CannotLook(
            Reason.NO_ACCESS,
            f"{http.shown} answers {answer.status}; give grafana.token of a Viewer service account",
        )
    return answer


def _source(http: Http, source: Mapping[str, Any]) -> DataSource:
    answer = http.get(f"/api/datasources/uid/{source['uid']}/health")
    healthy: bool | None = None
    message = ""
    if answer.status not in (404, 501):
        body = _object(answer)
        healthy = answer.status == 200 and str(body.get("status", "")).upper() == "OK"
        message = str(body.get("message", answer.status))
    return DataSource(str(source["uid"]), str(source["name"]), str(source["type"]), healthy, message)


def _object(answer: Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except CannotLook:
        return {}
    return body if isinstance(body, dict) else {}


def _board(http: Http, uid: str) -> dict[str, Any] | None:
    """Return a dashboard's model by the current API, else by the legacy one; None when neither has it."""
    group = http.get(f"/apis/{GROUP}/")
    if group.status == 200:
        version = _object(group).get("preferredVersion", {}).get("version", "v1beta1")
        answer = http.get(f"/apis/{GROUP}/{version}/namespaces/default/dashboards/{uid}")
        if answer.status == 200 and isinstance(_object(answer).get("spec"), dict):
            return dict(_object(answer)["spec"])
    answer = _readable(http, http.get(f"/api/dashboards/uid/{uid}"))
    board = _object(answer).get("dashboard") if answer.status == 200 else None
    return board if isinstance(board, dict) else None


def _panels(
    http: Http, board: Mapping[str, Any], sources: Mapping[str, Any], start: float, end: float
) -> Iterator[Panel]:
    values = _variables(board)
    for panel in _walk(board.get("panels", ())):
        targets = [query for query in panel.get("targets", ()) if not query.get("hide")]
        if not targets:
            continue
        queries, unresolved = [], []
        for number, query in enumerate(targets):
            text = json.dumps(query)
            unresolved += [name for name in _names(text) if name not in values and name not in _BUILT_IN]
            filled = json.loads(_fill(text, values))
            source = filled.get("datasource") or panel.get("datasource") or {}
            if isinstance(source, str):
                source = {"uid": source}
            uid = _fill(str(source.get("uid", "")), values)
            if uid not in sources:
                uid = next((key for key, s in sources.items() if s.get("isDefault") or s["name"] == uid), uid)
            filled |= {"datasource": {**source, "uid": uid}, "refId": filled.get("refId", f"Q{number}")}
            queries.append({"intervalMs": 15_000, "maxDataPoints": 200, **filled})
        body = {"queries": queries, "from": str(int(start * 1000)), "to": str(int(end * 1000))}
        has_data, error = _run(http, body)
        yield Panel(str(panel.get("title", "")), has_data, error, tuple(dict.fromkeys(unresolved)))


def _walk(panels: Any) -> Iterator[dict[str, Any]]:
    for panel in panels:
        model = panel.get("model") or panel.get("libraryPanel", {}).get("model") or panel
        yield model
        yield from _walk(panel.get("panels", ()))


def _variables(board: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of template variables as a new visitor gets them; All is everything."""
    found = {}
    for variable in board.get("templating", {}).get("list", ()):
        value = (variable.get("current") or {}).get("value", variable.get("query", ""))
        if isinstance(value, list):
            value = "|".join(map(str, value))
        everything = value in ("$__all", "", "All", "$__all|") and variable.get("type") != "datasource"
        found[str(variable.get("name"))] = ".*" if everything else str(value)
    return found


def _names(text: str) -> Iterator[str]:
    for match in _VARIABLE.finditer(text):
        yield next(name for name in match.groups() if name)


def _fill(text: str, values: Mapping[str, str]) -> str:
    known = {**_BUILT_IN, **{name: json.dumps(value)[1:-1] for name, value in values.items()}}
    return _VARIABLE.sub(lambda m: known.get(next(g for g in m.groups() if g), m[0]), text)


def _run(http: Http, body: dict[str, Any]) -> tuple[bool, str]:
    """Run a panel's queries; return whether any gave a number, and the first error."""
    answer = _readable(http, http.post("/api/ds/query", json=body))
    results = _object(answer).get("results", {})
    errors = [str(result["error"]) for result in results.values() if result.get("error")]
    if answer.status >= 400 and not errors:
        errors = [f"status {answer.status}"]
    numbers = (
        value
        for result in results.values()
        for frame in result.get("frames") or ()
        for column in (frame.get("data", {}).get("values") or ())[-1:]
        for value in column
    )
    return any(value is not None for value in numbers), errors[0][:200] if errors else ""


def _same(board: Mapping[str, Any], folder: Any) -> bool | None:
    """Compare with the released file of the same uid; None when there is none."""
    for path in sorted(folder.glob("*.json")):
        released = json.loads(path.read_text(encoding="utf-8"))
        if released.get("uid") == board.get("uid"):
            return _digest(released) == _digest(board)
    return None


def _digest(board: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in board.items() if name not in _VOLATILE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
