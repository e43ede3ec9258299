"""The Grafana probe against a current Grafana, an old one, and dashboards of all sorts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.probes.grafana import Dashboard, GrafanaFacts
from pytest_deploycheck.probes.grafana_panels import fill, names_in
from tests.probes.service import Asked, Reply, look, serving

PANEL = {"type": "timeseries", "title": "Requests", "targets": [{"refId": "A", "expr": "up"}]}
SOURCES = [
    {"uid": "p1", "name": "Prom", "type": "prometheus", "isDefault": True},
    {"uid": "l1", "name": "Loki", "type": "loki"},
]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rate(x[$__rate_interval]) / ${__range_s}", []),
        ('label_replace(x, "a", "$1", "b", "(.*)")', []),
        ('x{a=~"$job", b="${host:regex}", c="[[zone]]"}', ["job", "host", "zone"]),
        ('x{a=~"foo$"}', []),
        ("${DS_PROMETHEUS}", ["DS_PROMETHEUS"]),
    ],
)
def test_only_variables_are_variables(text: str, names: list[str]) -> None:
    """Grafana's own, groups of expressions and the end of a line are none."""
    assert list(names_in(text)) == names


def test_values_are_escaped_for_their_place() -> None:
    """A value with a quote does not end the JSON string that it is put into."""
    assert json.loads(fill('{"expr": "x{a=\\"$v\\"}"}', {"v": 'a"b'}, escaped=True)) == {"expr": 'x{a="a"b"}'}


class FakeGrafana:
    """A Grafana with one dashboard; `shape` says what sort."""

    def __init__(self, board: dict[str, Any], **shape: Any) -> None:
        self.board = {"title": "A", **board}
        self.shape = shape
        self.queries: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Reply:
        """Answer as Grafana does."""
        if asked.path == "/api/health":
            return Reply(200, {"database": "ok", "version": "13.0.0"})
        if not asked.headers.get("authorization", "").startswith("Bearer "):
            return Reply(401)
        if asked.path == "/api/ds/query":
            return self.query(asked.json["queries"])
        spec = {"metadata": {"name": "a"}, "spec": self.board}
        group = "/apis/dashboard.grafana.app"
        versions = [{"version": version} for version in self.shape.get("versions", ("v1beta1",))]
        answers: dict[str, Any] = {
            f"{group}/": {"preferredVersion": versions[0] if versions else None, "versions": versions},
            f"{group}/v1beta1/namespaces/default/dashboards/a": spec,
            f"{group}/v2beta1/namespaces/default/dashboards/a": {"spec": {"elements": {}, "layout": {}}},
            "/api/dashboards/uid/a": {"dashboard": {**self.board, "uid": "a", "id": 3, "version": 8}},
            "/api/datasources": SOURCES,
            "/api/library-elements/lib": {"result": {"model": PANEL}},
            "/api/frontend/settings": {
                "defaultDatasource": "Prom",
                "datasources": {s["name"]: s for s in SOURCES} | {"-- Grafana --": {"uid": "grafana"}},
            },
        }
        if not versions and asked.path.startswith(group):
            return Reply(404)
        if asked.path == "/api/datasources" and self.shape.get("viewer"):
            return Reply(403)
        return Reply(200, answers[asked.path]) if asked.path in answers else Reply(404)

    def query(self, queries: list[dict[str, Any]]) -> Reply:
        """Answer one value for each query whose data source exists and whose metric is not `gone`."""
        self.queries += queries
        results = {}
        for query in queries:
            known = any(query["datasource"]["uid"] == source["uid"] for source in SOURCES)
            if not known:
                results[query["refId"]] = {"error": "data source not found", "status": 404}
                continue
            labels = {"job": "app"} if query["refId"] == "V" and "gone" not in query["expr"] else {}
            fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": labels}]
            values = [[1, 2], [None, None if "gone" in query.get("expr", "") else 0]]
            results[query["refId"]] = {"frames": [{"schema": {"fields": fields}, "data": {"values": values}}]}
        return Reply(200, {"results": results})


def grafana(tmp_path: Path, fake: FakeGrafana, more: str = "") -> tuple[GrafanaFacts, Dashboard]:
    """Look with the probe; return the facts and the one dashboard."""
    with serving(fake) as base:
        section = f'[grafana]\nurl = "{base}"\ntoken = {{ file = "secret" }}\ndashboards = ["a"]\n{more}\n'
        seen = look(tmp_path, base, "grafana", section)
    assert isinstance(seen.facts, GrafanaFacts), seen.detail
    return seen.facts, seen.facts.dashboards[0]


@pytest.mark.parametrize(
    ("shape", "api"),
    [
        ({}, "v1beta1"),
        ({"versions": ("v2beta1", "v1beta1")}, "v1beta1"),
        ({"versions": ()}, "api"),
        ({"versions": ("v2beta1",)}, "api"),
    ],
    ids=["current", "prefers v2", "old", "v2 only"],
)
def test_dashboards_are_found_by_whichever_api_there_is(
    tmp_path: Path, shape: dict[str, Any], api: str
) -> None:
    """The resource API with a schema of panels comes first, the older one after it."""
    facts, board = grafana(tmp_path, FakeGrafana({"panels": [PANEL]}, **shape))
    assert board.found and board.api == api
    assert [panel.has_data for panel in board.panels] == [True]
    assert not facts.anonymous and facts.default_admin is False


