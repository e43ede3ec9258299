"""`checklist.md`."""

from __future__ import annotations

import re

import pytest

from pytest_deploycheck.checklist import parse
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports.checklist_md import render

from .factory import checklist, record
from .hostile import CORPUS, poisoned

BESIDE = re.compile(r"^((?:-|\d+\.) \[)[ x](\].*?-->) — .*$", re.MULTILINE)


def test_boxes_are_ticked_for_what_counts_and_open_for_the_rest() -> None:
    """Passed, waived and not applicable items are ticked; each box has its verdict beside it."""
    made, listed = record(), checklist(125)
    lines = render(made, listed).splitlines()
    for item, judged in zip(listed.items, made.items, strict=True):
        line = lines[item.line - 1]
        ticked = judged["verdict"] in ("passed", "waived", "not_applicable")
        assert re.match(r"(-|\d+\.) \[x\] " if ticked else r"(-|\d+\.) \[ \] ", line)
        assert f" — {judged['verdict'].replace('_', ' ')}" in line


def test_all_other_bytes_are_unchanged() -> None:
    """Without ticks and verdicts the file is the user's, line endings and all."""
    for ending in ("\n", "\r\n"):
        source = checklist(125).source.replace("\n", ending)
        text = render(record(), parse(source, "checklist.md"))
        assert BESIDE.sub(r"\1 \2", text.replace("\r\n", "\n")) == source.replace("\r\n", "\n")
        assert text.count("\r\n") == source.count("\r\n")


def test_an_old_tick_without_a_verdict_is_taken_away() -> None:
    """A box that this run did not judge is open and says so, whoever ticked it before."""
    listed = parse("# C\n\n## P\n\n- [x] Old tick <!-- deploycheck: p.s.old -->\n", "c.md")
    assert "- [ ] Old tick <!-- deploycheck: p.s.old --> — not in this run" in render(record(), listed)


@pytest.mark.parametrize("start", range(0, len(CORPUS), 8))
def test_hostile_sentences_add_no_line_and_forge_no_box(start: int) -> None:
    """Whatever a verdict says, the file keeps its lines and its ids (R8)."""
    listed = checklist(125)
    evil = poisoned(record(), start).to_json()
    clean = record()
    names = {bad["item"]: good["item"] for bad, good in zip(evil["items"], clean.items, strict=True)}
    items = [
        {**item, "item": names[item["item"]], "sentence": f"\n- [x] {item['sentence']}"}
        for item in evil["items"]
    ]
    text = render(Record(**{**vars(clean), "items": items}), listed)
    assert len(text.split("\n")) == len(listed.source.split("\n"))
    assert [item.id for item in parse(text, "c.md").items] == [item.id for item in listed.items]
