"""What is kept of a test's comparisons."""

from __future__ import annotations

import pytest

from pytest_deploycheck.session.comparisons import (
    OBJECT_MAX,
    PLACES_MAX,
    SHOWN_MAX,
    VALUES_MAX,
    Comparisons,
    readable,
)
from pytest_deploycheck.verdict import Comparison


def test_equal_values_of_an_assertion_are_counted() -> None:
    """A loop that sees the same a hundred times is one entry, and each other value one more."""
    seen = Comparisons()
    for n in range(100):
        seen.held(7, "row.status == 200", f"{404 if n == 50 else 200} == 200")
    seen.held(9, "row.status == 200", "200 == 200\n  +  where 200 = Row().status")
    assert seen.evaluated == 101
    assert seen.kept(str) == [
        Comparison("row.status == 200", "200 == 200", 7, 99),
        Comparison("row.status == 200", "404 == 200", 7),
        Comparison("row.status == 200", "200 == 200", 9),
    ]


def test_the_values_nearest_to_the_limit_are_kept() -> None:
    """Of many different values those stay that say how close it was; the others are counted."""
    seen = Comparisons()
    for n in (1, 2, 3, 97, 4, 5, 6, 99, 7, 3, 98):
        seen.held(7, "used <= limits.x", f"{n / 100} <= (1 * 1)" if n == 2 else f"{n / 100} <= 1")
    kept = seen.kept(str)
    assert [c.values for c in kept] == [f"0.{n} <= 1" for n in ("97", "05", "06", "99", "07", "98")]
    assert sum(c.count for c in kept) + kept[-1].others == seen.evaluated == 11
    assert [c.others for c in kept[:-1]] == [0] * (VALUES_MAX - 1)


def test_what_is_no_order_of_numbers_is_kept_as_it_came() -> None:
    """Words have no distance to a limit: the first ones stay."""
    seen = Comparisons()
    for n in range(20):
        seen.held(1, "name", f"'n{n}'")
    assert [c.values for c in seen.kept(str)] == [f"'n{n}'" for n in range(VALUES_MAX)]


def test_the_assertions_of_a_test_are_bounded_but_all_counted() -> None:
    """Beyond the bound an assertion is counted only."""
    seen = Comparisons()
    for line in range(PLACES_MAX + 5):
        seen.held(line, "x", "1")
    assert len(seen.kept(str)) == PLACES_MAX
    assert seen.evaluated == PLACES_MAX + 5


def test_secrets_go_before_the_text_is_cut() -> None:
    """A secret that lies across the cut is masked whole."""
    seen = Comparisons()
    secret = "s3cret" * 4
    seen.held(1, "x", "x" * (SHOWN_MAX - 6) + secret)
    (kept,) = seen.kept(lambda text: text.replace(secret, "[redacted]"))
    assert kept.values.endswith("x[reda…")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ("3 <= 5", "3 <= 5"),
        (
            "datetime.datetime(2026, 11, 24, 8, 27, 32, tzinfo=datetime.timezone.utc) <= 1",
            "2026-11-24T08:27:32+00:00 <= 1",
        ),
        (
            "datetime.datetime(2026, 77, 24, tzinfo=datetime.timezone.utc)",
            "datetime.datetime(2026, 77, 24, tzinfo=datetime.timezone.utc)",
        ),
        (
            "datetime.datetime(1, 1, 1, 1, 1, 1, 1, 1, 1, tzinfo=datetime.timezone.utc)",
            "datetime.datetime(1, 1, 1, 1, 1, 1, 1, 1, 1, tzinfo=datetime.timezone.utc)",
        ),
        ("(Row(status=200, path='/a'), Row(status=200, path='/b'))", "(Row(status=200, path='/a'), Row(status=200, pat…"),
        ("Decimal('1.5') <= 2", "Decimal('1.5') <= 2"),
        ("'" + "x" * 500 + "'", "'" + "x" * (SHOWN_MAX - 2) + "…"),
    ],
)  # fmt: skip
def test_values_are_readable(values: str, shown: str) -> None:
    """Times are ISO 8601, objects are cut short, long text is cut, all else stays."""
    assert readable(values) == shown
    assert len(readable(values)) <= SHOWN_MAX + OBJECT_MAX
