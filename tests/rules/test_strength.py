"""How hard secrets are to guess."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

import pytest

from pytest_deploycheck.rules.strength import famous, same, strength

ALNUM = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    ("make", "bits"),
    [
        (lambda: "".join(secrets.choice(ALNUM) for _ in range(20)), 112),
        (lambda: secrets.token_urlsafe(24), 150),
        (lambda: secrets.token_hex(16), 128),
        (lambda: secrets.token_hex(32), 220),
        (lambda: "0x" + secrets.token_hex(32), 220),
    ],
    ids=["20 letters and digits", "24 bytes", "16 bytes in hex", "32 bytes in hex", "a private key"],
)
def test_generated_secrets_are_worth_their_length(make: Callable[[], str], bits: float) -> None:
    """Of forty generated secrets at most two show words by chance, and none is called a pattern."""
    found = [strength(make()) for _ in range(40)]
    assert sum(one.bits < bits for one in found) <= 2, sorted(one.bits for one in found)[:4]
    assert not any(one.famous or one.repeated for one in found)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "secret",
        "ChangeMe",
        "your-256-bit-secret",
        "a" * 64,
        "k3Fq" * 12,
        "0123456789abcdef" * 2,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "qwertyuiopasdfghjklzxcvbnm123456",
        "postgres_production_password_2026",
        "super-secret-production-key-1234567890",
        "correct horse battery staple",
    ],
)
def test_made_up_secrets_are_weak(secret: str) -> None:
    """Length alone does not help: words, sequences, repetitions and famous values stay below 112 bits."""
    assert strength(secret).faults(112)


def test_a_long_passphrase_is_strong() -> None:
    """Ten words by dice are as good as a generated string."""
    words = "anagram fiddle umbrella copper quantum hydrogen lantern oxide velvet marmot"
    assert strength(words).faults(112) == ()


def test_words_of_the_context_are_told() -> None:
    """The product's name in a secret is a fault however long the rest is."""
    found = strength("guardian-" + secrets.token_urlsafe(32), ["Guardian"])
    assert found.context == "Guardian"
    assert any("Guardian" in fault for fault in found.faults(0))


def test_length_is_in_bytes() -> None:
    """A passphrase's characters are not its bytes."""
    assert strength("schlüssel").length_bytes == 10


def test_famous_values_in_any_spelling() -> None:
    """Defaults are known in capitals and with blanks around them; a generated value is not."""
    assert famous(" SECRET ")
    assert not famous(secrets.token_urlsafe(24))


def test_equal_secrets_are_grouped() -> None:
    """Names that share a value are one group; empty values are none."""
    assert same({"A": "x", "B": "y", "C": "x", "D": "", "E": ""}) == (("A", "C"),)
