"""Login, refresh with rotation, logout, and who I am."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from pytest_deploycheck.demo.app.db import one
from pytest_deploycheck.demo.app.guard import BEARER, Protected, caller
from pytest_deploycheck.demo.app.limiter import client_address
from pytest_deploycheck.demo.app.models import Login, Logout, Me, Refresh, Session
from pytest_deploycheck.demo.app.passwords import nobodys_hash, verify_password
from pytest_deploycheck.demo.app.problems import Problem, unauthorized
from pytest_deploycheck.demo.app.services import Services, services
from pytest_deploycheck.demo.app.tokens import ACCESS_TTL_S

REFRESH_TTL = timedelta(days=7)

public = APIRouter(tags=["auth"])
protected = APIRouter(tags=["auth"], route_class=Protected, dependencies=[BEARER])


@public.post("/auth/login")
def login(request: Request, response: Response, form: Login) -> Session:
    """Exchange a name and a password for tokens."""
    parts = services(request)
    address = client_address(request, parts.switches)
    response.headers.update(parts.limiter.admit("/auth/login", address))
    parts.limiter.check_account(form.username)
    with parts.db.transaction() as connection:
        row: Any = one(connection, "SELECT id, password_hash FROM users WHERE username = %s", form.username)
    if row is None and parts.switches.on("login_enumeration"):
        raise Problem(404, f"There is no user {form.username}.")
    correct = verify_password(form.password, row["password_hash"] if row else nobodys_hash())
    accepted = row is not None and correct and not parts.switches.on("refuse_all")
    parts.limiter.note_login(form.username, accepted)
    parts.metrics.logins.labels("ok" if accepted else "refused").inc()
    if not accepted:
        parts.log.write("warning", "login_refused", client=address, request_id=request.state.request_id)
        raise unauthorized("The name or the password is wrong.")
    return _session(parts, row["id"])


@public.post("/auth/refresh")
def refresh(request: Request, form: Refresh) -> Session:
    """Exchange a refresh token for new tokens; the old one is dead afterwards."""
    parts = services(request)
    keep = parts.switches.on("no_rotation")
    with parts.db.transaction() as connection:
        row: Any = one(
            connection,
            "SELECT jti, user_id FROM refresh_tokens"
            " WHERE jti = %s AND revoked_at IS NULL AND expires_at > now() FOR UPDATE",
            _digest(form.refresh_token),
        )
        if row is not None and not keep:
            connection.execute("UPDATE refresh_tokens SET revoked_at = now() WHERE jti = %s", (row["jti"],))
    if row is None:
        raise unauthorized("The refresh token is not acceptable.", "invalid_token")
    if keep:
        access = parts.tokens.issue(row["user_id"])
        return Session(access_token=access, refresh_token=form.refresh_token, expires_in=ACCESS_TTL_S)
    return _session(parts, row["user_id"])


@protected.post("/auth/logout", status_code=204)
def logout(request: Request, form: Logout | None = None) -> Response:
    """End the session: neither its access token nor its refresh token works any more."""
    parts, who = services(request), caller(request)
    if parts.switches.on("logout_forgets"):
        return Response(status_code=204)
    expires_at = datetime.fromtimestamp(who.token_expires_at, UTC)
    with parts.db.transaction() as connection:
        connection.execute(
            "INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked_at) VALUES (%s, %s, %s, now())"
            " ON CONFLICT (jti) DO NOTHING",
            (who.token, who.id, expires_at),
        )
        if form is not None and form.refresh_token:
            connection.execute(
                "UPDATE refresh_tokens SET revoked_at = now() WHERE jti = %s AND user_id = %s",
                (_digest(form.refresh_token), who.id),
            )
    return Response(status_code=204)


@protected.get("/me")
def me(request: Request) -> Me:
    """Return the account that the token belongs to."""
    who = caller(request)
    return Me.model_validate({"id": who.id, "username": who.username, "role": who.role})


def _session(parts: Services, user_id: int) -> Session:
    token = secrets.token_urlsafe(32)
    with parts.db.transaction() as connection:
        connection.execute(
            "INSERT INTO refresh_tokens (jti, user_id, expires_at) VALUES (%s, %s, %s)",
            (_digest(token), user_id, datetime.now(UTC) + REFRESH_TTL),
        )
        # A little housekeeping with every session, so that the table stays small.
        connection.execute("DELETE FROM refresh_tokens WHERE expires_at < now()")
    access = parts.tokens.issue(user_id)
    return Session(access_token=access, refresh_token=token, expires_in=ACCESS_TTL_S)


def _digest(token: str) -> str:
    """Return what is stored of a refresh token: a database that leaks gives away no session."""
    return hashlib.sha256(token.encode()).hexdigest()
