"""Personal data in a file that should hold none: addresses of people, of wallets, of machines, and logins.

By pattern, so that names and free text are not found. Texts and archives of XML, such as spreadsheets, can be read;
pictures and PDF cannot.
"""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import unquote

SIZE_MAX_BYTES = 16 * 2**20
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "e-mail addresses": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    "wallet addresses": re.compile(r"(?<![0-9A-Za-z])0x[0-9a-fA-F]{40}(?![0-9A-Za-z])"),
    "telephone numbers": re.compile(r"(?<![\w.+])\+[1-9](?:[ ()/-]?\d){8,14}(?!\w)"),
    "IP addresses": re.compile(
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
    ),
    "tokens": re.compile(r"(?<![\w.-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
}


def found(text: str, allowed: Collection[str] = ()) -> dict[str, int]:
    """Return how many different pieces of personal data of each kind a text has; `allowed`, lower case, are none."""
    plain = unquote(html.unescape(text))
    counts = {
        kind: len({one.lower() for one in pattern.findall(plain)} - set(allowed))
        for kind, pattern in _PATTERNS.items()
    }
    return {kind: count for kind, count in counts.items() if count}


def text_of(path: Path) -> str | None:
    """Return what is written in a file, None where it cannot be read as text."""
    if path.stat().st_size > SIZE_MAX_BYTES:
        return None
    if zipfile.is_zipfile(path):
        return _unpacked(path)
    return _decoded(path.read_bytes())


def _decoded(content: bytes) -> str | None:
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8", "latin-1")
    if content[:5] == b"%PDF-" or (b"\0" in content and encodings[0] != "utf-16"):
        return None
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _unpacked(path: Path) -> str | None:
    """Return the text of an archive's members, None when one of them is no text or all of them are too much."""
    texts = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if sum(one.file_size for one in members) > SIZE_MAX_BYTES:
                return None
            for member in members:
                with archive.open(member) as file:
                    text = _decoded(file.read(SIZE_MAX_BYTES))
                if text is None:
                    return None
                texts.append(text)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None
    return "\n".join(texts)
