"""Administration, documentation and the few routes that are no part of the API."""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from pytest_deploycheck.demo.app.guard import BEARER, AdminOnly
from pytest_deploycheck.demo.app.metrics import CONTENT_TYPE
from pytest_deploycheck.demo.app.models import User, Users
from pytest_deploycheck.demo.app.services import services

admin = APIRouter(tags=["admin"], route_class=AdminOnly, dependencies=[BEARER])
internal = APIRouter(include_in_schema=False)
debug = APIRouter(include_in_schema=False, route_class=AdminOnly)


class TestError(RuntimeError):
    """Raised on request, to see whether errors reach the tracker."""


@admin.get("/admin/users")
def users(request: Request) -> Users:
    """Return every account."""
    with services(request).db.transaction() as connection:
        rows = connection.execute(
            "SELECT u.id, u.username, u.role, w.address AS wallet_address"
            " FROM users u LEFT JOIN wallets w ON w.user_id = u.id ORDER BY u.id"
        ).fetchall()
    return Users(users=[User.model_validate(row) for row in rows])


@debug.get("/debug/error")
def error(request: Request) -> Response:
    """Fail, for administrators only."""
    password = "not-a-real-password"  # noqa: S105, F841 - a local that the tracker must never show
    raise TestError("a test error, raised on request")


@internal.get("/metrics")
def metrics(request: Request) -> Response:
    """Return the instance's metrics; the edge serves 404 here."""
    parts = services(request)
    pool = parts.db
    parts.metrics.pool_size.set(pool.size)
    parts.metrics.pool_idle.set(pool.idle)
    parts.metrics.pool_max.set(pool.limit)
    parts.metrics.pool_waiting.set(pool.waiting)
    return Response(parts.metrics.page(parts.switches.on("freeze_metrics")), media_type=CONTENT_TYPE)


@internal.get("/.well-known/jwks.json")
def jwks(request: Request) -> dict[str, Any]:
    """Return the public keys that tokens are signed with, when they are."""
    return services(request).tokens.jwks()


@internal.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Return the list of operations as a page that needs neither scripts nor styles."""
    schema = request.app.openapi()
    rows = [
        f"<tr><td><code>{html.escape(method.upper())} {html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('description', ''))}</td>"
        f"<td>{'token' if operation.get('security') else 'public'}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    title = html.escape(f"{schema['info']['title']} {schema['info']['version']}")
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f'<h1>{title}</h1><p>The whole of it: <a href="openapi.json">openapi.json</a></p><table>'
        f"<thead><tr><th>Operation</th><th>What it does</th><th>Access</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></body></html>"
    )
