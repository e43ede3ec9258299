"""Refusals, as problem details (RFC 9457)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal that the client is told about."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


FAILED = "Something went wrong; it has been reported."


def unauthorized(detail: str, error: str | None = None) -> Problem:
    """Return a 401 with its challenge (RFC 6750)."""
    challenge = 'Bearer realm="tokens"' + (f', error="{error}"' if error else "")
    return Problem(401, detail, {"WWW-Authenticate": challenge})


def answer(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """Return the response for a refusal; the request's id lets a user name it to support."""
    parts = request.app.state.services if "app" in request.scope else None
    if parts is not None and (parts.settings.debug or parts.switches.on("debug_pages")):
        extra = {"trace": traceback.format_stack(), **extra}
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": getattr(request.state, "request_id", None),
        **extra,
    }
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every refusal of the framework a problem too."""

    @app.exception_handler(Problem)
    async def refused(request: Request, error: Problem) -> JSONResponse:
        return answer(request, error.status, error.detail, error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return answer(request, 500, FAILED)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The values are left out: they may be a password.
        problems = [
            {"at": ".".join(map(str, one["loc"])), "problem": str(one["msg"])} for one in error.errors()
        ]
        return answer(request, 422, "The request does not have the documented form.", errors=problems)
