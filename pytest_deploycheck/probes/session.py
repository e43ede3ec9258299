"""A session's second half: how it is renewed, and what is left of it after the logout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.probes.fields import document, integer
from pytest_deploycheck.transports.login import REFRESH, find_token

if TYPE_CHECKING:
    from pytest_deploycheck.transports.http import Http, Response

ABSENT = (404, 405, 501)
_INVALID = (400, 415, 422)


@dataclass(frozen=True)
class Session:
    """What a login gave: the tokens, and how the refresh token is handed in again.

    refresh_name: its key in the body, or its cookie's name (`cookie`).  expires_in_s: the access token's
    lifetime as the answer says; refresh_expires_in_s: the refresh token's.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False, default="")
    refresh_name: str = "refresh_token"
    cookie: bool = False
    expires_in_s: float | None = None
    refresh_expires_in_s: float | None = None

    @classmethod
    def of(cls, answer: Response) -> Session | None:
        """Return the session that a successful login or refresh gave, None when it gave none."""
        access = find_token(answer) if 200 <= answer.status < 300 else None
        if not access:
            return None
        body = _flat(document(answer))
        name = next((name for name in REFRESH if isinstance(body.get(name), str)), "")
        cookie = "" if name else _cookie(answer)
        return cls(
            access=access,
            refresh=find_token(answer, REFRESH) or "",
            refresh_name=name or cookie or "refresh_token",
            cookie=bool(cookie),
            expires_in_s=_seconds(body, "expires_in", "expiresIn"),
            refresh_expires_in_s=_seconds(body, "refresh_expires_in", "refresh_token_expires_in"),
        )

    def form(self) -> dict[str, Any]:
        """Return the request options that hand the refresh token in."""
        if self.cookie:
            return {"headers": {"Cookie": f"{self.refresh_name}={self.refresh}"}, "credentials": True}
        return {"json": {self.refresh_name: self.refresh}, "credentials": True}


@dataclass(frozen=True)
class RefreshFacts:
    """How a session was renewed.

    status: of the refresh.  new_access: it gave another access token, and use_status is that one's answer.
    rotates: it gave another refresh token.  replay_status: the answer to the old one, sent once more.
    """

    status: int
    new_access: bool
    use_status: int | None
    rotates: bool
    replay_status: int | None


def refresh(
    session: Session, http: Http, path: str, use: Callable[[str], int]
) -> tuple[RefreshFacts | None, Session]:
    """Renew a session, use what it gave, and hand the old refresh token in again.

    Returns the facts, or None where the product has no refresh tokens, and the session to go on with.
    """
    if not (session.refresh and path):
        return None, session
    answer = http.post(path, **session.form())
    renewed = Session.of(answer)
    if renewed is None:
        return RefreshFacts(answer.status, False, None, False, None), session
    used = use(renewed.access)
    rotates = bool(renewed.refresh) and renewed.refresh != session.refresh
    replay = http.post(path, **session.form()).status if rotates else None
    facts = RefreshFacts(answer.status, renewed.access != session.access, used, rotates, replay)
    return facts, renewed if renewed.refresh else session


def logout(session: Session, http: Http, path: str, refresh_path: str) -> bool | None:
    """End a session; whether its refresh token died with it, None where the product has no logout."""
    if not path:
        return None
    bearer = {"Authorization": f"Bearer {session.access}"}
    handed_in = session.form() if session.refresh else {"json": {}}
    options = {**handed_in, "headers": {**handed_in.get("headers", {}), **bearer}}
    answer = http.post(path, **options)
    if answer.status in _INVALID:
        answer = http.post(path, headers=bearer, credentials=True)
    if answer.status in ABSENT:
        return None
    if not session.refresh:
        return 200 <= answer.status < 400
    if answer.status >= 400:
        return False
    return 400 <= http.post(refresh_path, **session.form()).status < 500


def _cookie(answer: Response) -> str:
    for cookie in answer.all("set-cookie"):
        name = cookie.partition("=")[0].strip()
        if any(known.lower() in name.lower() for known in REFRESH):
            return name
    return ""


def _flat(body: Any) -> Mapping[str, Any]:
    """Return an answer's keys and those one level down."""
    if not isinstance(body, dict):
        return {}
    nested = {k: v for entry in body.values() if isinstance(entry, dict) for k, v in entry.items()}
    return {**nested, **body}


def _seconds(body: Mapping[str, Any], *names: str) -> float | None:
    found = next((integer(body[name]) for name in names if name in body), None)
    return None if found is None else float(found)
