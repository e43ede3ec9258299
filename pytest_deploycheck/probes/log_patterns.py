"""What must never stand in a log: known secrets by value, and what has the shape of a credential.

A 64-digit hexadecimal pattern would flag every transaction hash, and a 16-digit number every amount in wei:
whoever reads such findings turns the scan off. So private keys are looked for by value, card numbers where
they are written as cards are or named as such, seed phrases with their checksum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pytest_deploycheck.redact import forms
from pytest_deploycheck.rules.bip39 import has_mnemonic

SHORTEST = 8
"""Characters of a secret that is looked for by value: shorter ones stand in innocent text."""
_MASKED = r"(?!\*+|\[?redacted|\[?filtered|\[?hidden|<|null|none|true|false|undefined|\"\"|''|x{3,}|\$\d|/)"
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "authorization header": re.compile(
        rf"(?i)\bauthorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:bearer|basic)\s+{_MASKED}[\w.~+/=-]{{8,}}"
    ),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "password field": re.compile(
        r"(?i)\b(?:password|passwd|pwd|client_secret|private_key)\\?[\"']?\s*[:=]\s*\\?[\"']?"
        rf"{_MASKED}[^\s\"',}}&\\]{{4,}}"
    ),
    "password in SQL": re.compile(r"(?i)\bpassword\s+'[^']{4,}'"),
    "credential in a URL's query": re.compile(
        r"(?i)[?&](?:access_token|refresh_token|id_token|token|jwt|api_?key|secret|password)="
        rf"{_MASKED}(?!0x[0-9a-f]{{40}}\b)[\w.~+/%=-]{{16,}}"
    ),
    "URL with a password": re.compile(r"\b\w+://[^\s/:@\"']+:(?!\*+@|\[?redacted|x{3,}@)[^\s/@\"']{3,}@"),
    "RPC URL with a key": re.compile(
        r"(?i)https?://[\w.-]*(?:infura\.io|alchemy\.com|quiknode\.pro|ankr\.com)/[\w/-]*[\w-]{20,}"
    ),
}
_CARD = re.compile(
    r"(?<![\w.-])(?:4\d{3}|5[1-5]\d\d|6011)([ -])\d{4}\1\d{4}\1\d{4}(?![\w.-])"
    r"|(?i:card|pan|visa|mastercard|amex)\W{0,3}(?i:_?(?:no|number|num))?\W{1,4}"
    r"(?P<digits>4\d{15}|5[1-5]\d{14}|3[47]\d{13}|6011\d{12})(?!\d)"
)


def _has_card(text: str) -> bool:
    return any(luhn(match["digits"] or re.sub(r"\D", "", match[0])) for match in _CARD.finditer(text))


SHAPES: Mapping[str, Callable[[str], object]] = {
    **{name: pattern.search for name, pattern in PATTERNS.items()},
    "payment card number": _has_card,
    "wallet seed phrase": has_mnemonic,
}


class Scanner:
    """Finds secrets in lines; `secrets` are (name, value), and only the name is ever told."""

    def __init__(self, secrets: Iterable[tuple[str, str]], *, shapes: bool = True) -> None:
        self._names: dict[str, str] = {}
        for name, value in secrets:
            if len(value) >= SHORTEST:
                for form in _forms(value):
                    self._names.setdefault(form, name)
        self._shapes = SHAPES if shapes else {}

    @property
    def known(self) -> int:
        """How many different secrets are looked for by value."""
        return len(set(self._names.values()))

    def broken(self, lines: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield (rule, index of the line) for every rule that a line breaks.

        Each rule is asked of all the lines as one text first, which most often settles it.
        """
        text = "\n".join(lines)
        by_name: dict[str, list[str]] = {}
        for form, name in self._names.items():
            if form in text:
                by_name.setdefault(name, []).append(form)
        for name, present in by_name.items():
            for number, line in enumerate(lines):
                if any(form in line for form in present):
                    yield f"value of {name}", number
        for rule, finds in self._shapes.items():
            if finds(text):
                yield from ((rule, number) for number, line in enumerate(lines) if finds(line))


def _forms(value: str) -> set[str]:
    found = {form for form in forms(value) if len(form) >= SHORTEST}
    found.discard(value[::-1])
    if re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        found |= {value[2:], value[2:].lower(), value[2:].upper()}
    return found


def luhn(digits: str) -> bool:
    """Whether a number has the check digit that payment cards have (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
