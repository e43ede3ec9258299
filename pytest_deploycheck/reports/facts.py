"""Facts as people read them: nested fields, tables of like entries, excerpts, plots; never a JSON dump.

`tree` turns any JSON value into nodes; each report format draws the nodes in its own way. Everything is
bounded, since facts come from a target: long strings are cut with their size and digest, long lists
and deep nesting with a count of what is left out. The full value is in the data of the report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.plots import Figure, figure
from pytest_deploycheck.reports.text import EXCERPT_BYTES, bounded, one_line

DEEPEST = 8
_WIDEST_TABLE = 7
_FEWEST_ALIKE = 3
_FEWEST_RUN = 4
_LONGEST_CELL = 48
_LONGEST_INLINE = 96
_LONGEST_RUN = 160


@dataclass(frozen=True)
class Bounds:
    """How much of a value is shown: bytes of one string, entries of one list or mapping.

    Of entries that each need a paragraph `long` are shown in full, the others by their names.
    """

    excerpt: int = EXCERPT_BYTES
    entries: int = 60
    long: int = 12


@dataclass(frozen=True)
class Text:
    """A value in words; `block` when it has lines of its own, `note` says what was cut."""

    text: str
    block: bool = False
    note: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Fields:
    """Named values in the probe's order; `more` says what was left out, `run` that most fit in a line or two."""

    entries: tuple[tuple[str, Node], ...]
    more: str = ""
    run: bool = False
    kind: ClassVar[str] = "fields"


@dataclass(frozen=True)
class Table:
    """Entries of one shape: the columns' names and one row of words for each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Entries:
    """A list of values that do not fit on a line."""

    entries: tuple[Node, ...]
    more: str = ""
    kind: ClassVar[str] = "entries"


@dataclass(frozen=True)
class Alike:
    """A list of `count` like entries: the fields that are the same in all of them once, then what differs."""

    count: int
    same: Fields
    rest: Node | None
    kind: ClassVar[str] = "alike"


@dataclass(frozen=True)
class Plot:
    """A plot, drawn, with its text equivalent."""

    figure: Figure
    kind: ClassVar[str] = "plot"


Node = Text | Fields | Table | Entries | Alike | Plot


def tree(value: Any, bounds: Bounds | None = None, *, unit: str = "", depth: int = 0) -> Node:
    """Return a JSON value as nodes."""
    bounds = bounds or Bounds()
    if isinstance(value, Mapping):
        if (drawn := figure(value)) is not None:
            return Plot(drawn)
        return _fields(value, bounds, depth) if depth < DEEPEST else _deep(value, bounds)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(value, bounds, unit, depth) if depth < DEEPEST else _deep(value, bounds)
    if value == "":
        return Text("none")
    # Among many entries the exact number of bytes is noise; it is in the data.
    rough = unit == "bytes" and depth > 1 and _numeric(value)
    shown, note = bounded(words.size(value) if rough else words.quantity(value, unit), bounds.excerpt)
    return Text(shown, block="\n" in shown.strip("\n"), note=note)


def _fields(value: Mapping[str, Any], bounds: Bounds, depth: int) -> Node:
    if not value:
        return Text("none")
    entries = []
    for name, entry in list(value.items())[: bounds.entries]:
        label, unit = words.label(bounded(str(name), 200)[0])
        entries.append((label, tree(entry, bounds, unit=unit, depth=depth + 1)))
    return Fields(tuple(entries), _more(len(value), bounds))


def _list(value: Sequence[Any], bounds: Bounds, unit: str, depth: int) -> Node:
    if not value:
        return Text("none")
    if all(isinstance(entry, Mapping) for entry in value):
        return _records(value, bounds, depth)
    if (pairs := _pairs(value, bounds, depth)) is not None:
        return pairs
    nodes = tuple(tree(entry, bounds, unit=unit, depth=depth + 1) for entry in value[: bounds.entries])
    texts = [node.text for node in nodes if isinstance(node, Text) and not node.block and not node.note]
    if len(texts) == len(nodes) and sum(map(len, texts)) + 2 * len(texts) <= _LONGEST_INLINE:
        more = _more(len(value), bounds)
        return Text(", ".join(texts) + (f" … {more}" if more else ""))
    return Entries(nodes, _more(len(value), bounds))


def _records(value: Sequence[Mapping[str, Any]], bounds: Bounds, depth: int) -> Node:
    """Return a list of mappings: what all have in common said once, the rest as a table or one by one."""
    if (same := _same(value)) and (fields := _fields(same, bounds, depth + 1)):
        assert isinstance(fields, Fields)
        rest = [{name: e for name, e in entry.items() if name not in same} for entry in value]
        return Alike(len(value), _run(fields), _records(rest, bounds, depth) if rest[0] else None)
    if (table := _table(value, bounds)) is not None:
        return table
    nodes = tuple(_running(tree(entry, bounds, depth=depth + 1)) for entry in value[: bounds.long])
    names = ", ".join(_name(entry) for entry in value[bounds.long : bounds.long + bounds.entries])
    more = f"{len(value) - bounds.long} more, {len(value)} in all: {names}" if names else ""
    return Entries(nodes, more)


def _same(value: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields that are equal in all of several entries of one shape."""
    names = tuple(value[0])
    if len(value) < _FEWEST_ALIKE or any(tuple(entry) != names for entry in value):
        return {}
    return {
        name: value[0][name]
        for name in names
        if not (isinstance(value[0][name], Mapping) and "plot" in value[0][name])
        and all(entry[name] == value[0][name] for entry in value)
    }


