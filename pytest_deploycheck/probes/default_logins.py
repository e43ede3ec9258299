"""The default_logins probe: what is told in every manual opens nothing, and what was chosen instead does."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.transports.login import find_token

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http, Response

_GRAFANA_PATH = "/api/org"
_REFUSALS = (400, 401, 403, 404, 422)
_WAIT_MAX_S = 5.0
_LONG = 64
_CACHE = "redis"


@dataclass(frozen=True)
class Credentials:
    """One login: at which service, by what, the answer's status, and whether it let somebody in.

    status: of HTTP; None where there was none, and `why` says what was said instead.  accepted: None where
    nothing tells.
    """

    service: str
    by: str
    status: int | None
    accepted: bool | None
    why: str


@dataclass(frozen=True)
class DefaultLoginsFacts:
    """Logins at the services that people use, at most three wrong ones for each.

    defaults: those that must be refused.  declared: those that must work.  login_path: the product's, empty
    where nobody logs in with a password.  long_status: the answer to a wrong password of 64 characters, as
    short_status is to a short one; None where there was none.
    """

    defaults: tuple[Credentials, ...]
    declared: tuple[Credentials, ...]
    login_path: str
    short_status: int | None
    long_status: int | None


@probe(
    facts=DefaultLoginsFacts,
    deadline=30,
    uses={
        "grafana": "GET",
        "prometheus": "GET",
        "alertmanager": "GET",
        "redis": "read login",
        "login": "POST",
    },
    safety="S2",
)
def default_logins(target: Target, connect: Connections) -> DefaultLoginsFacts:
    """Try the logins of the manuals at Grafana, other consoles and the product, and the declared ones."""
    tried: list[Credentials] = []
    declared: list[Credentials] = []
    if target.grafana is not None:
        tried.append(_basic(connect, "grafana", _GRAFANA_PATH, "admin", "admin"))
        tried.append(_basic(connect, "grafana", _GRAFANA_PATH, "admin", secrets.token_urlsafe(12)))
        if target.grafana.admin_password is not None:
            password = connect.secret(target.grafana.admin_password)
            user = target.grafana.admin_user
            declared.append(
                _basic(connect, "grafana", _GRAFANA_PATH, user, password, "grafana.admin_password")
            )
        token = {"Authorization": f"Bearer {connect.secret(target.grafana.token)}"}
        declared.append(_ask(connect, "grafana", _GRAFANA_PATH, token, "grafana.token"))
    for name in ("prometheus", "alertmanager"):
        if getattr(target, name) is not None and _asks_password(connect, name):
            tried.append(_basic(connect, name, "/", "admin", "admin"))
    if target.redis is not None:
        tried += _cache(connect)
    short, long = None, None
    if target.auth.login_path:
        first, short = _product(target, connect, "admin", "admin", "admin:admin")
        tried.append(first)
        stranger = f"deploycheck-{secrets.token_hex(4)}"
        _, long = _product(target, connect, stranger, secrets.token_hex(_LONG // 2), "64 characters")
    return DefaultLoginsFacts(tuple(tried), tuple(declared), target.auth.login_path, short, long)


def _basic(
    connect: Connections, service: str, path: str, user: str, password: str, says: str = ""
) -> Credentials:
    known = says or (f"{user}:{password}" if user == password else f"{user} and a wrong password")
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    if not says and user != password:
        connect.learn_secret(word)
    return _ask(connect, service, path, {"Authorization": f"Basic {word}"}, known)


def _ask(connect: Connections, service: str, path: str, headers: dict[str, str], says: str) -> Credentials:
    try:
        answer = _patiently(connect, connect.http(service), path, headers)
    except (Dead, CannotLook) as why:
        return Credentials(service, says, None, None, why.message)
    # Known, but not permitted to see this: that is a login all the same.
    accepted = True if 200 <= answer.status < 300 or answer.status == 403 else None
    return Credentials(service, says, answer.status, False if answer.status == 401 else accepted, "")


def _patiently(connect: Connections, http: Http, path: str, headers: dict[str, str]) -> Response:
    answer = http.get(path, headers=headers)
    if answer.status == 429:
        connect.sleep(_wait(answer))
        answer = http.get(path, headers=headers)
    return answer


def _cache(connect: Connections) -> list[Credentials]:
    """Knock at the cache without any password, and with the word that stands in every tutorial."""
    resp = connect.resp()
    found = []
    for says, command in (("no password", ("PING",)), (f"the password {_CACHE!r}", ("AUTH", _CACHE))):
        try:
            word = resp.word(*command)
        except (Dead, CannotLook) as why:
            found.append(Credentials("redis", says, None, None, why.message))
            continue
        # ERR: nobody has a password at all, so that this one is not right.
        found.append(Credentials("redis", says, None, word in ("OK", "PONG"), word))
    return found


def _asks_password(connect: Connections, service: str) -> bool:
    try:
        answer = connect.http(service).get("/")
    except (Dead, CannotLook):
        return False
    return answer.status == 401 and "basic" in (answer.header("www-authenticate") or "").lower()


def _product(
    target: Target, connect: Connections, user: str, password: str, says: str
) -> tuple[Credentials, int | None]:
    """Log in at the product; where its user names are addresses, this one is an address too."""
    auth = target.auth
    if auth.test_account is not None and "@" in auth.test_account.username:
        user = f"{user}@{auth.test_account.username.rpartition('@')[2]}"
    http = connect.http("login")
    body = {auth.username_field: user, "password": password}
    try:
        answer = http.post(auth.login_path, json=body, credentials=True)
        if answer.status == 429:
            connect.sleep(_wait(answer))
            answer = http.post(auth.login_path, json=body, credentials=True)
    except (Dead, CannotLook) as why:
        return Credentials("product", says, None, None, why.message), None
    accepted: bool | None = None
    if 200 <= answer.status < 300 and find_token(answer):
        accepted = True
    elif answer.status in _REFUSALS or 200 <= answer.status < 300:
        accepted = False
    where = urlsplit(auth.login_path).path
    return Credentials("product", f"{says} at {where}", answer.status, accepted, ""), answer.status


def _wait(answer: Response) -> float:
    asked = (answer.header("retry-after") or "").strip()
    return min(float(asked) if asked.isdigit() else 1.0, _WAIT_MAX_S)
