"""What must never stand in a log: known secrets by value, and what has the shape of a credential.

A 64-digit hexadecimal pattern would flag every transaction hash, so private keys are looked for by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pytest_deploycheck.redact import forms

SHORTEST = 8
"""Characters of a secret that is looked for by value: shorter ones stand in innocent text."""
_MASKED = r"(?!\*+|\[?redacted|\[?filtered|<|null|none|true|false|undefined|\"\"|''|x{3,})"
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "authorization header": re.compile(
        rf"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+{_MASKED}[\w.~+/=-]{{8,}}"
    ),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "password field": re.compile(
        rf"(?i)[\"']?\b(?:password|passwd|pwd|client_secret|private_key)[\"']?\s*[:=]\s*[\"']?{_MASKED}[^\s\"',}}&]{{4,}}"
    ),
    "URL with a password": re.compile(r"\b\w+://[^\s/:@\"']+:(?!\*+@|\[?redacted)[^\s/@\"']{3,}@"),
    "RPC URL with a key": re.compile(
        r"(?i)https?://[\w.-]*(?:infura\.io|alchemy\.com|quiknode\.pro|ankr\.com)/[\w/-]*[\w-]{20,}"
    ),
}
_CARD = re.compile(r"(?<![\w.-])(?:4\d{15}|5[1-5]\d{14}|3[47]\d{13}|6011\d{12})(?![\w.-])")
_WORDS = re.compile(r"\b(?:[a-z]{3,8} ){11,23}[a-z]{3,8}\b")


class Scanner:
    """Finds secrets in lines; `secrets` are (name, value), and only the name is ever told."""

    def __init__(self, secrets: Iterable[tuple[str, str]]) -> None:
        self._names: dict[str, str] = {}
        for name, value in secrets:
            if len(value) >= SHORTEST:
                for form in _forms(value):
                    self._names.setdefault(form, name)
        self._seed_words = _seed_words()

    @property
    def known(self) -> int:
        """How many different secrets are looked for by value."""
        return len(set(self._names.values()))

    def values_in(self, line: str) -> list[str]:
        """Return the names of the secrets whose value stands in a line, in any form."""
        return list(dict.fromkeys(name for form, name in self._names.items() if form in line))

    def rules_broken(self, line: str) -> Iterator[str]:
        """Yield the rules that a line breaks."""
        yield from (f"value of {name}" for name in self.values_in(line))
        for name, pattern in PATTERNS.items():
            if pattern.search(line):
                yield name
        if any(_luhn(match[0]) for match in _CARD.finditer(line)):
            yield "payment card number"
        if self._seed_words and any(
            all(word in self._seed_words for word in match[0].split()) for match in _WORDS.finditer(line)
        ):
            yield "wallet seed phrase"


def _forms(value: str) -> set[str]:
    found = {form for form in forms(value) if len(form) >= SHORTEST}
    found.discard(value[::-1])
    if re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        found |= {value[2:], value[2:].lower(), value[2:].upper()}
    return found


def _luhn(digits: str) -> bool:
    """Whether a number has the check digit that payment cards have (ISO/IEC 7812)."""
    if digits.endswith("000000"):  # an amount in wei
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _seed_words() -> frozenset[str]:
    """Return the English BIP-39 words, where a library that knows them is installed."""
    try:
        from importlib.resources import files

        text = files("eth_account.hdaccount.wordlist").joinpath("english.txt").read_text(encoding="utf-8")
    except (ModuleNotFoundError, OSError):
        return frozenset()
    return frozenset(text.split())
