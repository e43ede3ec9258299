"""`evidence.json`: the run record as bytes that can stand in a file and inside a page unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pytest_deploycheck.record import Record

MOST_FACTS = 50_000
"""Characters of facts that a page embeds beside the words in which it shows them.

Beyond that the facts would weigh more than the rest of the page's data: 92 kB of 208 kB for 35 probes.
"""
_NOT_IN_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def dumps(record: Record) -> str:
    """Return the record as ASCII JSON: one line for each item, observation, claim and so on.

    `<`, `>` and `&` are written as escapes, so that the same bytes are safe inside HTML; byte-identical
    for equal records, whatever the order in which their mappings were made.
    """
    values = record.to_json()
    lines = [f"{_text(name)}:{_entry(entry)}" for name, entry in values.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def light(record: Record) -> Record | None:
    """Return the record as a heavy page embeds it, or None for one that may be embedded whole.

    Left out are the facts, whose digests stay, and the boxes that this run was not to judge: what
    `--baseline` compares is all there, and `evidence.json` has the rest.
    """
    if sum(len(_text(seen["facts"])) for seen in record.observations) <= MOST_FACTS:
        return None
    judged = set(record.selection)
    boxes = [box for box in record.checklist["items"] if box["id"] in judged]
    return replace(
        record,
        checklist={**record.checklist, "items": boxes},
        observations=[{**seen, "facts": None} for seen in record.observations],
    )


def _entry(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n " + ",\n ".join(_text(entry) for entry in value) + "\n]"
    return _text(value)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character, escape in _NOT_IN_MARKUP.items():
        text = text.replace(character, escape)
    return text
