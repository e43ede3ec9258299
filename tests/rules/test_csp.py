"""Content-Security-Policy: parsed as browsers do, judged by what it forbids."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.csp import parse, refuses_framing, script_problems


@pytest.mark.parametrize(
    "value",
    [
        "default-src 'none'; frame-ancestors 'none'",
        "default-src 'self'",
        "script-src 'self' https://cdn.example; object-src 'none'",
        "script-src 'nonce-r4nd0m' 'unsafe-inline' 'strict-dynamic' https: http:; object-src 'none'",
        "SCRIPT-SRC 'SELF'; OBJECT-SRC 'NONE'",
        "default-src 'self'; script-src 'sha256-abc' 'unsafe-inline'",
    ],
)
def test_policies_that_limit_scripts_pass(value: str) -> None:
    """Own scripts, listed hosts, nonces and hashes are fine; so are fallbacks for old browsers beside them."""
    assert script_problems(parse([value])) == []


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("", "no Content-Security-Policy"),
        ("frame-ancestors 'none'", "limits no scripts"),
        ("default-src *", "script-src allows *"),
        ("script-src 'self' 'unsafe-inline'; object-src 'none'", "'unsafe-inline'"),
        ("script-src https:; object-src 'none'", "https:"),
        ("script-src 'self' data:; object-src 'none'", "data:"),
        ("script-src 'self'", "object-src"),
        ("script-src 'self'; script-src *; object-src *", "object-src"),
    ],
)
def test_policies_that_let_scripts_in_do_not(value: str, word: str) -> None:
    """Each hole is named."""
    assert any(word in problem for problem in script_problems(parse([value])))


def test_all_policies_apply_at_once() -> None:
    """One good policy is enough: a browser obeys each of them."""
    assert script_problems(parse(["default-src *", "default-src 'none'"])) == []
    assert script_problems(parse(["default-src *, default-src 'none'"])) == []
    assert refuses_framing(parse(["frame-ancestors *", "frame-ancestors 'none'"])) is True


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("frame-ancestors 'none'", True),
        ("frame-ancestors 'self' https://app.example", True),
        ("frame-ancestors", True),
        ("frame-ancestors https:", False),
        ("frame-ancestors *", False),
        ("default-src 'none'", None),
    ],
)
def test_framing_is_its_own_directive(value: str, refused: bool | None) -> None:
    """default-src says nothing about framing; an empty list lets nobody."""
    assert refuses_framing(parse([value])) is refused
