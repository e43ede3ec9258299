"""JSON from somebody else: nesting so deep that the decoder would overrun its stack is refused before.

The decoder of CPython up to 3.11 trusts the interpreter's recursion limit, which libraries raise (py-evm does),
and then ends the process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

DEPTH_MAX = 500
"""Levels of nesting; no answer of a service that is looked at has more than a few dozen."""
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class TooDeep(ValueError):
    """The text is nested deeper than anything that is meant to be read."""


def loads(text: str | bytes, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return the value; raise ValueError for what is no JSON, TooDeep for what is nested too deep."""
    plain = text.decode("utf-8-sig", "replace") if isinstance(text, bytes) else text
    # Brackets in strings count as well at first, which is quick and never too little.
    if _depth(_NOT_BRACKETS.sub("", plain)) > DEPTH_MAX and (
        _depth(_NOT_BRACKETS.sub("", _STRING.sub("", plain))) > DEPTH_MAX
    ):
        raise TooDeep(f"JSON is nested more than {DEPTH_MAX} levels deep")
    return json.loads(text, object_pairs_hook=object_pairs_hook)


def _depth(brackets: str) -> int:
    if len(brackets) <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for bracket in brackets:
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