def _name(entry: Mapping[str, Any]) -> str:
    """Return what tells an entry from the others in one word: its first plain value."""
    plain = (v for v in entry.values() if isinstance(v, (str, int, float)) and not isinstance(v, bool))
    return one_line(str(next(plain, "unnamed")), _LONGEST_CELL)


def _running(node: Node) -> Node:
    """Mark an entry whose fields are all short, so that many such entries stay readable."""
    return _run(node) if isinstance(node, Fields) and len(node.entries) > 1 else node


def _run(node: Fields) -> Fields:
    short = [isinstance(v, Text) and not v.block and len(v.text) <= _LONGEST_RUN for _, v in node.entries]
    return replace(node, run=all(short) or sum(short) >= _FEWEST_RUN)


def _pairs(value: Sequence[Any], bounds: Bounds, depth: int) -> Fields | None:
    """Return a list of (name, value) pairs as fields, the names as they are; None if it is no such list."""
    if not all(isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) and p[0] for p in value):
        return None
    if len({name for name, _ in value}) < len(value):
        return None
    entries = tuple(
        (bounded(name, 200)[0], tree(entry, bounds, depth=depth + 1))
        for name, entry in value[: bounds.entries]
    )
    return Fields(entries, _more(len(value), bounds))


def _table(value: Sequence[Mapping[str, Any]], bounds: Bounds) -> Table | None:
    """Return entries with the same few short fields as a table, or None if they need more room."""
    names = tuple(value[0])
    if not 0 < len(names) <= _WIDEST_TABLE or any(tuple(entry) != names for entry in value):
        return None
    labels = [words.label(name) for name in names]
    rows = []
    for entry in value[: bounds.entries]:
        cells = []
        for (_, unit), cell in zip(labels, entry.values(), strict=True):
            if isinstance(cell, (Mapping, list)):
                return None
            text = words.size(cell) if unit == "bytes" and _numeric(cell) else words.quantity(cell, unit)
            if len(text) > _LONGEST_CELL or "\n" in text:
                return None
            cells.append(text)
        rows.append(tuple(cells))
    return Table(tuple(label for label, _ in labels), tuple(rows), _more(len(value), bounds))


def _numeric(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _deep(value: Any, bounds: Bounds) -> Text:
    """Return what is nested too deeply as a bounded excerpt."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "nested too deeply to be shown"
    shown, note = bounded(text, bounds.excerpt)
    return Text(shown, block=True, note=note)


def _more(total: int, bounds: Bounds) -> str:
    return f"{total - bounds.entries} more, {total} in all" if total > bounds.entries else ""
