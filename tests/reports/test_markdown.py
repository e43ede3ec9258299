"""`summary.md`."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports.markdown import escaped, render, wording
from pytest_deploycheck.verdict import Verdict

from .factory import record
from .hostile import CORPUS, poisoned

BLOCKS = frozenset(
    "heading paragraph inline bullet_list list_item table thead tbody tr th td html_block".split()
)
INLINE = frozenset("text strong code_inline html_inline softbreak".split())
OWN_HTML = re.compile(r"</?(details|summary|br)>|<details><summary>[^<]*</summary>\n?|</details>\n?")


def tokens(text: str) -> tuple[list[Token], list[Token]]:
    """Return block and inline tokens of GitHub-flavoured Markdown, bare links recognised."""
    reader = MarkdownIt("gfm-like")
    assert reader.linkify is not None
    reader.linkify.set({"fuzzy_link": False})  # GitHub links no bare host name
    blocks = reader.parse(text)
    return blocks, [child for block in blocks for child in block.children or ()]


def test_the_decision_and_what_is_in_the_way_come_first() -> None:
    """A reader who sees ten lines knows the decision and the first blocking items."""
    lines = render(record()).splitlines()
    assert lines[0] == "# ✗ NO-GO: token-service 1.4.2 on prod"
    assert "125 items: 89 passed" in lines[2]
    top = "\n".join(lines[:14])
    assert "Rate limiting working" in top
    assert "120 of 120 requests" in top
    assert top.index("## In the way: 21 items") < top.index("Rate limiting working")


def test_every_item_is_listed_with_its_verdict() -> None:
    """All 125 items stand in the summary, folded by phase."""
    text = render(record())
    items = re.findall(r"^- (\S) \*\*([\w ]+)\*\* (.+)$", text.split("## Items")[1], re.MULTILINE)
    assert len(items) == 125
    assert ("✗", "failed", "Rate limiting working") in items
    assert ("✓", "passed", "`.env` file created from `.env.production` template") in items
    assert text.count("<details>") == text.count("</details>") == 8


@pytest.mark.parametrize("start", range(0, len(CORPUS), 8))
def test_hostile_strings_start_no_markup_of_their_own(start: int) -> None:
    """No link, image, heading, list, fence, HTML or mention comes out of any string (R8)."""
    text = render(poisoned(record(), start))
    blocks, inline = tokens(text)
    assert {re.sub(r"_(open|close)$", "", token.type) for token in blocks} <= BLOCKS
    assert {re.sub(r"_(open|close)$", "", token.type) for token in inline} <= INLINE
    html = [token.content for token in (*blocks, *inline) if token.type in ("html_block", "html_inline")]
    assert [part for part in html if not OWN_HTML.fullmatch(part)] == []
    assert not re.search(r"@[A-Za-z]|#\d|GH-\d|www\.", "".join(t.content for t in inline if t.type == "text"))
    headings = [blocks[n + 1].content for n, token in enumerate(blocks) if token.type == "heading_open"]
    assert len(headings) == 7


@pytest.mark.parametrize("evil", CORPUS)
def test_escaped_text_reads_as_it_was(evil: str) -> None:
    """Rendered, an escaped string shows its own characters and nothing else."""
    _, inline = tokens(f"| a |\n|---|\n| {escaped(evil, 500)} |")
    assert {token.type for token in inline} <= {"text", "text_special"}
    shown = "".join(token.content for token in inline[1:]).replace("\u2060", "")
    assert "{{ 7*7 }}" in shown or "{{" not in evil
    assert ("<script>" in shown) == ("<script>" in evil)


def test_wording_keeps_code_and_strong_words() -> None:
    """An item's own Markdown is shown as the checklist means it, the rest escaped."""
    assert wording("`.env` from **both** [x] <b>") == "`.env` from **both** \\[x\\] &lt;b&gt;"


@pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.UNPROVEN])
def test_five_thousand_items_stay_below_the_limit(verdict: Verdict) -> None:
    """5,000 items, green or each in the way with a long reason, take less than 900 kB, and none is lost."""
    made = record(5000)
    values = made.to_json()
    if verdict is Verdict.UNPROVEN:
        for item in values["items"]:
            item |= {"verdict": "unproven", "reason": "no_config", "sentence": "<&|> " * 400}
        values["decision"]["blocking"] = values["selection"]
        for entry in values["checklist"]["items"]:
            entry["text"] = "<é&漢> " * 100
    text = render(Record(**values))
    assert len(text.encode()) < 900_000
    listed = len(re.findall(r"^- \S \*\*", text.split("## Items")[1], re.MULTILINE))
    more = re.search(r"(\d+) more items? did not fit", text)
    assert listed + (int(more[1]) if more else 0) == 5000
    assert (more is None) == (verdict is Verdict.PASSED)


def test_claims_say_why_they_do_not_count() -> None:
    """An expired waiver is shown with its problem."""
    assert "**Does not count: expired on 2026-11-21; ask for it again or remove the file**" in render(
        record()
    )


def test_a_baseline_that_cannot_be_read_is_said_in_words() -> None:
    """The reason for no comparison stands in the summary (R17)."""
    text = render(record(baseline={"state": "corrupt", "sentence": "No comparison: x.json is not JSON."}))
    assert "No comparison: x.json is not JSON." in text
    assert "newly failing" not in text.lower()
