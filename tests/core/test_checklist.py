"""The checklist: Markdown in, items out, ticks back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck import checklist
from pytest_deploycheck.checklist import ChecklistError

SMALL = "# Mine\n\n## Before\n\n### Files\n- [ ] All *there*\n- [x] None `extra`\n\n## After\n1. [ ] Works\n"


def test_default_holds_the_125_items_in_8_phases() -> None:
    """The shipped checklist has the counts that the design names."""
    items = checklist.default().items
    counts: dict[str, int] = {}
    for item in items:
        counts[item.phase] = counts.get(item.phase, 0) + 1
    assert list(counts.values()) == [21, 19, 23, 13, 12, 15, 12, 10]
    assert [item.number for item in items] == list(range(1, 126))


def test_wording_without_comments_keeps_the_default_ids(tmp_path: Path) -> None:
    """A user's copy without our comments gets the same ids, by its wording."""
    plain = checklist._NOTE.sub("", checklist.default().source)
    path = tmp_path / "mine.md"
    path.write_text(plain)
    assert [item.id for item in checklist.load(path).items] == [item.id for item in checklist.default().items]


def test_unknown_items_get_ids_from_their_words() -> None:
    """Ids of a foreign checklist come from its headings and words."""
    parsed = checklist.parse(SMALL, "mine.md")
    assert [item.id for item in parsed.items] == [
        "before.files.all_there",
        "before.files.none_extra",
        "after.works",
    ]
    assert [item.line for item in parsed.items] == [6, 7, 10]


def test_ticks_change_nothing_but_their_own_lines(tmp_path: Path) -> None:
    """Line endings, unticked lines and the missing last newline stay byte-exact."""
    path = tmp_path / "crlf.md"
    path.write_bytes(SMALL.replace("\n", "\r\n").rstrip("\r\n").encode())
    parsed = checklist.load(path)
    ticked = parsed.ticked({"after.works": (True, "passed"), "before.files.none_extra": (False, "failed: 3")})
    before, after = parsed.source.split("\r\n"), ticked.split("\r\n")
    changed = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
    assert changed == [
        ("- [x] None `extra`", "- [ ] None `extra` — failed: 3"),
        ("1. [ ] Works", "1. [x] Works — passed"),
    ]


def test_boxes_in_code_blocks_are_not_items() -> None:
    """A fenced example of a task list is no item."""
    text = "## A\n### B\n```\n- [ ] example\n```\n- [ ] real\n"
    assert [item.text for item in checklist.parse(text, "x.md").items] == ["real"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing here", "no items found"),
        (
            "- [ ] a <!-- deploycheck: x.y.z -->\n- [ ] b <!-- deploycheck: x.y.z -->\n",
            "already used in line 1",
        ),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    """A checklist that cannot be used says where and why."""
    with pytest.raises(ChecklistError, match=words):
        checklist.parse(text, "x.md")


def test_fingerprint_is_indifferent_to_emphasis_and_spaces_only() -> None:
    """Markdown emphasis and spacing do not count as an edit; other words do."""
    assert checklist.fingerprint("**All**  there") == checklist.fingerprint("all there")
    assert checklist.fingerprint("< 1s") != checklist.fingerprint("< 2s")
