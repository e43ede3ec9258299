"""Fragment identifiers: what a link into a report ends in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_PLAIN_ANCHOR = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

RESERVED = (
    "top", "main", "decision", "changed", "blocking", "counts", "items", "claims", "signoffs", "observations",
    "coverage", "verify", "data", "requests", "gates", "causes", "standins", "deploycheck-data", "identity",
)  # fmt: skip
"""Anchors of the page itself, which no item may take."""


class Anchors:
    """Makes fragment identifiers: the name itself where it may be one, unique within a page."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self._taken = set(taken) | set(RESERVED)

    def make(self, name: str) -> str:
        """Return an anchor for `name`; a second call with the same name gives another one."""
        plain = name if _PLAIN_ANCHOR.fullmatch(name) and len(name) <= 120 else ""
        base = plain or "x-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        anchor, copy = base, 2
        while anchor in self._taken:
            anchor, copy = f"{base}--{copy}", copy + 1
        self._taken.add(anchor)
        return anchor
