"""Using the page: deep links, filters, print."""

from __future__ import annotations

import io
import re
import unicodedata
from pathlib import Path

from pypdf import PdfReader

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports.view import view

from .cdp import Browser

ROWS = "[...document.querySelectorAll('#items .it')].filter(e => e.checkVisibility()).length"

OPENED = """async names => {
  const missed = [];
  for (const name of names) {
    location.hash = name;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const fold = document.getElementById(name).closest('details');
    const box = fold.querySelector('summary').getBoundingClientRect();
    if (!fold.open || box.top < 0 || box.bottom > innerHeight) missed.push([name, fold.open, box.top]);
  }
  return missed;
}"""
VISIBLE_HEADINGS = """[...document.querySelectorAll('#items h4')].filter(e => e.checkVisibility())
  .map(e => e.textContent)"""


def test_a_link_to_an_item_opens_it_in_view(browser: Browser, page_file: Path, made: Record) -> None:
    """Every item and every observation has a fragment that opens its fold and brings it into view (R10)."""
    wanted = [item.anchor for item in view(made).items]
    wanted += [f"probe.{seen['probe']}" for seen in made.observations]
    with browser.page() as page:
        page.open(page_file.as_uri())
        missed = page.run(f"({OPENED})({wanted})")
    assert len(wanted) > 140
    assert missed == []


def test_a_link_that_is_opened_afresh_opens_its_item(browser: Browser, page_file: Path) -> None:
    """A link in a message, opened in a new tab, shows the item unfolded (R10)."""
    with browser.page() as page:
        page.open(f"{page_file.as_uri()}#post_deploy.functional.health")
        assert (
            page.run("document.getElementById('post_deploy.functional.health').closest('details').open")
            is True
        )
        top = page.run(
            "document.getElementById('post_deploy.functional.health').parentElement.getBoundingClientRect().top"
        )
        assert 0 <= top < 900


def test_the_filters_agree_with_the_counts(browser: Browser, page_file: Path, made: Record) -> None:
    """Each verdict, each phase, and each pair of them shows as many rows as the table says (R11)."""
    shown = view(made)
    with browser.page() as page:
        page.open(page_file.as_uri())

        def rows(verdict: str, phase: str) -> int:
            for name in (verdict, phase):
                page.run(f"document.getElementById('f-{name}').click()")
            found: int = page.run(ROWS)
            nothing = page.run("document.querySelector('.nothing').checkVisibility()")
            assert nothing is (found == 0)
            return found

        assert rows("all", "p") == len(shown.items)
        assert rows("open", "p") == len(shown.blocking)
        for name, count in shown.counts.items():
            assert rows(name, "p") == count, name
        for phase in shown.phases:
            assert rows("all", phase.key) == len(phase.items)
            for name in shown.counts:
                assert rows(name, phase.key) == phase.counts.get(name, 0), (phase.title, name)
        table = page.run(
            "[...document.querySelectorAll('.counts tfoot td')].map(cell => Number(cell.textContent))"
        )
    assert table == [*shown.counts.values(), len(shown.items)]


def test_a_filter_hides_headings_that_have_nothing_left(browser: Browser, page_file: Path) -> None:
    """Phases and sections without a visible item vanish with their items (R11)."""
    with browser.page() as page:
        page.open(page_file.as_uri())
        page.run("document.getElementById('f-failed').click()")
        headings = page.run(VISIBLE_HEADINGS)
    assert headings == ["Security Testing", "Final Verification"]


def test_print_holds_every_item_comparison_and_the_decision_on_each_page(
    browser: Browser, page_file: Path, made: Record
) -> None:
    """The PDF shows all evidence unfolded and says the decision at the foot of every page (R12)."""
    with browser.page() as page:
        page.media(prefers_color_scheme="dark")
        page.open(page_file.as_uri())
        pages = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf())).pages]
    assert len(pages) > 5
    for number, sheet in enumerate(pages, start=1):
        assert "NO-GO · token-service 1.4.2 on prod" in sheet
        assert f"{number} / {len(pages)}" in sheet
    whole = _squeezed("".join(re.sub(r"NO-GO · token-service 1.4.2 on prod|\d+ / \d+", "", s) for s in pages))
    for entry in made.checklist["items"]:
        assert _squeezed(re.sub(r"`|\*\*", "", entry["text"])) in whole
    for item in made.items:
        for outcome in item["outcomes"]:
            for comparison in outcome["comparisons"]:
                assert _squeezed(comparison["values"]) in whole
            if outcome["verdict"] == "failed":
                assert _squeezed(outcome["message"]) in whole
    assert _squeezed("8203534336 bytes") in whole
    assert whole.count(_squeezed("Name, date, signature")) == 8
    assert "Verdict:" not in whole


def _squeezed(text: str) -> str:
    """Return text without white space and ligatures, since a PDF keeps shapes and lines, not words."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
