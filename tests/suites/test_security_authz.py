"""The checks of item 55 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.probes.authz import Access, AuthzFacts, ForeignObject, OpenRoute, Tried
from pytest_deploycheck.probes.authz_writes import AuthzWritesFacts, WriteAccess
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")

REFUSED = tuple(Tried(says, 401) for says in ("no token", "garbage", "alg none"))
ADMIN = Access("GET /admin", True, REFUSED, 403)
AUTHZ = AuthzFacts(
    problem="",
    public=("GET /docs",),
    accesses=(Access("GET /me", False, REFUSED, 200), ADMIN),
    skipped=(),
    resigned=200,
    objects=(ForeignObject("GET /wallets/{id}", 200, 404),),
    objects_problem="",
    hidden_asked=30,
    open_routes=(),
    unknown=404,
)
AUTHZ_CHECKS = ("test_authz", "test_authz_nothing_hidden", "test_authz_roles", "test_authz_objects")


def me(status: int, granted: int | None = 200) -> AuthzFacts:
    """Return facts in which one operation answers otherwise to one bad token."""
    refused = (*REFUSED[:-1], Tried("alg none", status))
    return replace(AUTHZ, accesses=(Access("GET /me", False, refused, granted), ADMIN))


@pytest.mark.parametrize("check", AUTHZ_CHECKS)
def test_closed_operations_pass(check: str) -> None:
    """The healthy facts pass every check."""
    CHECKS[check](authz_facts=AUTHZ)


@pytest.mark.parametrize("status", [401, 403, 302, 307, 400, 404])
def test_a_refusal_has_many_forms(status: int) -> None:
    """Also a redirect to the login; 400 and 404 too, where the good token gets the very same thing."""
    CHECKS["test_authz"](authz_facts=me(status))


@pytest.mark.parametrize(
    ("status", "words"), [(200, "answers 200 to alg none"), (204, "204"), (500, "breaks on")]
)
def test_what_is_no_refusal_fails(status: int, words: str) -> None:
    """Success is an open door, 500 a broken one."""
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_authz"](authz_facts=me(status))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (me(429), "answers 429"),
        (me(404, granted=404), "answers 404"),
        (me(400, granted=400), "answers 400"),
        (me(405), "answers 405"),
        (replace(AUTHZ, accesses=()), "no protected operation"),
        (replace(AUTHZ, problem="/openapi.json answers 404"), "openapi"),
        (replace(AUTHZ, skipped=("GET /more",)), "GET /more"),
    ],
)
def test_what_does_not_tell_is_unproven(facts: AuthzFacts, words: str) -> None:
    """A rate limit, an unknown object, a missing specification prove nothing."""
    with pytest.raises(Unproven, match=words):
        CHECKS["test_authz"](authz_facts=facts)


def test_a_service_that_refuses_everybody_proves_nothing() -> None:
    """Without one operation that knows the good token, refusals are worthless."""
    everybody = tuple(replace(access, granted=401) for access in AUTHZ.accesses)
    with pytest.raises(AssertionError, match="own token"):
        CHECKS["test_authz"](authz_facts=replace(AUTHZ, accesses=everybody))


@pytest.mark.parametrize(
    ("check", "facts", "error", "words"),
    [
        (
            "test_authz_nothing_hidden",
            replace(AUTHZ, open_routes=(OpenRoute("/metrics", 200, ""),)),
            AssertionError,
            "/metrics is open",
        ),
        ("test_authz_nothing_hidden", replace(AUTHZ, hidden_asked=0), AssertionError, "no route"),
        (
            "test_authz_roles",
            replace(AUTHZ, accesses=(replace(ADMIN, granted=200),)),
            AssertionError,
            "answers 200 to a user",
        ),
        ("test_authz_roles", replace(AUTHZ, accesses=(replace(ADMIN, granted=500),)), AssertionError, "500"),
        ("test_authz_roles", replace(AUTHZ, accesses=AUTHZ.accesses[:1]), Unproven, "admin_ops"),
        (
            "test_authz_roles",
            replace(AUTHZ, accesses=(Access("GET /admn", True, (Tried("no token", 404),), 404),)),
            Unproven,
            "spelt right",
        ),
        (
            "test_authz_objects",
            replace(AUTHZ, objects=(ForeignObject("GET /w/{id}", 200, 200),)),
            AssertionError,
            "to another",
        ),
        (
            "test_authz_objects",
            replace(AUTHZ, objects=(ForeignObject("GET /w/{id}", 200, 500),)),
            AssertionError,
            "breaks",
        ),
        (
            "test_authz_objects",
            replace(AUTHZ, objects=(ForeignObject("GET /w/{id}", 404, 404),)),
            Unproven,
            "owner",
        ),
        (
            "test_authz_objects",
            replace(AUTHZ, objects=None, objects_problem="no second user"),
            Unproven,
            "second user",
        ),
        ("test_authz_objects", replace(AUTHZ, objects=()), AssertionError, "no object"),
    ],
)
def test_open_doors_of_every_kind(check: str, facts: AuthzFacts, error: type[Exception], words: str) -> None:
    """Hidden routes, roles and foreign objects: open fails, unknown is unproven."""
    with pytest.raises(error, match=words):
        CHECKS[check](authz_facts=facts)


@pytest.mark.parametrize(
    ("refused", "error", "words"),
    [
        ((Tried("no token", 201),), AssertionError, "remove what it made: 17"),
        ((Tried("no token", 500),), AssertionError, "breaks"),
        ((Tried("no token", 422),), Unproven, "read the request first"),
        ((Tried("no token", 404),), Unproven, "404"),
    ],
)
def test_writes_without_a_token(refused: tuple[Tried, ...], error: type[Exception], words: str) -> None:
    """Refused before the body is read passes; made something, broke, or read first does not."""
    good = AuthzWritesFacts("", (WriteAccess("POST /buy", (Tried("no token", 401),), ""),))
    CHECKS["test_authz_writes"](authz_writes_facts=good)
    with pytest.raises(error, match=words):
        CHECKS["test_authz_writes"](
            authz_writes_facts=replace(good, accesses=(WriteAccess("POST /buy", refused, "17"),))
        )


def test_no_write_at_all_is_unproven() -> None:
    """A specification without operations that write has not shown that they are closed."""
    with pytest.raises(Unproven, match="no protected operation"):
        CHECKS["test_authz_writes"](authz_writes_facts=AuthzWritesFacts("", ()))