def test_a_viewers_token_is_enough(tmp_path: Path) -> None:
    """Viewers may not list data sources; what the frontend is told will do."""
    facts, board = grafana(tmp_path, FakeGrafana({"panels": [PANEL]}, viewer=True))
    assert board.panels[0].has_data
    assert [source.name for source in facts.sources] == ["Prom"]
    assert facts.sources[0].healthy is None


def test_every_panel_that_queries_is_walked(tmp_path: Path) -> None:
    """Closed rows, library panels, hidden queries, texts and panels that borrow another's data."""
    listed = [
        {"type": "row", "title": "Row", "panels": [{**PANEL, "title": "In a row"}]},
        {"title": "From the library", "libraryPanel": {"uid": "lib"}},
        {"type": "text", "title": "Words"},
        {**PANEL, "title": "Borrowed", "datasource": {"uid": "-- Dashboard --"}},
        {**PANEL, "title": "Hidden", "targets": [{"refId": "A", "expr": "up", "hide": True}]},
        {**PANEL, "title": "Empty", "targets": [{"refId": "A", "expr": "gone"}]},
    ]
    _, board = grafana(tmp_path, FakeGrafana({"panels": listed}))
    assert {panel.title: panel.has_data for panel in board.panels} == {
        "In a row": True,
        "From the library": True,
        "Empty": False,
    }


@pytest.mark.parametrize(
    ("source", "uid"),
    [
        (None, "p1"),
        ("Loki", "l1"),
        ({"uid": "l1", "type": "loki"}, "l1"),
        ({"uid": "$ds"}, "p1"),
        ("default", "p1"),
    ],
)
def test_data_sources_are_named_in_many_ways(tmp_path: Path, source: Any, uid: str) -> None:
    """By nothing, by name, by uid, or by a variable."""
    fake = FakeGrafana(
        {
            "panels": [{**PANEL, "datasource": source}],
            "templating": {
                "list": [{"name": "ds", "type": "datasource", "query": "prometheus", "current": {}}]
            },
        }
    )
    _, board = grafana(tmp_path, fake)
    assert board.panels[0].source == uid and board.panels[0].has_data and not board.panels[0].unresolved


def test_an_unchosen_data_source_is_not_the_default_one(tmp_path: Path) -> None:
    """An import that nobody finished names a variable that nobody sets."""
    facts, board = grafana(
        tmp_path, FakeGrafana({"panels": [{**PANEL, "datasource": {"uid": "${DS_PROM}"}}]})
    )
    assert board.panels[0].unresolved == ("DS_PROM",) and not board.panels[0].has_data
    assert facts.sources[0].healthy is False


@pytest.mark.parametrize(
    ("variable", "value", "empty"),
    [
        ({"type": "custom", "current": {"value": "a"}}, "a", False),
        ({"type": "custom", "current": {"value": ["a", "b"]}}, "(a|b)", False),
        ({"type": "query", "query": "label_values(up, job)", "current": {"value": "$__all"}}, ".*", False),
        (
            {
                "type": "query",
                "query": "label_values(up, job)",
                "current": {"value": ["$__all"]},
                "allValue": "a.+",
            },
            "a.+",
            False,
        ),
        ({"type": "query", "query": {"query": "label_values(up, job)"}, "current": {}}, "app", False),
        ({"type": "query", "query": "label_values(gone, job)", "current": {"value": "$__all"}}, ".*", True),
        ({"type": "query", "query": "query_result(topk(1, up))", "current": {"value": "x"}}, "x", False),
        ({"type": "constant", "query": "c"}, "c", False),
    ],
)
def test_variables_get_a_visitors_values(
    tmp_path: Path, variable: dict[str, Any], value: str, empty: bool
) -> None:
    """Chosen ones, all of them, or the first choice; without any choice the variable is empty."""
    fake = FakeGrafana(
        {
            "panels": [{**PANEL, "targets": [{"refId": "A", "expr": 'up{job=~"$v"}'}]}],
            "templating": {"list": [{"name": "v", **variable}]},
        }
    )
    _, board = grafana(tmp_path, fake)
    assert [(one.value, one.empty) for one in board.variables] == [(value, empty)]
    assert fake.queries[-1]["expr"] == f'up{{job=~"{value}"}}'


def test_the_released_file_is_compared_but_for_what_grafana_changes(tmp_path: Path) -> None:
    """Ids and versions differ between installations; a panel's query must not."""
    (tmp_path / "boards").mkdir()
    file = tmp_path / "boards" / "a.json"
    for released, same in (({"panels": [PANEL]}, True), ({"panels": []}, False)):
        file.write_text(json.dumps({"uid": "a", "id": None, "version": 1, "title": "A", **released}))
        for shape in ({}, {"versions": ()}):
            fake = FakeGrafana({"panels": [PANEL]}, **shape)
            _, board = grafana(tmp_path, fake, 'dashboards_dir = "boards"')
            assert board.same_as_released is same
