"""Header values: what protects in any spelling passes, what only looks like it does not."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules import headers
from pytest_deploycheck.rules.headers import Policy, cookie, cookie_problems, hsts, storing_problem, telltales

GOOD = {
    "strict-transport-security": ["max-age=63072000"],
    "x-content-type-options": ["nosniff"],
    "x-frame-options": ["DENY"],
    "content-type": ["application/json"],
}
PAGE = {
    **GOOD,
    "content-type": ["text/html; charset=utf-8"],
    "content-security-policy": [
        "default-src 'self'; script-src 'nonce-abc' 'strict-dynamic'; frame-ancestors 'none'"
    ],
    "referrer-policy": ["no-referrer, strict-origin-when-cross-origin"],
}
API = Policy(html=False, hsts_min_age_s=31_536_000, hsts_subdomains=False)


def problems(
    found: dict[str, list[str]], policy: Policy = API, *, secure: bool = True, body: bool = True
) -> list[str]:
    """Judge headers as those of an answer with a body over https."""
    return headers.protection_problems(found, policy, secure=secure, body=body)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"strict-transport-security": ['MAX-AGE="31536000" ; includeSubDomains; preload']},
        {"strict-transport-security": ["max-age=31536000", "max-age=31536000"]},
        {"x-content-type-options": ["NoSniff"]},
        {"x-content-type-options": ["nosniff", "nosniff"]},
        {"x-frame-options": ["sameorigin"]},
        {"x-frame-options": [], "content-security-policy": ["frame-ancestors 'self' https://app.example"]},
        {"x-xss-protection": ["0"]},
        {"referrer-policy": ["same-origin"]},
    ],
)
def test_an_api_that_protects_in_any_spelling_passes(changed: dict[str, list[str]]) -> None:
    """Case, quotes, order, harmless repetition and either way of refusing frames do not matter."""
    assert problems({**GOOD, **changed}) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"strict-transport-security": []}, "Strict-Transport-Security is missing"),
        ({"strict-transport-security": ["max-age=0"]}, "max-age=0"),
        ({"strict-transport-security": ["max-age=86400"]}, "below 31536000"),
        ({"strict-transport-security": ["includeSubDomains"]}, "no usable max-age"),
        ({"strict-transport-security": ["max-age=1; max-age=63072000"]}, "no usable max-age"),
        ({"strict-transport-security": ["max-age=-1"]}, "no usable max-age"),
        ({"strict-transport-security": ["max-age=63072000", "max-age=0"]}, "different values"),
        ({"x-content-type-options": []}, "X-Content-Type-Options is missing"),
        ({"x-content-type-options": ["sniff"]}, "not nosniff"),
        ({"x-content-type-options": ["nosniff", "sniff"]}, "not nosniff"),
        ({"x-frame-options": []}, "framing is not refused"),
        ({"x-frame-options": ["ALLOW-FROM https://x"]}, "ALLOW-FROM"),
        ({"x-frame-options": ["DENY", "SAMEORIGIN"]}, "X-Frame-Options is DENY, SAMEORIGIN"),
        ({"content-security-policy": ["frame-ancestors *"]}, "lets any site frame it"),
        ({"x-xss-protection": ["1; mode=block"]}, "must be absent or 0"),
        ({"referrer-policy": ["unsafe-url"]}, "unsafe-url"),
        ({"referrer-policy": ["no-referrer", "unsafe-url"]}, "unsafe-url"),
    ],
)
def test_a_header_that_does_not_protect_is_named(changed: dict[str, list[str]], word: str) -> None:
    """Each way of being useless gives one problem, which says what was seen."""
    found = problems({**GOOD, **changed})
    assert len(found) == 1 and word in found[0]


@pytest.mark.parametrize("name", ["strict-transport-security", "content-security-policy", "referrer-policy"])
def test_pages_need_more_than_an_api(name: str) -> None:
    """A page passes with all of its headers, and fails without any one of them, on an API host too."""
    assert problems(PAGE) == []
    assert problems({**PAGE, name: []})


def test_the_html_profile_asks_of_every_answer_what_pages_need() -> None:
    """An API's JSON needs no script policy, a page host's JSON does."""
    page_host = Policy(html=True, hsts_min_age_s=31_536_000, hsts_subdomains=False)
    assert problems(GOOD) == []
    assert any("Content-Security-Policy" in problem for problem in problems(GOOD, page_host))


def test_answers_without_content_or_without_tls_need_less() -> None:
    """Without a body only HSTS is asked; over an address or plain HTTP not even that."""
    bare = {"strict-transport-security": GOOD["strict-transport-security"]}
    assert problems(bare, body=False) == []
    assert problems({}, body=False)
    assert problems({}, secure=False, body=False) == []


def test_level_two_asks_for_subdomains_and_exemptions_take_away() -> None:
    """The includeSubDomains directive is asked for on demand; a header that the target file exempts is not."""
    strict = Policy(html=False, hsts_min_age_s=1, hsts_subdomains=True)
    exempt = Policy(
        html=False, hsts_min_age_s=1, hsts_subdomains=True, exempt=frozenset({"strict-transport-security"})
    )
    assert problems(GOOD, strict) == ["Strict-Transport-Security lacks includeSubDomains"]
    assert problems(GOOD, exempt) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("max-age=10", (10, False)),
        ("max-age=10;includesubdomains", (10, True)),
        ("max-age=٣", (None, False)),
        ("", (None, False)),
    ],
)
def test_hsts_is_read_as_browsers_do(value: str, expected: tuple[int | None, bool]) -> None:
    """Only ASCII digits are an age."""
    assert hsts(value) == expected


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("__Host-session=x; Path=/; Secure; HttpOnly; SameSite=Lax", 0),
        ("s=x; secure; httponly; samesite=STRICT", 0),
        ("XSRF-TOKEN=x; Secure; SameSite=Strict", 0),
        ("s=; Max-Age=0", 0),
        ("s=; expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("s=x; HttpOnly; SameSite=Lax", 1),
        ("s=x; Secure; SameSite=Lax", 1),
        ("s=x; Secure; HttpOnly", 1),
        ("s=x", 3),
    ],
)
def test_cookies_stay_with_their_browser(value: str, count: int) -> None:
    """Secure, HttpOnly and SameSite are each missed; deleting a cookie and a readable CSRF token are fine."""
    assert len(cookie_problems(cookie(value))) == count


def test_a_cookie_keeps_no_value() -> None:
    """Facts about a cookie hold its name and attributes only."""
    assert "hunter2" not in repr(cookie("s=hunter2; Secure"))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["no-store"], True),
        (["private, no-cache"], True),
        (["max-age=0, private, must-revalidate"], True),
        (["No-Store, max-age=0"], True),
        ([], False),
        (["private"], False),
        (["public, max-age=60"], False),
        (["private, no-cache, public"], False),
        (["max-age=3600"], False),
    ],
)
def test_private_answers_are_not_stored(values: list[str], kept: bool) -> None:
    """no-store, or private with revalidation, keeps an answer to its user."""
    assert (storing_problem(values) == "") is kept


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ({"server": ["nginx"]}, 0),
        ({"server": ["cloudflare"]}, 0),
        ({"server": ["nginx/1.25.3"]}, 1),
        ({"x-powered-by": ["Express"]}, 1),
        ({"x-powered-by": [""]}, 0),
        ({"x-request-id": ["7"]}, 0),
        ({"x-aspnet-version": ["4.0"], "via": ["1.1 varnish"]}, 1),
    ],
)
def test_what_tells_of_the_inside_is_found(found: dict[str, list[str]], count: int) -> None:
    """A product's bare name in Server is nobody's secret; a version, or any X-Powered-By, tells too much."""
    assert len(telltales(found, ())) == count
    assert telltales(found, tuple(found)) == []
