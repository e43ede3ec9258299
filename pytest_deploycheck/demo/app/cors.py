"""The cross-origin policy: listed origins are echoed exactly, all others get no permission."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from pytest_deploycheck.demo.app.switches import Switches

_METHODS = "GET, POST"
_HEADERS = "Authorization, Content-Type, Idempotency-Key"
_MAX_AGE_S = 600
_ALLOW = "Access-Control-Allow-Origin"


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


BUGS: dict[str, Callable[[str, str], bool]] = {
    "reflect": lambda origin, listed: True,
    "suffix": lambda origin, listed: _host(origin).endswith(_host(listed)),
    "prefix": lambda origin, listed: origin.startswith(listed),
    "dot": lambda origin, listed: bool(re.fullmatch(listed, origin)),
    "scheme": lambda origin, listed: origin.partition("://")[2] == listed.partition("://")[2],
    "port": lambda origin, listed: origin.startswith("https://") and _host(origin) == _host(listed),
    "subdomain": lambda origin, listed: _host(origin).endswith("." + _host(listed).partition(".")[2]),
    "null": lambda origin, listed: origin == "null",
}
"""Wrong ways to compare an origin with a listed one; beside them `star`, `get_only` (right for preflights, and
GET reflects), `errors_only` (refusals reflect), `no_preflight` (OPTIONS answers 404), `no_vary`, `double` (the
header comes twice), `off` (nobody is allowed) and `credentials_star`."""


class CorsPolicy:
    """Decides by the Origin header; the `cors` switch makes it decide wrongly in a well-known way."""

    def __init__(self, origins: tuple[str, ...], switches: Switches) -> None:
        self._origins, self._switches = origins, switches

    def preflight(self, request: Request) -> Response | None:
        """Answer a preflight request; None for any other."""
        origin = request.headers.get("origin")
        if (
            request.method != "OPTIONS"
            or not origin
            or "access-control-request-method" not in request.headers
        ):
            return None
        if self._switches.value("cors") == "no_preflight":
            return Response(status_code=404)
        if self._permitted(origin, request.method, 204) is None:
            return Response(status_code=403)
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": str(_MAX_AGE_S),
        }
        return Response(status_code=204, headers=headers)

    def decorate(self, request: Request, headers: MutableHeaders, status: int) -> None:
        """Add the permission to an answer, errors included; the answer always depends on the origin."""
        bug = self._switches.value("cors")
        if bug != "no_vary":
            headers.add_vary_header("Origin")
        if request.method == "OPTIONS" and status == 404:
            return
        permitted = self._permitted(request.headers.get("origin"), request.method, status)
        if permitted is not None:
            headers[_ALLOW] = permitted
            if bug == "double":
                headers.append(_ALLOW, permitted)
            if bug == "credentials_star":
                headers["Access-Control-Allow-Credentials"] = "true"

    def _permitted(self, origin: str | None, method: str, status: int) -> str | None:
        """Return what to allow for an origin, or None."""
        if origin is None:
            return None
        bug = self._switches.value("cors")
        if bug == "off":
            return None
        if bug in ("star", "credentials_star"):
            return "*"
        wrongly = (
            (bug == "get_only" and method != "OPTIONS")
            or (bug == "errors_only" and status >= 400)
            or (bug in BUGS and any(BUGS[bug](origin, listed) for listed in self._origins))
        )
        return origin if origin in self._origins or wrongly else None
