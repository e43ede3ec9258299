"""How hard a machine's secret is to guess: bits, patterns, famous values, words of the context, equality.

A secret that a generator made is worth its length times the bits of its alphabet. zxcvbn finds what is not
random in it: words, dates, sequences, repetitions. Its own total is of no use for long random strings, since
it counts ten guesses for any character; so each found pattern is charged at zxcvbn's guesses for it, and
everything else at the alphabet's. Single short words turn up in random strings by chance and are not charged.
"""

from __future__ import annotations

import hmac
import math
import secrets as random
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

_ALPHABETS = (
    string.digits,
    string.digits + "abcdef",
    string.digits + "ABCDEF",
    string.ascii_lowercase,
    string.ascii_uppercase,
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase + string.digits,
    string.ascii_letters + string.digits,
    string.ascii_letters + string.digits + "-_",
    string.ascii_letters + string.digits + "+/=",
    string.printable[:94],
)
_PIECE = 64
"""Characters that zxcvbn looks at in one go; its time grows faster than the length."""
_PIECES = 4
_WORD = 4
"""Characters of the shortest pattern that counts at all."""
_CHANCE_LENGTH = 5
"""One pattern of so few characters is in one of twenty random strings of 19; longer ones hardly ever."""
_PATTERNED = 1 / 3
"""From this share of a secret on, patterns are no chance, however short each is (own)."""
_WORDY = 1 / 2
"""From this share on a secret is a phrase, and zxcvbn's own total is the better estimate (own)."""
_LONG_HEX = 16
"""Digits and hexadecimal strings of this length and more are taken as numbers (own)."""


@dataclass(frozen=True)
class Strength:
    """What can be told of a secret without telling it.

    bits: log2 of the guesses that it takes.  score: zxcvbn's, 0 to 4.  length_bytes: in UTF-8.
    famous: it is a value out of documentation, a tutorial or an image's defaults.  repeated: a shorter piece
    again and again.  context: the word of the deployment (product, user, host) that it holds, if any.
    """

    bits: float
    score: int
    length_bytes: int
    famous: bool
    repeated: bool
    context: str

    def faults(self, bits_min: float) -> tuple[str, ...]:
        """Return what is wrong with it, in words that do not tell it; nothing when it is strong."""
        found = []
        if self.famous:
            found.append("is a well-known default")
        if self.repeated:
            found.append("repeats a shorter piece")
        if self.context:
            found.append(f"holds the word {self.context!r}")
        if self.bits < bits_min:
            found.append(f"has {self.bits:.0f} bits, {bits_min:g} are needed")
        return tuple(found)


def strength(secret: str, context: Iterable[str] = ()) -> Strength:
    """Judge a secret; `context` are words that an attacker tries first (of 4 characters or more).

    CannotLook(no_access) when zxcvbn is not installed.
    """
    body = secret[2:] if secret[:2] == "0x" else secret
    piece = _period(body)
    once = body[:piece]
    words = [word for word in context if len(word) >= _WORD]
    lower = secret.lower()
    bits, score = _bits(once, words)
    return Strength(
        bits=0.0 if famous(secret) else round(bits, 1),
        score=score,
        length_bytes=len(secret.encode("utf-8", "surrogatepass")),
        famous=famous(secret),
        repeated=piece < len(body),
        context=next((word for word in words if word.lower() in lower), ""),
    )


def famous(secret: str) -> bool:
    """Whether a value is one that everybody knows, in any capitalization and with blanks around it."""
    return secret.strip().lower() in known()


def same(secrets: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of names that share one value; compared by HMAC under a key of this call's own."""
    key = random.token_bytes(32)
    groups: dict[bytes, list[str]] = {}
    for name, value in secrets.items():
        if value:
            groups.setdefault(hmac.digest(key, value.encode("utf-8", "surrogatepass"), sha256), []).append(
                name
            )
    return tuple(tuple(sorted(names)) for names in groups.values() if len(names) > 1)


def alphabet_bits(secret: str) -> float:
    """Return the bits of one character of the smallest usual alphabet that a secret is written in.

    Letters in both cases count as letters and digits: one in thirty such secrets has no digit by chance.
    """
    seen = set(secret)
    for letters in _ALPHABETS:
        if seen <= set(letters):
            return math.log2(len(letters))
    return math.log2(max(128, len(seen)))


def _bits(secret: str, words: list[str]) -> tuple[float, int]:
    if not secret:
        return 0.0, 0
    looked = secret[: _PIECE * _PIECES]
    results = [_zxcvbn(looked[start : start + _PIECE], words) for start in range(0, len(looked), _PIECE)]
    score = max(int(result["score"]) for result in results)
    found = [match for result in results for match in result["sequence"] if _meant(match, secret)]
    each = alphabet_bits(secret)
    share = sum(len(match["token"]) for match in found) / len(looked)
    if share < _PATTERNED:
        found = [match for match in found if len(match["token"]) > _CHANCE_LENGTH]
    charged = sum(len(match["token"]) for match in found)
    guessed = sum(min(math.log2(max(1, match["guesses"])), len(match["token"]) * each) for match in found)
    bits = (len(secret) - charged) * each + guessed
    if share >= _WORDY:
        beyond = (len(secret) - len(looked)) * each
        bits = min(bits, beyond + sum(math.log2(float(result["guesses"])) for result in results))
    return bits, score


def _meant(match: dict[str, Any], secret: str) -> bool:
    """Whether a pattern is one that random characters do not show by chance."""
    if match["pattern"] == "bruteforce" or len(match["token"]) < _WORD:
        return False
    if set(secret) <= set(string.hexdigits) and len(secret) >= _LONG_HEX:
        # Digits are full of dates and years, and a to f spell words.
        return match["pattern"] in ("repeat", "sequence") and len(match["token"]) > 2 * _WORD
    return True


def _zxcvbn(piece: str, words: list[str]) -> dict[str, Any]:
    try:
        from zxcvbn import zxcvbn
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "zxcvbn is missing here; install pytest-deploycheck[env]"
        ) from None
    return dict(zxcvbn(piece, user_inputs=words))


def _period(secret: str) -> int:
    """Return the length of the shortest piece that gives the secret when it is repeated."""
    return ((secret + secret).find(secret, 1)) if secret else 0


@lru_cache(1)
def known() -> frozenset[str]:
    """Return the values that everybody knows, in lower case."""
    text = resources.files("pytest_deploycheck.rules").joinpath("known_secrets.txt").read_text("utf-8")
    return frozenset(line.strip().lower() for line in text.splitlines() if line and not line.startswith("# "))
