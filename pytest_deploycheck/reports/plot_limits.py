"""The limit of a plot, in words: what it is, which side of it is good, and how many values are on the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.reports import words
from pytest_deploycheck.reports.text import one_line


@dataclass(frozen=True)
class Limit:
    """A limit of a plot, and the words for it; `above` says that values must be above it, not below."""

    value: float
    unit: str
    above: bool

    @property
    def label(self) -> str:
        """The limit in words: "at most 1 s" or "at least 30 d"."""
        return f"at {'least' if self.above else 'most'} {quantity(self.value, self.unit)}"

    def bad(self, value: float) -> bool:
        """Whether a value is on the wrong side."""
        return value < self.value if self.above else value > self.value

    def summary(self, bad: int, of: int | None = None) -> str:
        """Say the limit and how many values are on its wrong side."""
        side = "below" if self.above else "above"
        return f" Limit: {self.label}; {bad if of is None else f'{bad} of {of}'} {side} it."

    def judged(self, value: float) -> str:
        """Return a value in words, with a word more when it is on the wrong side."""
        word = f", too {'low' if self.above else 'high'}" if self.bad(value) else ""
        return quantity(value, self.unit) + word


def limit_of(facts: Mapping[str, Any]) -> Limit | None:
    """Return the limit of a plot found in facts, if it has one."""
    if facts.get("limit") is None:
        return None
    return Limit(finite(facts["limit"]), unit_of(facts), facts.get("good") == "above")


def finite(value: Any) -> float:
    """Return a number that can be drawn; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit in words; a ratio is a percentage."""
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    return words.quantity(value, {"seconds": "s"}.get(unit, unit))


def unit_of(facts: Mapping[str, Any]) -> str:
    """Return the unit of a plot found in facts."""
    return one_line(str(facts["unit"]), 16)
