"""Values that stand for a value: what templates, tutorials and half-finished configurations leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATTERNS = (
    r"change[-_ ]?(?:me|this|it)",
    r"(?<![a-z0-9])your[-_ ]",
    r"your(?:api)?(?:key|token|secret)",
    r"(?<![a-z0-9])x{3,}(?![a-z0-9])",
    r"\*{3,}",
    r"<[^<>@\s]+>",
    r"\{\{[^{}]+\}\}",
    r"\bexample\.(?:com|org|net)\b",
    r"(?<![a-z0-9])(?:dummy|placeholder|tbd|fixme)(?![a-z0-9])",
    r"^to[-_ ]?do(?:$|[ :])",
    r"test123",
    r"replace[-_ ]?(?:me|this|with)|(?:^|[-_ ])replace$",
    r"^(?:insert|enter|put|fill)[-_ ](?:me|your|the|here|in)",
    r"^(?:none|null|undefined|nil)$",
)
"""Matched anywhere in a value, without regard to case. Names of RFC 2606 such as app.example are no placeholders:
only the registered example domains are what tutorials use."""


def placeholder(value: str, extra: Iterable[str] = ()) -> bool:
    """Whether a value still stands for another; `extra` are more patterns."""
    text = value.strip()
    return bool(text) and any(re.search(pattern, text, re.IGNORECASE) for pattern in (*PATTERNS, *extra))
