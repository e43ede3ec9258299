"""Authorization as other correct services do it, and as they get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_deploycheck.probes.authz import AuthzFacts
from pytest_deploycheck.probes.authz_writes import AuthzWritesFacts
from tests.probes.service import Asked, Reply, look, serving
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")
SPEC = {
    "openapi": "3.0.3",
    "servers": [{"url": "/api"}],
    "paths": {
        "/health": {"get": {}},
        "/auth/login": {"post": {}},
        "/me": {"get": {}},
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        "/wallets/{walletId}": {"get": {}},
        "/orders": {"post": {}},
    },
}
PUBLIC = """
[api]
openapi_path = "/api/openapi.json"
wallet_path = "/api/wallet"
[health]
path = "/api/health"
version_path = ""
"""
AUTH = """
login_path = "/api/auth/login"
me_path = "/api/me"
admin_ops = ["GET /api/admin/users"]
object_ops = ["GET /api/wallets/{id}"]
public_ops = ["GET /api/health", "POST /api/auth/login", "GET /api/openapi.json"]
"""
Refusal = Callable[[Asked], Reply]


def service(refuse: Refusal, **bugs: bool) -> Callable[[Asked], Reply]:
    """Return an API below /api with opaque tokens, which refuses in its own way."""

    def answer(asked: Asked) -> Reply:
        path = asked.path.removeprefix("/api")
        user = {"token-ann": "ann", "token-bob": "bob"}.get(asked.token)
        if not asked.path.startswith("/api"):
            return (
                Reply(200, "<html>app</html>", {"Content-Type": "text/html"})
                if bugs.get("spa")
                else Reply(404)
            )
        if path == "/health":
            return Reply(200, {"status": "ok"})
        if path == "/openapi.json":
            return Reply(200, SPEC)
        if path == "/auth/login" and asked.method == "POST":
            return Reply(200, {"data": {"token": f"token-{asked.json['username']}"}})
        if path in bugs:
            return Reply(200, {"id": 1})
        if user is None:
            return refuse(asked)
        if path in ("/me", "/search"):
            return Reply(200 if path == "/me" or asked.query.get("q") else 422, {"name": user})
        if path == "/wallet":
            return Reply(200, {"walletId": f"w-{user}"})
        if path == f"/wallets/w-{user}" or (bugs.get("idor") and path.startswith("/wallets/")):
            return Reply(200, {"id": path})
        if path == "/admin/users":
            return Reply(200 if bugs.get("admin") else 403)
        return Reply(404)

    return answer


def seen(
    tmp_path: Path, answer: Callable[[Asked], Reply], probe: str = "authz"
) -> AuthzFacts | AuthzWritesFacts:
    """Look at a service."""
    with serving(answer) as base:
        found = look(tmp_path, base, probe, PUBLIC, allow=("negative-writes",), auth=AUTH)
    assert found.state == "seen", found
    facts: AuthzFacts | AuthzWritesFacts = found.facts
    return facts


def judge(facts: AuthzFacts | AuthzWritesFacts) -> None:
    """Run all checks of the item that take these facts."""
    if isinstance(facts, AuthzWritesFacts):
        CHECKS["test_authz_writes"](authz_writes_facts=facts)
        return
    for name in ("test_authz", "test_authz_nothing_hidden", "test_authz_roles", "test_authz_objects"):
        CHECKS[name](authz_facts=facts)


REFUSALS: dict[str, Refusal] = {
    "403 for all": lambda asked: Reply(403),
    "401 with a challenge": lambda asked: Reply(401, {}, {"WWW-Authenticate": "Bearer"}),
    "a redirect to the login": lambda asked: Reply(302, "", {"Location": "/login"}),
    "400 for a bad token, 401 for none": lambda asked: Reply(400 if asked.token else 401),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_closed_service_passes_however_it_refuses(name: str, tmp_path: Path) -> None:
    """Opaque tokens, a prefix from the specification's servers, a single-page application beside it."""
    facts = seen(tmp_path, service(REFUSALS[name], spa=True))
    assert isinstance(facts, AuthzFacts)
    assert {access.name for access in facts.accesses} == {
        "GET /api/me",
        "GET /api/search",
        "GET /api/wallets/{walletId}",
        "GET /api/admin/users",
    }
    assert facts.objects is not None and [(one.owner, one.other) for one in facts.objects] == [(200, 404)]
    judge(facts)


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ({"/me": True}, "GET /api/me answers 200 to no token"),
        ({"idor": True}, "gives one user's object to another"),
        ({"admin": True}, "answers 200 to a user without the role"),
    ],
)
def test_an_open_door_fails(bug: dict[str, bool], words: str, tmp_path: Path) -> None:
    """An unguarded route, a foreign object, a role that is not asked for."""
    with pytest.raises(AssertionError, match=words):
        judge(seen(tmp_path, service(REFUSALS["403 for all"], **bug)))


def test_a_service_that_hides_everything_from_strangers_passes(tmp_path: Path) -> None:
    """404 for strangers is a refusal where the good token gets another answer to the same request."""
    judge(seen(tmp_path, service(lambda asked: Reply(404))))


def test_hidden_routes_are_found(tmp_path: Path) -> None:
    """Metrics beside the API are open, and are told from a page that answers every path."""
    inner = service(REFUSALS["403 for all"], spa=True)

    def answer(asked: Asked) -> Reply:
        text = "# TYPE up gauge\nup 1\n" * 40
        return Reply(200, text, {"Content-Type": "text/plain"}) if asked.path == "/metrics" else inner(asked)

    with pytest.raises(AssertionError, match="/metrics is open"):
        judge(seen(tmp_path, answer))


@pytest.mark.parametrize(
    ("bugs", "error", "words"),
    [({}, None, ""), ({"/orders": True}, AssertionError, "remove what it made: 1")],
)
def test_writes_are_tried_with_nothing_usable(
    bugs: dict[str, bool], error: type[Exception] | None, words: str, tmp_path: Path
) -> None:
    """A guarded write refuses; an unguarded one fails, and the id of what it made is told."""
    facts = seen(tmp_path, service(REFUSALS["401 with a challenge"], **bugs), "authz_writes")
    assert isinstance(facts, AuthzWritesFacts) and [one.name for one in facts.accesses] == [
        "POST /api/orders"
    ]
    if error is None:
        judge(facts)
    else:
        with pytest.raises(error, match=words):
            judge(facts)


def test_writes_wait_for_permission(tmp_path: Path) -> None:
    """Without --allow negative-writes nothing is sent."""
    asked: list[str] = []
    inner = service(REFUSALS["403 for all"])

    def answer(request: Asked) -> Reply:
        asked.append(request.method)
        return inner(request)

    with serving(answer) as base:
        found = look(tmp_path, base, "authz_writes", PUBLIC, auth=AUTH)
    assert (found.state, found.reason) == ("unseen", "not_allowed")
    assert set(asked) <= {"GET"}
