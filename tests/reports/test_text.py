"""Strings made safe to look at."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.reports.text import bounded, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", r"a\x00b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("\ufdd0\U0001fffe", r"\ufdd0\U0001fffe"),
        ("\U000e0041", r"\U000e0041"),
        ("tab\tand\nnewline, é 漢 🎉", "tab\tand\nnewline, é 漢 🎉"),
    ],
)
def test_what_has_no_shape_is_written_out(text: str, shown: str) -> None:
    """Control characters, direction overrides, half surrogates and noncharacters become escapes."""
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_visible_text_can_be_encoded_and_holds_no_control_character(text: str) -> None:
    """Whatever goes in, what comes out is valid UTF-8 without control or format characters."""
    shown = visible(text)
    shown.encode("utf-8")
    kinds = {unicodedata.category(c) for c in shown if c not in "\t\n"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text(), st.integers(min_value=5, max_value=80))
def test_one_line_is_one_line_and_not_longer_than_asked(text: str, limit: int) -> None:
    """The result has no line break, no double space, and at most `limit` characters."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "  " not in line.replace("\u00a0", "x")


def test_a_cut_line_ends_in_an_ellipsis() -> None:
    """A line that was cut says so."""
    assert one_line("one two three", 9) == "one two…"
    assert one_line("one  two", 9) == "one two"


def test_a_long_text_is_cut_with_its_size_and_digest() -> None:
    """Cut text names the bytes and the sha256 of the whole, so it can be found and compared."""
    text = "é" * 5000
    shown, note = bounded(text, 1001)
    assert shown == "é" * 500
    assert note == f"truncated, 10000 bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def test_a_text_that_fits_is_whole() -> None:
    """Text of exactly the limit is neither cut nor noted, though its characters may be wide."""
    assert bounded("é" * 500, 1000) == ("é" * 500, "")
    assert bounded("lone \ud800") == ("lone \ud800", "")
