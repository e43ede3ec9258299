"""Mnemonics: found by their checksum, in whatever they are written; prose is not one."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.bip39 import has_mnemonic, is_mnemonic

# Test vectors of BIP-39: known to everybody, so no wallet is behind them.
TWELVE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
TWENTY_FOUR = "abandon " * 23 + "art"


@pytest.mark.parametrize(
    "text",
    [
        TWELVE,
        TWENTY_FOUR,
        f'{{"msg": "restored from {TWELVE} today"}}',
        f"the seed is {TWELVE}",
        str(TWELVE.split()).replace("'", '"'),
        TWELVE.replace(" ", ", "),
    ],
)
def test_a_mnemonic_is_found(text: str) -> None:
    """Alone, in JSON, in a sentence, as a list."""
    assert has_mnemonic(text)


@pytest.mark.parametrize(
    "text",
    [
        "legal winner thank year wave sausage worth useful legal winner thank year",
        "the quick brown fox jumps over the lazy dog and then goes back home again",
        TWELVE.rpartition(" ")[0],
        "abandon " * 12,
        "",
    ],
)
def test_other_words_are_not(text: str) -> None:
    """A wrong checksum, prose, eleven words and one word repeated are no mnemonics."""
    assert not has_mnemonic(text)


def test_length_matters() -> None:
    """Only the five lengths of the standard count."""
    assert is_mnemonic(TWELVE.split()) and not is_mnemonic([*TWELVE.split(), "zoo"])
