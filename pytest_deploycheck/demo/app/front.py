"""The outermost layer: request ids, access log, metrics, cross-origin policy, unexpected errors."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import Match, Route

from pytest_deploycheck.demo.app import problems
from pytest_deploycheck.demo.app.cors import CorsPolicy
from pytest_deploycheck.demo.app.metrics import UNMATCHED
from pytest_deploycheck.demo.app.services import Services

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_REQUEST_ID = re.compile(r"[0-9a-zA-Z-]{8,64}")
_MAX_LOGGED_BODY = 4096


class Front:
    """Wraps the application; everything that happens to a request is recorded here once."""

    def __init__(self, app: App, parts: Services, routes: list[Route]) -> None:
        self._app, self.parts, self._routes = app, parts, routes
        self._cors = CorsPolicy(parts.settings.cors_origins, parts.switches)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self.parts.switches.refresh()
        request = Request(scope, receive)
        claimed = request.headers.get("x-request-id", "")
        request_id = claimed if _REQUEST_ID.fullmatch(claimed) else uuid.uuid4().hex
        request.state.request_id = request_id
        route = self._route(scope)
        template = route.path_format if route is not None else UNMATCHED
        seen: dict[str, Any] = {"status": 500}
        body = bytearray()

        async def reading() -> Message:
            message = await receive()
            if len(body) < _MAX_LOGGED_BODY:
                body.extend(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.update(status=message["status"], started=True)
                headers = MutableHeaders(scope=message)
                headers["Instance"] = self.parts.settings.instance
                headers.setdefault("Cache-Control", "no-store")
                self._cors.decorate(request, headers, message["status"])
            await send(message)

        try:
            await self._answer(request, template, reading, sending)
        except Exception as error:
            self._failed(request, template, error)
            if not seen.get("started"):
                response = problems.answer(request, 500, problems.FAILED)
                await response(request.scope, reading, sending)
        finally:
            self._record(request, route, template, seen["status"], time.perf_counter() - started, bytes(body))

    async def _answer(self, request: Request, template: str, receive: Receive, send: Send) -> None:
        switches = self.parts.switches
        wait_s = (switches.value("slow_routes") or {}).get(template)
        if wait_s:
            await asyncio.sleep(float(wait_s))
        if switches.lists("fast_404", template):
            await problems.answer(request, 404, "Not Found")(request.scope, receive, send)
        elif (preflight := self._cors.preflight(request)) is not None:
            await preflight(request.scope, receive, send)
        else:
            await self._app(request.scope, receive, send)

    def _failed(self, request: Request, template: str, error: Exception) -> None:
        """Report an error; the framework has mostly answered already, and a second answer breaks the connection."""
        parts, request_id = self.parts, request.state.request_id
        parts.metrics.errors.inc()
        event_id = None
        if not parts.switches.on("errors_off"):
            event_id = parts.tracker.report(error, f"{request.method} {template}", request)
        parts.log.exception(
            "unexpected_error", error, route=template, request_id=request_id, event_id=event_id
        )

    def _record(
        self, request: Request, route: Route | None, template: str, status: int, took_s: float, body: bytes
    ) -> None:
        parts = self.parts
        if route is None or getattr(route, "include_in_schema", True):
            parts.metrics.requests.labels(request.method, template, str(status)).inc()
            parts.metrics.durations.labels(request.method, template).observe(took_s)
        caller = getattr(request.state, "caller", None)
        switches = parts.switches
        parts.log.write(
            "info" if status < 500 else "error",
            "request",
            request_id=request.state.request_id,
            method=request.method,
            route=template,
            path=request.url.path,
            status=status,
            duration_ms=round(took_s * 1000, 2),
            user=caller.username if caller is not None else None,
            body=body.decode(errors="replace") if switches.on("log_bodies") and body else None,
            authorization=request.headers.get("authorization") if switches.on("log_tokens") else None,
        )

    def _route(self, scope: MutableMapping[str, Any]) -> Route | None:
        """Find the route that will serve a request, so that metrics and switches speak of templates."""
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE:
                return route
        return None
