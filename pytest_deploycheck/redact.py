"""Redaction: secret values are taken out where a fact is made and once more where text leaves the process.

A secret is matched by value, in every form in which it may travel: raw, Base64 (at each of the three
alignments, both alphabets), URL-encoded, hexadecimal, JSON- and HTML-escaped, and as Basic credentials.
Text that has the shape of a credential (a JWT, an Authorization header, a password in a URL) is taken
out as well, whoever it belongs to.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "[redacted]"
SHORTEST = 6
"""Values shorter than this are matched as whole words only: as substrings they would eat innocent text."""
LONGEST_TEXT = 8_192
"""Characters kept of one string from a target (report.md: excerpts of 8 kB)."""

_SHAPES = re.compile(
    r"eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*"  # JWT
    r"|(?<=://)[^/\s:@\"']*:[^/\s@\"']+(?=@)"  # user:password in a URL
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
)


def forms(secret: str) -> set[str]:
    """Return the strings by which a secret may appear in an output."""
    raw = secret.encode("utf-8", "surrogatepass")
    found = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        raw.hex(),
        raw.hex().upper(),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
        secret[::-1],
    }
    for shift in range(3):
        # Only the characters that the secret alone decides: the edges mix with what stands beside it.
        text = base64.b64encode(b"\0" * shift + raw).decode()
        start = {0: 0, 1: 2, 2: 3}[shift]
        tail = (len(raw) + shift) % 3
        core = text.rstrip("=")[start : -1 if tail else None]
        if len(core) >= SHORTEST:
            found |= {core, core.replace("+", "-").replace("/", "_")}
    return {form for form in found if form}


class Redactor:
    """The secrets of one run; thread-safe, grows while the run learns tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._forms: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Remember a secret value; an empty one is ignored. A URL's credentials and key path count too."""
        parts = {secret} | url_parts(secret)
        with self._lock:
            new = {part for part in parts if part.strip()} - self._secrets
            if new:
                self._secrets |= new
                self._pattern = None

    def _compiled(self) -> re.Pattern[str] | None:
        with self._lock:
            if self._pattern is None and self._secrets:
                alternatives: set[str] = set()
                found: set[str] = set()
                for secret in self._secrets:
                    if len(secret) < SHORTEST:
                        alternatives.add(rf"(?<!\w){re.escape(secret)}(?!\w)")
                        found.add(secret)
                    else:
                        alternatives |= {re.escape(form) for form in forms(secret)}
                        found |= forms(secret)
                self._forms = tuple(found)
                self._pattern = re.compile("|".join(sorted(alternatives, key=lambda a: (-len(a), a))))
            return self._pattern

    def text(self, text: str) -> str:
        """Return `text` without any known secret or credential-shaped part."""
        pattern = self._compiled()
        # Looking for each form is a hundred times faster than the alternation of them all.
        if pattern is not None and any(form in text for form in self._forms):
            text = pattern.sub(MASK, text)
        return _SHAPES.sub(MASK, text)

    def clean(self, value: Any) -> Any:
        """Return a JSON-able value with every string redacted, bounded and free of lone surrogates."""
        if isinstance(value, str):
            return self.text(bounded(value))
        if isinstance(value, Mapping):
            return {self.text(bounded(str(key))): self.clean(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(entry) for entry in value]
        return value


def bounded(text: str, limit: int = LONGEST_TEXT) -> str:
    """Return text of at most `limit` characters plus a note of what was cut, lone surrogates replaced."""
    if len(text) > limit:
        text = f"{text[:limit]}… [truncated, {len(text)} characters]"
    return text.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text


def url_parts(secret: str) -> set[str]:
    """Return what is secret in a URL: its password and, as RPC providers have it, a long last path part."""
    if "://" not in secret:
        return set()
    try:
        url = urlsplit(secret)
        password = url.password
    except ValueError:
        return set()
    parts = {password, unquote(password)} if password and len(password) >= SHORTEST else set()
    parts |= {part for part in url.path.split("/") if len(part) >= 16}
    parts |= {pair.partition("=")[2] for pair in url.query.split("&") if len(pair.partition("=")[2]) >= 16}
    return {part for part in parts if part}
