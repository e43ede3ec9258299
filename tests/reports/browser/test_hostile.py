"""Hostile strings in a real browser, with nothing but the page's own escaping to stop them."""

from __future__ import annotations

from pathlib import Path

from .cdp import Browser


def test_nothing_runs_even_without_a_policy(browser: Browser, evil_file: Path) -> None:
    """With its policy stripped, a poisoned page runs no script, opens no dialog, sends no request (R8)."""
    with browser.page() as page:
        page.open(evil_file.as_uri())
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.run("document.querySelectorAll('body *').forEach(e => e.dispatchEvent(new Event('mouseover')))")
        assert page.run("typeof window.pwned") == "undefined"
        assert page.run("document.querySelectorAll('script').length") == 1
        assert page.seen("Page.javascriptDialogOpening", "Runtime.exceptionThrown") == []
        asked = {event["params"]["request"]["url"] for event in page.seen("Network.requestWillBeSent")}
        assert asked == {evil_file.as_uri()}
        assert page.run("getComputedStyle(document.body).display") == "block"


def test_the_check_above_would_notice_a_script(browser: Browser, tmp_path: Path) -> None:
    """A page that lets one string through is caught by the same question."""
    path = tmp_path / "bad.html"
    path.write_text("<!DOCTYPE html><title>x</title><body><script>window.pwned=1</script>", encoding="utf-8")
    with browser.page() as page:
        page.open(path.as_uri())
        assert page.run("typeof window.pwned") == "number"
