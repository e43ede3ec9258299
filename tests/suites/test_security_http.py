"""The checks of items 53 to 55 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.plots import Bars
from pytest_deploycheck.probes.authz import Access, AuthzFacts, ForeignObject, OpenRoute, Tried
from pytest_deploycheck.probes.authz_writes import AuthzWritesFacts, WriteAccess
from pytest_deploycheck.probes.burst import BurstFacts
from pytest_deploycheck.probes.burst_row import PolicyRow
from pytest_deploycheck.probes.http_matrix import Answer, HttpMatrixFacts, Unseen
from pytest_deploycheck.rules.headers import cookie
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")
LIMITS = Limits()

PROTECTED = (
    ("strict-transport-security", "max-age=63072000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-store"),
)
LABELS = {"public": 200, "unauthenticated": 403, "not found": 404, "authenticated": 200, "login": 200}
ANSWERS = tuple(
    Answer(label, "GET", f"/{n}", status, PROTECTED, (), True)
    for n, (label, status) in enumerate(LABELS.items())
)
MATRIX = HttpMatrixFacts(
    secure=True, html=False, hsts_subdomains=False, exempt=(), allow_extra=(), answers=ANSWERS, unseen=()
)
HEADER_CHECKS = ("test_headers", "test_headers_tell_nothing", "test_headers_keep_private")


def headers(check: str, facts: HttpMatrixFacts) -> None:
    """Run one of the header checks."""
    given = {"http_matrix_facts": facts, **({"limits": LIMITS} if check == "test_headers" else {})}
    CHECKS[check](**given)


def answer(label: str, **changes: Any) -> HttpMatrixFacts:
    """Return a matrix in which one class of answer differs."""
    return replace(
        MATRIX, answers=tuple(replace(one, **changes) if one.label == label else one for one in ANSWERS)
    )


def without(label: str) -> HttpMatrixFacts:
    """Return a matrix in which one class of answer was not seen."""
    kept = tuple(one for one in ANSWERS if one.label != label)
    return replace(MATRIX, answers=kept, unseen=(Unseen(label, "no account"),))


def changed(name: str, *values: str) -> tuple[tuple[str, str], ...]:
    """Return the good headers with one of them replaced."""
    return (*(pair for pair in PROTECTED if pair[0] != name), *((name, value) for value in values))


@pytest.mark.parametrize("check", HEADER_CHECKS)
def test_a_protected_matrix_passes(check: str) -> None:
    """With 403 in place of 401 too."""
    headers(check, MATRIX)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    ("check", "name", "values"),
    [
        ("test_headers", "strict-transport-security", ()),
        ("test_headers", "x-content-type-options", ()),
        ("test_headers", "x-frame-options", ()),
        ("test_headers_tell_nothing", "x-powered-by", ("Express",)),
    ],
)
def test_each_class_of_answer_counts(label: str, check: str, name: str, values: tuple[str, ...]) -> None:
    """One class without one header, or with one that tells, fails and is named."""
    with pytest.raises(AssertionError, match=label):
        headers(check, answer(label, headers=changed(name, *values)))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (answer("authenticated", headers=changed("cache-control")), "Cache-Control is missing"),
        (answer("login", headers=changed("cache-control", "public, max-age=60")), "public"),
        (answer("public", cookies=(cookie("sid=x"),)), "cookie sid lacks Secure"),
    ],
)
def test_private_things_that_leave_fail(facts: HttpMatrixFacts, words: str) -> None:
    """Storable private answers and open cookies fail; a public answer may be stored."""
    headers(
        "test_headers_keep_private", answer("public", headers=changed("cache-control", "public, max-age=60"))
    )
    with pytest.raises(AssertionError, match=words):
        headers("test_headers_keep_private", facts)


@pytest.mark.parametrize("label", ["public", "unauthenticated", "not found", "authenticated"])
def test_a_class_that_was_not_seen_is_unproven(label: str) -> None:
    """Headers that nobody saw are no proof."""
    with pytest.raises(Unproven, match=label):
        headers("test_headers", without(label))


def test_no_private_answer_at_all_is_unproven() -> None:
    """Without an account nothing can be said about private answers."""
    facts = replace(MATRIX, answers=ANSWERS[:3], unseen=(Unseen("authenticated", "no account"),))
    with pytest.raises(Unproven, match="no account"):
        headers("test_headers_keep_private", facts)


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


ROW = PolicyRow(
    route="/quote",
    method="GET",
    limit=20,
    window_s=10.0,
    sent=21,
    refused_at=21,
    within_window=21,
    refused_status=429,
    retry_after_s=9.0,
    recovered=True,
    below_sent=16,
)
RATE_CHECKS = ("test_rate_limit", "test_rate_limit_recovers")


def rate(check: str, **changes: Any) -> None:
    """Run one of the rate-limit checks over one row."""
    facts = BurstFacts((replace(ROW, **changes),), Bars("", "", ()))
    CHECKS[check](burst_facts=facts, limits=LIMITS)


@pytest.mark.parametrize(
    "changes", [{}, {"within_window": 25}, {"within_window": 18, "refused_at": 18}, {"retry_after_s": 0.0}]
)
@pytest.mark.parametrize("check", RATE_CHECKS)
def test_a_limit_that_holds_passes(check: str, changes: dict[str, Any]) -> None:
    """Near its number, a little above or below."""
    rate(check, **changes)


@pytest.mark.parametrize(
    ("check", "changes", "error", "words"),
    [
        (
            "test_rate_limit",
            {"refused_status": None, "refused_at": None, "within_window": 45, "sent": 45},
            AssertionError,
            "refused none of 45",
        ),
        (
            "test_rate_limit",
            {"refused_status": None, "refused_at": None, "within_window": 12},
            Unproven,
            "too slowly",
        ),
        ("test_rate_limit", {"refused_status": 503, "refused_at": None}, AssertionError, "with 503, not 429"),
        ("test_rate_limit", {"within_window": 41}, AssertionError, "only request 41"),
        ("test_rate_limit", {"retry_after_s": None}, AssertionError, "Retry-After"),
        ("test_rate_limit", {"dodged": ("a forged sender address",)}, AssertionError, "dodged by a forged"),
        ("test_rate_limit", {"server_errors": 2}, AssertionError, "broke under load"),
        ("test_rate_limit", {"skipped": "it could write"}, Unproven, "it could write"),
        ("test_rate_limit_recovers", {"recovered": False}, AssertionError, "still refuses"),
        ("test_rate_limit_recovers", {"recovered": None, "retry_after_s": 3600.0}, Unproven, "3600"),
        ("test_rate_limit_recovers", {"below_refused": 1}, AssertionError, "below its limit"),
        ("test_rate_limit_recovers", {"undecided": ("a doubled slash",)}, Unproven, "doubled slash"),
        ("test_rate_limit_recovers", {"below_sent": 0, "within_window": 3}, Unproven, "use below the limit"),
        ("test_rate_limit_recovers", {"skipped": "x"}, Unproven, "no limit refused"),
    ],
)
def test_a_limit_that_does_not_hold(
    check: str, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Too late, otherwise, for ever, too early or around it: failed; not to be driven there: unproven."""
    with pytest.raises(error, match=words):
        rate(check, **changes)


def test_no_policy_fails() -> None:
    """A burst over nothing is no proof."""
    with pytest.raises(AssertionError, match="no rate-limit policy"):
        CHECKS["test_rate_limit"](burst_facts=BurstFacts((), Bars("", "", ())), limits=LIMITS)
