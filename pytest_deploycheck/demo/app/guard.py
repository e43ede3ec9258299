"""Who is asking: routes that need a token check it before anything else of the request is looked at."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from pytest_deploycheck.demo.app.db import one
from pytest_deploycheck.demo.app.problems import Problem, unauthorized
from pytest_deploycheck.demo.app.services import Services, services

_USER = """
SELECT u.id, u.username, u.role, EXISTS (SELECT FROM refresh_tokens r WHERE r.jti = %s) AS revoked
FROM users u WHERE u.id = %s
"""
_SLOW = "SELECT pg_sleep(0.3)"
# Shows the scheme in the OpenAPI document; the route class below is what checks.
BEARER = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT"))


@dataclass(frozen=True)
class Caller:
    """The account behind a request."""

    id: int
    username: str
    role: str
    token: str  # the token's id
    token_expires_at: int  # seconds, UTC


class Protected(APIRoute):
    """A route for callers with a token."""

    admin_only = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler, which would read the body first."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            parts = services(request)
            if parts.switches.lists("unguarded", self.path_format):
                role = "admin" if self.admin_only else "user"
                request.state.caller = Caller(1, "test", role, "", 0)
            else:
                caller = await run_in_threadpool(authenticate, parts, request.headers.get("authorization"))
                request.state.caller = caller
                if self.admin_only and caller.role != "admin" and not parts.switches.on("admin_for_all"):
                    raise Problem(403, "This needs an administrator's account.")
            return await handle(request)

        return guarded


class AdminOnly(Protected):
    """A route for administrators."""

    admin_only = True


def caller(request: Request) -> Caller:
    """Return the account behind a request to a protected route."""
    return cast(Caller, request.state.caller)


def authenticate(parts: Services, header: str | None) -> Caller:
    """Return the account that an Authorization header belongs to; Problem 401 otherwise."""
    if parts.switches.on("refuse_all"):
        raise unauthorized("The access token is not acceptable.", "invalid_token")
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthorized("An access token is needed.")
    claims = parts.tokens.check(token.strip())
    with parts.db.transaction() as connection:
        if parts.switches.on("slow_query"):
            connection.execute(_SLOW)
        row: Any = one(connection, _USER, claims.jti, claims.user_id)
    if row is None or row["revoked"]:
        raise unauthorized("The access token is not acceptable.", "invalid_token")
    return Caller(row["id"], row["username"], row["role"], claims.jti, claims.expires_at)
