"""Grafana's reading API: dashboards by the resource API or the older one, data sources, library panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.http import Http, Response

GROUP = "/apis/dashboard.grafana.app"
SCHEMAS = ("v1", "v0")
"""Versions of the resource API that serve dashboards as lists of panels; v2 describes them otherwise."""
BUILT_IN = frozenset({"grafana", "-- Grafana --", "-- Dashboard --", "__expr__", "-- Mixed --"})
"""Names that stand for no data source of their own."""


@dataclass(frozen=True)
class Source:
    """One data source as panels may name it."""

    uid: str
    name: str
    type: str
    default: bool


class Grafana:
    """Reads over one client; 401 and 403 to the token mean no access, 404 means that it is not there."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def board(self, uid: str) -> tuple[dict[str, Any], str] | None:
        """Return a dashboard's model and the API that gave it; None when there is no such dashboard."""
        for version in self._versions():
            place = f"{GROUP}/{version}/namespaces/default/dashboards/{quote(uid, safe='')}"
            spec = body_of(self._http.get(place)).get("spec")
            if isinstance(spec, dict) and isinstance(spec.get("panels"), list):
                return spec, version
        answer = self._readable(self._http.get(f"/api/dashboards/uid/{quote(uid, safe='')}"))
        board = body_of(answer).get("dashboard") if answer.status == 200 else None
        return (board, "api") if isinstance(board, dict) else None

    def _versions(self) -> list[str]:
        """Return the served versions with a schema that is read here, the preferred one first."""
        group = body_of(self._http.get(f"{GROUP}/"))
        preferred = (group.get("preferredVersion") or {}).get("version", "")
        served = [str(entry.get("version", "")) for entry in group.get("versions") or ()]
        usable = [version for version in served if version.startswith(SCHEMAS)]
        return sorted(
            usable, key=lambda version: (version != preferred, not version.startswith("v1"), version)
        )

    def sources(self) -> list[Source]:
        """Return all data sources, from the list or, for a Viewer, from what the frontend is told."""
        answer = self._http.get("/api/datasources")
        if answer.status == 200:
            return [
                Source(str(row["uid"]), str(row["name"]), str(row["type"]), bool(row.get("isDefault")))
                for row in answer.json()
            ]
        settings = body_of(self._readable(self._http.get("/api/frontend/settings")))
        known = settings.get("datasources")
        if not isinstance(known, dict):
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} lists no data sources; the token needs datasources:read",
            )
        default = settings.get("defaultDatasource")
        return [
            Source(str(row.get("uid", "")), str(name), str(row.get("type", "")), name == default)
            for name, row in known.items()
            if name not in BUILT_IN
        ]

    def source_health(self, uid: str) -> tuple[bool | None, str]:
        """Return whether a data source answers, and its words; None where its plugin has no health check."""
        answer = self._http.get(f"/api/datasources/uid/{quote(uid, safe='')}/health", timeout=15)
        body = body_of(answer)
        if "status" not in body:
            return None, ""
        return answer.status == 200 and str(body["status"]).upper() == "OK", str(body.get("message", ""))[
            :300
        ]

    def library_panel(self, uid: str) -> dict[str, Any]:
        """Return the model of a library panel, empty when it cannot be read."""
        found = body_of(self._http.get(f"/api/library-elements/{quote(uid, safe='')}")).get("result")
        model = found.get("model") if isinstance(found, dict) else None
        return model if isinstance(model, dict) else {}

    def query(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Run queries, which only read; return the results by refId, and what is wrong with all of them."""
        answer = self._readable(self._http.post("/api/ds/query", json=body, timeout=20))
        found = body_of(answer)
        results = found.get("results")
        if isinstance(results, dict) and results:
            return results, ""
        words = str(found.get("message") or found.get("error") or answer.text[:120])
        return {}, f"status {answer.status}: {words}"

    def _readable(self, answer: Response) -> Response:
        if answer.status in (401, 403):
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} answers {answer.status}; give grafana.token of a Viewer service account",
            )
        return answer


def body_of(answer: Response) -> dict[str, Any]:
    """Return an answer's JSON object, or an empty one."""
    try:
        body = answer.json()
    except CannotLook:
        return {}
    return body if isinstance(body, dict) else {}
