"""Everybody can read it: axe, reflow, keyboard, forced colours, the first screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import html

from ..factory import record
from .cdp import Browser, Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
CLIPPED = """[...document.querySelectorAll('body *')].filter(e => {
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  if (e.closest('.sr, .skip, .defs, script') || !box.width) return false;
  const hides = !['visible', 'auto'].includes(style.overflowX) || style.textOverflow == 'ellipsis';
  return (hides && e.scrollWidth > e.clientWidth + 1) || box.right > innerWidth + 1 || box.left < -1;
}).map(e => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 60))"""


def violations(page: Page, axe: str) -> list[Any]:
    """Return what axe finds wrong, shortened to rule, target and reason."""
    page.run(f"{axe};0")
    found: list[Any] = page.run(
        f"axe.run(document, {{runOnly: {{type: 'tag', values: {list(TAGS)}}}, resultTypes: ['violations'],"
        " rules: {'target-size': {enabled: true}}}).then(r => r.violations.map(v =>"
        " [v.id, v.nodes.length, v.nodes[0].target.join(' '), v.nodes[0].failureSummary.slice(0, 300)]))"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_axe_finds_nothing(
    browser: Browser, page_file: Path, axe: str, scheme: str, width: int, height: int
) -> None:
    """No violation of A, AA or best practice, light and dark, wide and narrow, all open (R5)."""
    with browser.page(width, height) as page:
        page.media(prefers_color_scheme=scheme)
        page.open(page_file.as_uri())
        page.run(OPEN_ALL)
        assert violations(page, axe) == []


def test_axe_finds_nothing_in_a_green_page(browser: Browser, axe: str, tmp_path: Path) -> None:
    """The page of a GO, where other colours and empty sections show, is as clean (R5)."""
    path = tmp_path / "green.html"
    path.write_text(html.render(record(green=True, baseline={"state": "none"})), encoding="utf-8")
    with browser.page() as page:
        page.open(path.as_uri())
        page.run(OPEN_ALL)
        assert violations(page, axe) == []


@pytest.mark.parametrize("size", ["100%", "200%"])
def test_it_reflows_at_320_pixels_with_long_words(
    browser: Browser, page_file: Path, evil_file: Path, tmp_path: Path, made: Record, size: str
) -> None:
    """Neither hostile nor very long words make it scroll sideways, and nothing is clipped (R6)."""
    long = tmp_path / "long.html"
    long.write_text(html.render(_long_words(made)), encoding="utf-8")
    for path in (page_file, evil_file, long):
        with browser.page(320, 800) as page:
            page.open(path.as_uri())
            page.run(OPEN_ALL)
            page.run(f"document.documentElement.style.fontSize = '{size}'")
            assert page.run("document.documentElement.scrollWidth") <= 320, path.name
            assert page.run(CLIPPED) == [], path.name


def _long_words(made: Record) -> Record:
    """Return the record with a word of 3,000 letters in front of every string that people write."""
    values = made.to_json()
    word = "w" * 3000
    values["release"] = {**values["release"], "version": word, "service": word, "contract": word}
    values["run"] = {**values["run"], "operator": word, "command": word, "ci_run": f"https://{word}"}
    for place, item in enumerate(values["items"]):
        item["sentence"] = word if place % 4 == 0 else item["sentence"]
    for place, entry in enumerate(values["checklist"]["items"]):
        entry["text"] = word if place % 5 == 0 else entry["text"]
        entry["phase_title"] = f"{word[:300]}{entry['phase_title']}"
    for seen in values["observations"]:
        if seen["facts"]:
            seen["facts"] = {word: word, "rows": [{"a": word[:48], "b": word[:48], "c": 1}], **seen["facts"]}
    values["decision"]["sentence"] = word
    return Record(**values)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_first_screen_says_it_all(browser: Browser, page_file: Path, width: int, height: int) -> None:
    """Decision, rule, what is in the way, causes, identity and changes stand above the fold."""
    with browser.page(width, height) as page:
        page.open(page_file.as_uri())
        bottom = page.run(
            "Object.fromEntries(['h1', '.ident', '.verdict', '.rule', '.top', '.causes', '.delta'].map(s =>"
            " [s, document.querySelector(s).getBoundingClientRect().bottom]))"
        )
    assert {name: y for name, y in bottom.items() if not 0 < y <= height} == {}


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, page_file: Path) -> None:
    """Tab goes from the skip link through contents, filters and items, each with a visible focus (R7)."""
    with browser.page() as page:
        page.open(page_file.as_uri())
        seen: list[dict[str, Any]] = []
        while not seen or not seen[-1]["item"]:
            page.key("Tab", 9)
            seen.append(page.run(FOCUSED))
            assert len(seen) < 200, "no item was reached"
        assert seen[0]["text"] == "Skip to the decision"
        assert [stop for stop in seen if stop["outline"] < 2 or not stop["visible"]] == []
        assert {stop["tag"] for stop in seen} >= {"A", "INPUT", "SUMMARY"}
        before = page.run("document.activeElement.parentElement.open")
        page.key("Enter", 13, "\r")
        assert page.run("document.activeElement.parentElement.open") is not before


def test_arrow_keys_move_through_the_filters(browser: Browser, page_file: Path) -> None:
    """The filters are radio buttons: an arrow key chooses the next one, and the list follows (R7)."""
    with browser.page() as page:
        page.open(page_file.as_uri())
        page.run("document.getElementById('f-all').focus()")
        page.key("ArrowRight", 39)
        assert page.run("document.activeElement.id") == "f-open"
        assert page.run("document.getElementById('f-open').checked") is True
        assert page.run("document.querySelector('#items .v-passed').checkVisibility()") is False


FOCUSED = """(() => {
  const e = document.activeElement, shown = e.tagName == 'INPUT' ? e.nextElementSibling : e;
  const box = shown.getBoundingClientRect(), style = getComputedStyle(shown);
  return {tag: e.tagName, item: e.matches('.it > summary'), text: shown.textContent.trim().slice(0, 40),
          outline: style.outlineStyle == 'none' ? 0 : parseFloat(style.outlineWidth),
          visible: box.width > 1 && box.bottom > 0 && box.top < innerHeight};
})()"""


def test_forced_colours_keep_words_marks_and_the_chosen_filter(browser: Browser, page_file: Path) -> None:
    """Under forced colours the decision, the chosen filter and the bars can be told apart (R7)."""
    with browser.page() as page:
        page.media(forced_colors="active")
        page.open(page_file.as_uri())
        assert page.run("matchMedia('(forced-colors: active)').matches") is True
        chosen, other = page.run(
            "['#f-all + label', '#f-passed + label'].map(s =>"
            " getComputedStyle(document.querySelector(s)).borderTopWidth)"
        )
        assert chosen != other
        assert (
            page.run("parseFloat(getComputedStyle(document.querySelector('.verdict h2')).borderTopWidth)") > 0
        )
        bar, around = page.run(
            "[getComputedStyle(document.querySelector('.plot .pb')).fill,"
            " getComputedStyle(document.body).backgroundColor]"
        )
        assert bar != around
