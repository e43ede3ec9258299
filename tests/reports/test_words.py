"""The wording of times, quantities and verdicts."""

from __future__ import annotations

import pytest

from pytest_deploycheck.decision import Decision
from pytest_deploycheck.reports import words
from pytest_deploycheck.verdict import Reason, Verdict


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.00084, "840 µs"),
        (0.041, "41 ms"),
        (9.412, "9.41 s"),
        (119, "119 s"),
        (725, "12 min 5 s"),
        (183_721, "2 d 3 h"),
        (93_600, "26 h"),
        (7_776_000, "90 d"),
        (-90_000, "-25 h"),
        (float("nan"), "nan"),
        ("soon", "soon"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds: object, said: str) -> None:
    """Seconds are said as people say them."""
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-24T04:02:10+00:00", "2026-11-24 04:02:10 UTC"),
        ("2026-11-24T05:02:10.123+01:00", "2026-11-24 04:02:10 UTC"),
        ("2026-11-24T04:02:10", "2026-11-24 04:02:10 UTC"),
        ("yesterday", "yesterday"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_times_are_said_in_utc(text: str, said: str) -> None:
    """Any offset becomes UTC; what is no time, or none that exists in UTC, stays as it is."""
    assert words.moment(text) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "", "none"),
        (True, "s", "yes"),
        (False, "", "no"),
        (8_203_534_336, "bytes", "7.64 GiB (8203534336 bytes)"),
        (512, "bytes", "512 B"),
        (-7_740, "bytes/s", "-7.559 KiB/s"),
        (5.29, "/s", "5.29 /s"),
        (61.2, "%", "61.2 %"),
        (0.1 + 0.2, "", "0.3"),
        (10**24, "wei", f"{10**24} wei"),
        (2.0, "", "2"),
        ("2026-11-24T04:02:10Z", "", "2026-11-24 04:02:10 UTC"),
        ("2026-11-24 is a date in a text", "", "2026-11-24 is a date in a text"),
    ],
)
def test_quantities_carry_their_units(value: object, unit: str, said: str) -> None:
    """Values are words with units; bytes keep their exact number."""
    assert words.quantity(value, unit) == said


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("p95_s", ("p95", "s")),
        ("mem_total_bytes", ("mem total", "bytes")),
        ("requests_n", ("requests", "")),
        ("free_pct", ("free", "%")),
        ("requests_per_s", ("requests", "/s")),
        ("memory_growth_bytes_per_s", ("memory growth", "bytes/s")),
        ("per_s", ("per", "s")),
        ("s", ("s", "")),
        ("_s", (" s", "")),
        ("names", ("names", "")),
    ],
)
def test_a_facts_name_says_its_unit(name: str, label: tuple[str, str]) -> None:
    """The last part of a name is its unit when it is one."""
    assert words.label(name) == label


def test_every_verdict_and_reason_has_its_words() -> None:
    """No verdict lacks a meaning or a symbol, no reason its words, no decision its test result."""
    assert list(words.MEANING) == [verdict.value for verdict in Verdict]
    assert set(words.SYMBOLS) == set(words.MEANING)
    assert {reason.value for reason in Reason} <= set(words.REASONS)
    assert set(words.RESULT) == set(Decision)


def test_what_is_no_verdict_is_an_error() -> None:
    """A word from elsewhere never becomes a style of its own."""
    assert words.verdict_class("passed") == "passed"
    assert words.verdict_class('x" onclick="y') == "error"
