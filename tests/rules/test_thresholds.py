"""An alert's criterion in plain terms, however its expression is written."""

from __future__ import annotations

import pytest

from pytest_deploycheck.probes.promql_selectors import parse
from pytest_deploycheck.rules.thresholds import Criterion, comparison, criterion, same


def read(query: str, **recorded: str) -> Criterion:
    """Return a query's criterion, with recording rules by name."""
    trees = {name.replace("__", ":"): parse(text) for name, text in recorded.items()}
    return criterion(parse(query), trees.get)


@pytest.mark.parametrize(
    ("query", "compares", "windows"),
    [
        ("a > 120", [(">", 120.0)], []),
        ("120 < a", [(">", 120.0)], []),
        ("-5 >= a", [("<=", -5.0)], []),
        ("sum(rate(a[1h])) / sum(rate(b[1h])) > 14.4 * 0.001", [(">", 0.0144)], [3600.0]),
        (
            "rate(a[5m]) > (14.4 * (1 - 0.999)) and rate(a[1h]) > (14.4 * (1 - 0.999))",
            [(">", 0.0144)],
            [300.0, 3600.0],
        ),
        ("a > scalar(vector(3))", [(">", 3.0)], []),
        ("time() - x > 26 * 3600", [(">", 93600.0)], []),
        ("max_over_time(rate(a[5m])[1h:1m]) > bool 2 ^ 3", [(">", 8.0)], [300.0, 3600.0]),
        ("a > b", [], []),
        ("absent(up)", [], []),
        ("a > 1 / 0", [], []),
        (
            "histogram_quantile(0.95, sum by (le) (rate(a[5m]))) > 1 unless c == 0",
            [("==", 0.0), (">", 1.0)],
            [300.0],
        ),
    ],
)
def test_criteria(query: str, compares: list[tuple[str, float]], windows: list[float]) -> None:
    """Constants are worked out, comparisons turned so that the number is on the right, windows counted once."""
    found = read(query)
    assert list(found.windows_s) == windows
    expected = sorted(compares)
    seen = {(op, round(number, 9)) for op, number in found.compares}
    assert sorted(seen) == expected


def test_recording_rules_are_looked_through() -> None:
    """A burn rate over recorded ratios has the windows of what was recorded, also over two steps."""
    found = read(
        "slo:errors:ratio1h > 0.0144 and slo:errors:ratio5m > 0.0144",
        slo__errors__ratio1h="sum(rate(e[1h])) / sum(rate(t[1h]))",
        slo__errors__ratio5m="slo:errors:raw5m",
        slo__errors__raw5m="sum(rate(e[5m])) / sum(rate(t[5m]))",
    )
    ratios = ((0.0144, (300.0,)), (0.0144, (3600.0,)))
    assert found == Criterion(((">", 0.0144),), (300.0, 3600.0), ratios)


def test_a_guard_on_traffic_is_no_ratio() -> None:
    """Only comparisons that divide are shares, whichever side the number is on."""
    found = read("rate(e[1h]) / rate(t[1h]) > 0.5 and rate(t[1h]) > 0 and 0.1 < rate(e[5m]) / rate(t[5m])")
    assert found.ratios == ((0.1, (300.0,)), (0.5, (3600.0,)))
    assert found.compares == ((">", 0.0), (">", 0.1), (">", 0.5))


def test_recording_rules_in_a_circle_end() -> None:
    """A rule that records itself is no way to hang."""
    assert read("x > 1", x="x + rate(y[1m])").windows_s == (60.0,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> 0.0144", (">", 0.0144)),
        (">1.44%", (">", 0.0144)),
        (" <= 1e17 ", ("<=", 1e17)),
        ("!= 31337", ("!=", 31337.0)),
        ("= 3", None),
        ("slow", None),
        ("", None),
        ("> 1 or < 2", None),
    ],
)
def test_comparisons_of_a_plan(text: str, expected: tuple[str, float] | None) -> None:
    """What a plan may say, and what is no comparison."""
    found = comparison(text)
    assert (found is None) is (expected is None)
    assert found is None or expected is None or same(found, expected)


def test_rounding_is_no_difference_and_another_operator_is() -> None:
    """14.4 * 0.001 is 1.44 %, and above is not at least."""
    assert same((">", 14.4 * 0.001), (">", 0.0144))
    assert not same((">", 0.0144), (">=", 0.0144))
    assert not same((">", 0.0144), (">", 0.0145))
