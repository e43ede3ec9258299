"""The cross-origin policy: listed origins are echoed exactly, all others get no permission."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from pytest_deploycheck.demo.app.switches import Switches

_METHODS = "GET, POST"
_HEADERS = "Authorization, Content-Type, Idempotency-Key"
_MAX_AGE_S = 600
_ALLOW = "Access-Control-Allow-Origin"


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
        if self._permitted(origin, request.method) is None:
            return Response(status_code=403)
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": str(_MAX_AGE_S),
        }
        return Response(status_code=204, headers=headers)

    def decorate(self, request: Request, headers: MutableHeaders) -> None:
        """Add the permission to an answer, errors included; the answer always depends on the origin."""
        headers.add_vary_header("Origin")
        permitted = self._permitted(request.headers.get("origin"), request.method)
        if permitted is not None:
            headers[_ALLOW] = permitted

    def _permitted(self, origin: str | None, method: str) -> str | None:
        """Return what to allow for an origin, or None."""
        if origin is None:
            return None
        bug = self._switches.value("cors")
        if bug == "star":
            return "*"
        host = urlsplit(origin).hostname or ""
        wrongly = (
            bug == "reflect"
            or (bug == "get_only" and method != "OPTIONS")
            or (bug == "null" and origin == "null")
            or (
                bug == "suffix" and any(host.endswith(urlsplit(one).hostname or "-") for one in self._origins)
            )
        )
        return origin if origin in self._origins or wrongly else None
