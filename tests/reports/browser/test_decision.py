"""The decision is what people read first: no word of it is broken or cut, on any screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_deploycheck.decision import Decision
from pytest_deploycheck.reports import html

from ..factory import record
from .cdp import Browser

WORDS = """(() => {
  const heading = document.querySelector('.verdict h2'), text = heading.lastChild, range = document.createRange();
  const box = heading.getBoundingClientRect(), lines = {};
  for (const found of text.textContent.matchAll(/\\S+/g)) {
    range.setStart(text, found.index);
    range.setEnd(text, found.index + found[0].length);
    const inside = r => r.left >= box.left && r.right <= box.right && r.top >= box.top && r.bottom <= box.bottom;
    const rects = [...range.getClientRects()];
    lines[found[0]] = [new Set(rects.map(r => r.top)).size, rects.every(inside) && box.right <= innerWidth];
  }
  return lines;
})()"""


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1280, 900, "100%"), (1920, 1080, "100%"), (390, 844, "100%"), (320, 800, "200%"), (1280, 900, "200%")],
)
@pytest.mark.parametrize("decision", list(Decision))
def test_no_word_of_the_decision_is_broken_or_cut(
    browser: Browser, tmp_path: Path, decision: Decision, width: int, height: int, size: str
) -> None:
    """Each word stands on one line and inside its box, with text of twice the size too."""
    made = record(3)
    path = tmp_path / "report.html"
    page_text = html.render(replace(made, decision={**made.decision, "decision": decision.value}))
    path.write_text(page_text, encoding="utf-8")
    with browser.page(width, height) as page:
        page.open(path.as_uri())
        page.run(f"document.documentElement.style.fontSize = '{size}'")
        assert page.run(WORDS) == {word: [1, True] for word in decision.value.split()}
