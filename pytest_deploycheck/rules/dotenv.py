"""Environment files, read as strictly as they ought to be written.

There is no standard: docker compose (compose-go), python-dotenv, `docker run --env-file` and systemd's
EnvironmentFile read the same line differently. A file is taken apart once; `Env.values` then gives what a
reader makes of it. Issues name a line, a kind and a key, and never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

READERS = ("compose", "python-dotenv", "docker", "systemd")
ANY = "any"
"""The reader of a file that must mean the same to docker compose and to python-dotenv."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_START = re.compile(r"(?P<export>export[ \t]+)?(?P<key>[^=\n]*?)(?P<gap>[ \t]*)(?:=(?P<pad>[ \t]*)|$)", re.M)
_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_]\w*)"
    r"|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-+?])(?P<word>[^}]*))?\}|(?P<invalid>))"
)
_BRACED = re.compile(r"\$\{(?P<name>[^}:]*)(?::-(?P<word>[^}]*))?\}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True)
class Issue:
    """What is wrong with a line: its number from 1, the kind of fault, the key where there is one."""

    line: int
    kind: str
    key: str = ""


@dataclass(frozen=True)
class Entry:
    """One assignment. `quote` is empty, ' or "; `raw` what stands inside the quotes, or up to the line's end."""

    line: int
    key: str
    quote: str
    raw: str = field(repr=False)
    exported: bool = False
    spaced: bool = False
    padded: bool = False


@dataclass(frozen=True)
class Env:
    """A file taken apart: its assignments in order, and what is wrong however it is read."""

    entries: tuple[Entry, ...]
    issues: tuple[Issue, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, each once, in the order of the file."""
        return tuple(dict.fromkeys(entry.key for entry in self.entries))

    def values(self, reader: str = ANY) -> dict[str, str]:
        """Return the values as a reader takes them; the last assignment of a key counts."""
        found: dict[str, str] = {}
        for entry in self.entries:
            found[entry.key] = _value(entry, found, "compose" if reader == ANY else reader)
        return found

    def problems(self, reader: str = ANY) -> tuple[Issue, ...]:
        """Return all issues, and those that only this reader has with the file, by line."""
        return tuple(sorted({*self.issues, *self._own(reader)}, key=lambda one: (one.line, one.kind)))

    def _own(self, reader: str) -> Iterator[Issue]:
        seen: dict[str, dict[str, str]] = {name: {} for name in READERS}
        for entry in self.entries:
            for name in READERS:
                seen[name][entry.key] = _value(entry, seen[name], name)
            if reader in (ANY, "compose") and entry.quote != "'":
                yield from _references(entry, seen["compose"])
            if reader == ANY and seen["compose"][entry.key] != seen["python-dotenv"][entry.key]:
                yield Issue(entry.line, "docker compose and python-dotenv read different values", entry.key)
            if reader == "docker" and entry.quote:
                yield Issue(entry.line, "docker run takes the quotes as part of the value", entry.key)
            if reader in ("docker", "systemd") and entry.exported:
                yield Issue(entry.line, f"{reader} does not know export", entry.key)
            if reader in ("docker", "systemd") and not entry.quote and " #" in entry.raw:
                yield Issue(entry.line, f"{reader} takes the comment as part of the value", entry.key)
            if reader == "docker" and entry.spaced:
                yield Issue(entry.line, "docker run refuses blanks before =", entry.key)


def parse(text: str) -> Env:
    """Take a file apart; whatever is wrong becomes an issue, so that one bad line hides no other."""
    issues: list[Issue] = []
    if text.startswith("\ufeff"):
        issues.append(Issue(1, "byte order mark"))
    text = text.lstrip("\ufeff")
    if "\r" in text:
        issues.append(Issue(text[: text.index("\r")].count("\n") + 1, "carriage return at the end of a line"))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        issues.append(Issue(text[: text.index("\0")].count("\n") + 1, "NUL byte"))
    entries = list(_entries(text, issues))
    first: dict[str, int] = {}
    for entry in entries:
        if entry.key in first:
            issues.append(Issue(entry.line, f"given already in line {first[entry.key]}", entry.key))
        first.setdefault(entry.key, entry.line)
    return Env(tuple(entries), tuple(sorted(issues, key=lambda one: one.line)))


def _entries(text: str, issues: list[Issue]) -> Iterator[Entry]:
    at = 0
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        shown = text[at:end].strip()
        if not shown or shown.startswith("#"):
            at = end + 1
            continue
        at += len(text[at:end]) - len(text[at:end].lstrip())
        start = _START.match(text, at, end)
        key = start["key"].strip() if start else ""
        if start is None or start["pad"] is None:
            bare = bool(start and start["export"] and _NAME.fullmatch(key))
            kind = "export without a value" if bare else "no assignment"
            issues.append(Issue(line, kind, key if bare else ""))  # a lost value is no key
            at = end + 1
            continue
        if not _NAME.fullmatch(key):
            issues.append(Issue(line, "a key that is no name"))
        flags = {
            "exported": bool(start["export"]),
            "spaced": bool(start["gap"]),
            "padded": bool(start["pad"]),
        }
        quote = text[start.end() : start.end() + 1]
        if quote not in ("'", '"') or not quote:
            raw = text[start.end() : end]
            if raw != raw.rstrip():
                issues.append(Issue(line, "blank at the end of the line", key))
            yield Entry(line, key, "", raw, **flags)
            at = end + 1
            continue
        close = _closing(text, start.end())
        if close is None:
            issues.append(Issue(line, "quote that is never closed", key))
            yield Entry(line, key, "", text[start.end() : end], **flags)
            at = end + 1
            continue
        end = text.find("\n", close)
        end = len(text) if end < 0 else end
        rest = text[close + 1 : end]
        if rest.strip() and not re.match(r"\s+#", rest):
            issues.append(Issue(line, "text after the closing quote", key))
        elif rest != rest.rstrip():
            issues.append(Issue(line, "blank at the end of the line", key))
        yield Entry(line, key, quote, text[start.end() + 1 : close], **flags)
        at = end + 1


def _closing(text: str, opening: int) -> int | None:
    """Return where the quote that opens at an index is closed; an escaped one does not close it."""
    at = opening + 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == text[opening]:
            return at
        at += 1
    return None


def _value(entry: Entry, known: Mapping[str, str], reader: str) -> str:
    raw = entry.raw
    if reader == "docker":
        return f"{entry.quote}{raw}{entry.quote}"
    if reader == "systemd":
        return re.sub(r"\\(.)", r"\1", raw) if entry.quote != "'" else raw
    if reader == "python-dotenv":
        return _python_dotenv(entry, known)
    if not entry.quote:
        raw = raw.partition(" #")[0].rstrip()
    if entry.quote == "'":
        return raw
    if entry.quote:
        raw = re.sub(
            r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1]) or (m[0] if m[1] == "$" else m[1]), raw
        )
    return _REFERENCE.sub(lambda found: _expanded(found, known), raw)


def _python_dotenv(entry: Entry, known: Mapping[str, str]) -> str:
    raw = entry.raw
    if entry.quote == "'":
        raw = re.sub(r"\\([\\'])", r"\1", raw)
    elif entry.quote:
        raw = re.sub(r"\\([\\'\"abfnrtv])", lambda found: _ESCAPES.get(found[1], found[1]), raw)
    elif entry.padded and raw.startswith("#"):
        raw = ""
    else:
        raw = re.sub(r"\s+#.*", "", raw).rstrip()
    return _BRACED.sub(lambda found: known.get(found["name"], found["word"] or ""), raw)


def _expanded(found: re.Match[str], known: Mapping[str, str]) -> str:
    """Return what docker compose puts in the place of a reference."""
    if found["escaped"]:
        return "$"
    name = found["named"] or found["braced"]
    if not name:
        return found[0]
    value, how, word = known.get(name), found["how"] or "", found["word"] or ""
    given = value is not None and (value != "" or not how.startswith(":"))
    if how.endswith("-"):
        return (value or "") if given else word
    if how.endswith("+"):
        return word if given else ""
    return value or ""


def _references(entry: Entry, known: Mapping[str, str]) -> Iterator[Issue]:
    raw = entry.raw if entry.quote else entry.raw.partition(" #")[0]
    for found in _REFERENCE.finditer(raw):
        name = found["named"] or found["braced"]
        if found["invalid"] is not None:
            yield Issue(entry.line, "a $ that begins no reference; put the value in single quotes", entry.key)
        elif name and name not in known and not (found["how"] or "").endswith(("-", "+")):
            kind = "refers to a variable that the file does not have; put the value in single quotes if it is none"
            yield Issue(entry.line, kind, entry.key)
