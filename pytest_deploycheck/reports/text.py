"""Strings from a target, made safe to look at: nothing invisible, nothing unbounded.

Escaping for a format (HTML, Markdown) happens in that format's module; this one takes out what no
format can show: terminal control sequences, text direction overrides, characters without a shape,
halves of surrogate pairs.
"""

from __future__ import annotations

import hashlib
import re

EXCERPT_BYTES = 8_192
"""Bytes shown of one string before it is cut and its digest given."""
_SPACIOUS = 20  # characters looked at for each one kept: the rest may have been spaces

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline: NUL, ESC, CSI
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, direction
    "\ud800-\udfff"  # halves of surrogate pairs: not encodable
    "\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "\U000e0000-\U000e0fff"  # tag characters and variation selectors beyond the first sixteen
    "]"
)


def visible(text: str) -> str:
    r"""Return text with every character that has no shape written out, as `\x1b` or `\u202e`."""
    return _UNSEEN.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int = 0) -> str:
    """Return visible text on one line, its whitespace joined, cut to `limit` characters if that is not 0."""
    if limit:
        text = text[: _SPACIOUS * limit]
    joined = " ".join(visible(text).split())
    return joined if not limit or len(joined) <= limit else joined[: limit - 1].rstrip() + "…"


def bounded(text: str, limit: int = EXCERPT_BYTES) -> tuple[str, str]:
    """Return the first `limit` bytes of a text, and a note of its size and sha256, empty if it fitted."""
    if len(text) * 4 <= limit:
        return text, ""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= limit:
        return text, ""
    shown = raw[:limit].decode("utf-8", "replace").rstrip("\ufffd")
    return shown, f"truncated, {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}"
