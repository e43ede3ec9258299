"""Stand-in for Grafana: dashboards and data sources from files, panels answered by the real Prometheus.

DIR/grafana/dashboards/*.json and DIR/grafana/provisioning/datasources.json are read at every request, so an
edit is effective at once. DIR/grafana/switches.json: `down` (close the port), `database` (what /api/health
says), `anonymous` true (no token needed), `default_admin` true (admin/admin works), `legacy` true (no /apis).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import grafana_query
from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches, method_not_allowed
from pytest_deploycheck.demo.world import World

LABEL = "grafana"
VERSION = "12.2.0-stand-in"
DASHBOARDS = Path(__file__).with_name("files") / "dashboards"
_GROUP = "dashboard.grafana.app"
_API_VERSION = "v1beta1"
_UNAUTHORIZED = {
    "message": "Unauthorized",
    "messageId": "auth.unauthorized",
    "statusCode": 401,
    "traceID": "",
}
_HEALTHY = {"status": "OK", "message": "Successfully queried the data source."}
# A cheap query of each kind of data source, for its health.
_HEALTH_PATHS = {"prometheus": "/api/v1/query?query=1%2B1", "loki": "/loki/api/v1/labels"}


def configure(world: World) -> None:
    """Write data sources and dashboards, over whatever was there; make the viewer's token."""
    sources = [
        {"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "url": world.url("prometheus")},
        {"uid": "loki", "name": "Loki", "type": "loki", "url": world.url("loki")},
    ]
    text = json.dumps({"apiVersion": 1, "datasources": sources}, indent=2) + "\n"
    world.path("grafana", "provisioning", "datasources.json").write_text(text)
    for file in DASHBOARDS.glob("*.json"):
        shutil.copyfile(file, world.path("grafana", "dashboards", file.name))
        shutil.copyfile(file, world.path("release", "dashboards", file.name))
    world.secret("grafana_token")
    world.secret("grafana_admin_password")


class Grafana:
    """Answers the read side of Grafana's HTTP API."""

    def __init__(self, world: World) -> None:
        self._dashboards = world.path("grafana", "dashboards", "")
        self._sources = world.path("grafana", "provisioning", "datasources.json")
        self._switches = Switches(world.path("grafana", "switches.json"))
        self._token = world.secret("grafana_token")
        self._password = world.secret("grafana_admin_password")

    def __call__(self, request: Request) -> Response:
        """Route a request; everything but /api/health needs a token or the administrator's password."""
        if request.path == "/api/health":
            database = self._switches.get("database", "ok")
            body = {"commit": "stand-in", "database": database, "version": VERSION}
            return Response(body, 200 if database == "ok" else 503)
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if request.path == "/api/ds/query":
            return self._query(request) if request.method == "POST" else method_not_allowed("POST")
        if request.method not in ("GET", "HEAD"):
            return Response(
                {"message": "You'll need additional permissions", "accessErrorId": "stand-in"}, 403
            )
        return self._read(request)

    def _refusal(self, request: Request) -> Response | None:
        if self._switches.get("anonymous"):
            return None
        if request.bearer is not None:
            if hmac.compare_digest(request.bearer.encode(), self._token.encode()):
                return None
            return Response({**_UNAUTHORIZED, "message": "Invalid API key"}, 401)
        if request.basic is not None:
            known = {("admin", self._password)}
            if self._switches.get("default_admin"):
                known.add(("admin", "admin"))
            if request.basic in known:
                return None
            return Response({**_UNAUTHORIZED, "message": "Invalid username or password"}, 401)
        return Response(_UNAUTHORIZED, 401)

    def _read(self, request: Request) -> Response:
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case ["api", "org"]:
                return Response({"id": 1, "name": "Main Org."})
            case ["api", "org"]:
                return Response({"id": 1, "name": "Main Org."})
            case ["api", "search"]:
                return Response(self._search(request.first("query").lower()))
            case ["api", "dashboards", "uid", uid]:
                return self._dashboard(uid)
            case ["api", "datasources"]:
                return Response([self._public(source) for source in self.sources()])
            case ["api", "datasources", "uid", uid]:
                source = self._source(uid)
                return Response(self._public(source)) if source else _not_found("Data source not found")
            case ["api", "datasources", "uid", uid, "health"]:
                source = self._source(uid)
                return _health(source) if source else _not_found("Data source not found")
            case ["apis", group, *rest] if group == _GROUP and not self._switches.get("legacy"):
                return self._resources(rest)
        return _not_found("Not found")

    def _search(self, words: str) -> list[dict[str, Any]]:
        return [
            {
                "uid": board["uid"],
                "title": board["title"],
                "uri": f"db/{board['uid']}",
                "url": f"/d/{board['uid']}/{board['uid']}",
                "type": "dash-db",
                "tags": board.get("tags", []),
                "isStarred": False,
            }
            for board in self.boards()
            if words in board["title"].lower()
        ]

    def _dashboard(self, uid: str) -> Response:
        board = self._board(uid)
        if board is None:
            return _not_found("Dashboard not found")
        meta = {
            "type": "db",
            "slug": uid,
            "url": f"/d/{uid}/{uid}",
            "version": 1,
            "provisioned": True,
            "folderUid": "",
        }
        return Response({"meta": meta, "dashboard": {"id": 1, "version": 1, **board}})

    def _resources(self, rest: list[str]) -> Response:
        """Return the resource API: discovery of the group, a list of dashboards, one dashboard."""
        version = {"groupVersion": f"{_GROUP}/{_API_VERSION}", "version": _API_VERSION}
        match rest:
            case []:
                group = {"kind": "APIGroup", "apiVersion": "v1", "name": _GROUP}
                return Response({**group, "versions": [version], "preferredVersion": version})
            case [_, "namespaces", "default", "dashboards"]:
                items = [_resource(board) for board in self.boards()]
                head = {"kind": "DashboardList", "apiVersion": version["groupVersion"], "metadata": {}}
                return Response({**head, "items": items})
            case [_, "namespaces", "default", "dashboards", uid]:
                board = self._board(uid)
                if board is not None:
                    return Response(_resource(board))
        return _not_found("the server could not find the requested resource")

    def _query(self, request: Request) -> Response:
        body = json.loads(request.body)
        results = {}
        for query in body["queries"]:
            source = self._source(query.get("datasource", {}).get("uid", ""))
            results[query.get("refId", "A")] = grafana_query.run(
                query, source, str(body.get("from", "now-1h")), str(body.get("to", "now"))
            )
        failed = any("error" in result for result in results.values())
        return Response({"results": results}, 400 if failed else 200)

    def boards(self) -> list[dict[str, Any]]:
        """Every dashboard on disk, by file name."""
        return [json.loads(file.read_text()) for file in sorted(self._dashboards.glob("*.json"))]

    def sources(self) -> list[dict[str, Any]]:
        """Every data source on disk."""
        sources: list[dict[str, Any]] = json.loads(self._sources.read_text())["datasources"]
        return sources

    def _board(self, uid: str) -> dict[str, Any] | None:
        return next((board for board in self.boards() if board["uid"] == uid), None)

    def _source(self, uid: str) -> dict[str, Any] | None:
        return next((source for source in self.sources() if source["uid"] == uid), None)

    def _public(self, source: dict[str, Any]) -> dict[str, Any]:
        number = 1 + [each["uid"] for each in self.sources()].index(source["uid"])
        return {
            "id": number,
            "orgId": 1,
            "access": "proxy",
            "isDefault": number == 1,
            "readOnly": True,
            **source,
        }


def _resource(board: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(board, sort_keys=True).encode()).hexdigest()
    metadata = {"name": board["uid"], "namespace": "default", "resourceVersion": str(int(digest[:8], 16))}
    return {
        "kind": "Dashboard",
        "apiVersion": f"{_GROUP}/{_API_VERSION}",
        "metadata": metadata,
        "spec": board,
    }


def _health(source: dict[str, Any]) -> Response:
    """Ask the data source a cheap query; a kind without a health check is a 404, as some plugins do."""
    path = _HEALTH_PATHS.get(source["type"])
    if path is None:
        return _not_found("Not found")
    try:
        with urllib.request.urlopen(source["url"] + path, timeout=2):  # noqa: S310 - a configured address
            return Response(_HEALTHY)
    except (OSError, ValueError) as error:
        return Response({"status": "ERROR", "message": f"{source['url']}: {error}"}, 400)


def _not_found(message: str) -> Response:
    return Response({"message": message}, 404)


def listener(world: World) -> Listener:
    """Return the stand-in on its port."""
    return Listener(world.port("grafana"), Grafana(world), LABEL)
