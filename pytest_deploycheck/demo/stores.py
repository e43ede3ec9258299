"""Stand-in for Apple: the lookup of its stores, and its copies of association files.

Built from their documented bodies. DIR/stores/switches.json: `down` closes the port, `version` is offered instead,
`count` is the number of results, `copy` is answered in the place of the site's own file, `fields` are fields of the
result that differ.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches, method_not_allowed
from pytest_deploycheck.demo.world import World

NAME = "stores"
LABEL = "app-stores"
BUNDLE = "test.tokens.app"


class Stores:
    """Answers /lookup and /a/v1/HOST."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world.path(NAME, "switches.json"))

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET")
        if request.path == "/lookup":
            # Apple answers as text/javascript.
            body = json.dumps(self._lookup(request.first("bundleId"), request.first("country", "us")))
            return Response(body, content_type="text/javascript; charset=utf-8")
        if re.fullmatch(r"/a/v1/[\w.-]+", request.path):
            return self._copy()
        return Response("404 no such path\n", 404)

    def _lookup(self, bundle: str, country: str) -> dict[str, Any]:
        release = self._world.release
        count = self._switches.get("count")
        known = bundle == BUNDLE if count is None else int(count) > 0
        if not known:
            return {"resultCount": 0, "results": []}
        entry = {
            "wrapperType": "software",
            "kind": "software",
            "trackId": 1234567890,
            "trackName": "Tokens",
            "bundleId": bundle,
            "version": self._switches.get("version") or release.version,
            "minimumOsVersion": "16.0",
            "currency": "USD" if country == "us" else "EUR",
            "releaseDate": "2026-01-15T08:00:00Z",
            "currentVersionReleaseDate": release.deployed_at.replace("+00:00", "Z"),
            **(self._switches.get("fields") or {}),
        }
        return {"resultCount": int(count or 1), "results": [entry]}

    def _copy(self) -> Response:
        other = self._switches.get("copy")
        if other is not None:
            return Response(other)
        file = self._world.dir / "nginx" / "www" / ".well-known" / "apple-app-site-association"
        if not file.is_file():
            return Response("Not Found\n", 404)
        return Response(file.read_text(), content_type="application/json")


def listener(world: World) -> Listener:
    """Return the stand-in on its port."""
    return Listener(world.port(NAME), Stores(world), LABEL)
