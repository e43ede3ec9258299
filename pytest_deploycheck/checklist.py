"""The checklist: a Markdown file in, phases, sections and items out; ticks written back into it.

A phase is a second-level heading, a section a third-level one, an item a task-list line (`- [ ] text`
or `1. [ ] text`). The ids of the default checklist stand in an HTML comment behind each item; a
checklist without comments gets the same ids where its wording is the same, and ids made from its own
headings and words elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from pytest_deploycheck.verdict import Kind

_HEADING = re.compile(r"^(#{1,3})\s+(.*?)\s*#*\s*$")
_TASK = re.compile(r"^(?P<lead>\s*(?:[-*+]|\d+[.)])\s+\[)(?P<mark>[ xX])(?P<rest>\]\s+)(?P<text>.*?)\s*$")
_NOTE = re.compile(r"\s*<!--\s*deploycheck:\s*(?P<id>[\w.]+)(?:\s+(?P<kind>\w+))?\s*-->")
_FENCE = re.compile(r"^\s*(```|~~~)")


class ChecklistError(Exception):
    """The checklist cannot be used; the message names the file, the line and the next step."""


@dataclass(frozen=True)
class Item:
    """One box: `line` is 1-based, `number` its place in the file, `fingerprint` that of its wording."""

    id: str
    number: int
    phase: str
    phase_title: str
    section: str
    section_title: str
    text: str
    line: int
    kind: str
    fingerprint: str


@dataclass(frozen=True)
class Checklist:
    """A parsed checklist; `source` holds the file's exact text."""

    path: str
    title: str
    source: str
    items: tuple[Item, ...]

    @property
    def digest(self) -> str:
        """The sha256 of the file, in hex."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """The items by their ids."""
        return {item.id: item for item in self.items}

    def ticked(self, verdicts: Mapping[str, tuple[bool, str]]) -> str:
        """Return the file with each box set and its verdict behind it, all other bytes unchanged.

        `verdicts` maps item ids to (ticked, words to stand beside the item).
        """
        lines = self.source.splitlines(keepends=True)
        for item in self.items:
            if item.id in verdicts:
                tick, words = verdicts[item.id]
                lines[item.line - 1] = _tick(lines[item.line - 1], tick, words)
        return "".join(lines)


def _tick(line: str, tick: bool, words: str) -> str:
    body = line.rstrip("\r\n")
    ending = line[len(body) :]
    match = _TASK.match(body)
    if match is None:
        return line
    start, end = match.span("mark")
    return f"{body[:start]}{'x' if tick else ' '}{body[end:]} — {words}{ending}"


def fingerprint(text: str) -> str:
    """Return 8 hex digits for an item's wording, indifferent to case, spaces and Markdown emphasis."""
    plain = re.sub(r"[*_`]", "", text)
    return hashlib.sha256(" ".join(plain.lower().split()).encode()).hexdigest()[:8]


def slug(title: str) -> str:
    """Return a title as a Python identifier of at most 40 characters."""
    words = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "item"
    return ("n" + words if words[0].isdigit() else words)[:40].rstrip("_")


def parse(text: str, path: str, known: Mapping[tuple[str, str], str] | None = None) -> Checklist:
    """Parse a checklist; `known` maps (phase title, fingerprint) to ids for items without a comment."""
    title = phase_title = section_title = ""
    fenced = False
    items: list[Item] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fenced ^= bool(_FENCE.match(line))
        if fenced:
            continue
        if heading := _HEADING.match(line):
            level, words = len(heading[1]), heading[2]
            if level == 1:
                title = title or words
            elif level == 2:
                phase_title, section_title = words, ""
            else:
                section_title = words
        elif task := _TASK.match(line):
            item = _item(task["text"], number, len(items) + 1, phase_title, section_title, known or {}, seen)
            if item.id in seen:
                raise ChecklistError(
                    f"{path}:{number}: item id {item.id!r} is already used in line {seen[item.id]}; "
                    "give one of them another id in its <!-- deploycheck: … --> comment"
                )
            seen[item.id] = number
            items.append(item)
    if not items:
        raise ChecklistError(f"{path}: no items found; an item is a line like '- [ ] Health checks passing'")
    return Checklist(path=path, title=title, source=text, items=tuple(items))


def _item(
    raw: str,
    line: int,
    number: int,
    phase_title: str,
    section_title: str,
    known: Mapping[tuple[str, str], str],
    seen: Mapping[str, int],
) -> Item:
    note = _NOTE.search(raw)
    text = _NOTE.sub("", raw).strip()
    mark = fingerprint(text)
    identity = note["id"] if note else known.get((phase_title, mark), "")
    if not identity:
        identity = base = ".".join(slug(title) for title in (phase_title, section_title, text) if title)
        copy = 2
        while identity in seen:
            identity, copy = f"{base}_{copy}", copy + 1
    phase, _, rest = identity.partition(".")
    return Item(
        id=identity,
        number=number,
        phase=phase,
        phase_title=phase_title,
        section=rest.rpartition(".")[0],
        section_title=section_title,
        text=text,
        line=line,
        kind=(note["kind"] if note and note["kind"] else _default_kind(phase)),
        fingerprint=mark,
    )


def _default_kind(phase: str) -> str:
    return {"sign_off": Kind.SIGN_OFF, "post_go_live": Kind.WINDOW}.get(phase, Kind.GATE).value


@cache
def default() -> Checklist:
    """Return the checklist that ships with the plugin."""
    text = files("pytest_deploycheck").joinpath("checklist.md").read_text(encoding="utf-8")
    return parse(text, "checklist.md")


def load(path: Path) -> Checklist:
    """Read a user's checklist; items worded as in the default one keep its ids."""
    try:
        # Bytes, not text mode: ticks are written back into exactly these line endings.
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChecklistError(f"checklist {path} cannot be read: {error}; it must be a UTF-8 file") from error
    known = {(item.phase_title, item.fingerprint): item.id for item in default().items}
    return parse(text, str(path), known)
