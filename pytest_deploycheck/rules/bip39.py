"""BIP-39 mnemonics: twelve to twenty-four words of one list whose last bits are a checksum of the others."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

LENGTHS = (24, 21, 18, 15, 12)
_RUN = re.compile(r"(?<![A-Za-z])(?:[a-z]{3,8}[ ,\"]+){11,}[a-z]{3,8}(?![A-Za-z])")


@cache
def _words() -> dict[str, int]:
    text = files("pytest_deploycheck.rules").joinpath("bip39_english.txt").read_text(encoding="ascii")
    return {word: number for number, word in enumerate(text.split())}


def is_mnemonic(words: list[str]) -> bool:
    """Whether these words, all of them, are a mnemonic: prose that happens to use the list is not."""
    known = _words()
    if len(words) not in LENGTHS or not all(word in known for word in words):
        return False
    bits = "".join(f"{known[word]:011b}" for word in words)
    checked = len(bits) // 33
    entropy = int(bits[:-checked], 2).to_bytes((len(bits) - checked) // 8, "big")
    return f"{hashlib.sha256(entropy).digest()[0]:08b}".startswith(bits[-checked:])


def has_mnemonic(text: str) -> bool:
    """Whether a mnemonic stands somewhere in a text, among other words perhaps."""
    for run in _RUN.finditer(text):
        words = re.split(r"[ ,\"]+", run[0])
        for length in LENGTHS:
            if any(is_mnemonic(words[at : at + length]) for at in range(len(words) - length + 1)):
                return True
    return False
