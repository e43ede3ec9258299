"""Which comparisons of a test are kept as evidence: each assertion once, with the values that matter.

An assertion in a loop holds hundreds of times. Equal values are counted, not repeated; of many different
ones those stay that were seen nearest to their limit, since they say how close it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pytest_deploycheck.redact import bounded
from pytest_deploycheck.verdict import Comparison

PLACES_MAX = 60
"""Assertions kept of one test."""
VALUES_MAX = 6
"""Different values kept of one assertion; the others are counted."""
EXPRESSION_MAX = 300
SHOWN_MAX = 160
"""Characters of the values: two sha256 digests fit."""
OBJECT_MAX = 48
"""Characters of the first object among the values; the observation holds its fields, in words."""

_RAW_MAX = 2_000

_NUMBER = r"\(*(-?\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)\)*"
_OBJECT = re.compile(r"\b[A-Z]\w*\((?=\w+=)")
_TIME = re.compile(r"\bdatetime\.datetime\(([\d, ]+), tzinfo=datetime\.timezone\.utc\)")
_ORDER = re.compile(rf"{_NUMBER} [<>]=? {_NUMBER}")


@dataclass
class _Place:
    """One assertion of a test: its values in the order seen, each with how often; `others` not kept."""

    kept: dict[str, int] = field(default_factory=dict)
    others: int = 0

    def note(self, values: str) -> None:
        """Count an evaluation; where there is no room, keep the values nearest to their limit."""
        if values in self.kept or len(self.kept) < VALUES_MAX:
            self.kept[values] = self.kept.get(values, 0) + 1
            return
        farthest = max(self.kept, key=_distance)
        if _distance(values) < _distance(farthest):
            self.others += self.kept.pop(farthest)
            self.kept[values] = 1
        else:
            self.others += 1


class Comparisons:
    """The comparisons of one test that held; `evaluated` counts every one of them."""

    def __init__(self) -> None:
        self.evaluated = 0
        self._places: dict[tuple[str, int], _Place] = {}

    def held(self, line: int, source: str, explained: str) -> None:
        """Note an assertion that held: `explained` is pytest's text of it with the values seen."""
        self.evaluated += 1
        place = self._places.get((source, line))
        if place is None:
            if len(self._places) == PLACES_MAX:
                return
            place = self._places[source, line] = _Place()
        place.note(shortened(explained.partition("\n")[0], _RAW_MAX))

    def kept(self, redact: Callable[[str], str]) -> list[Comparison]:
        """Return each assertion's values, redacted and then shortened, so that no secret is cut in two.

        The last one of an assertion says how many others there were.
        """
        found = []
        for (source, line), place in self._places.items():
            expression = shortened(redact(source), EXPRESSION_MAX)
            found += [
                Comparison(expression, readable(redact(values)), line, count)
                for values, count in place.kept.items()
            ]
            found[-1] = replace(found[-1], others=place.others)
        return found


def shortened(text: str, limit: int) -> str:
    """Return text on one line of at most about `limit` characters."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else bounded(f"{joined[: limit - 1]}…")


def readable(values: str) -> str:
    """Return the values of a comparison with times as ISO 8601 and objects cut short, on one line."""
    text = _TIME.sub(_moment, values)
    found = _OBJECT.search(text)
    return shortened(text, min(SHOWN_MAX, found.start() + OBJECT_MAX) if found else SHOWN_MAX)


def _moment(match: re.Match[str]) -> str:
    try:
        parts = [int(part) for part in match[1].split(",")]
        year, month, day, hour, minute, second, microsecond = (*parts, *[0] * (7 - len(parts)))
        return datetime(year, month, day, hour, minute, second, microsecond, UTC).isoformat()
    except ValueError:
        return match[0]  # a string of the target's that looks like a time


def _distance(values: str) -> float:
    """Return how far a compared number was from its limit, relative to the larger one; else infinity."""
    match = _ORDER.fullmatch(values)
    if match is None:
        return float("inf")
    left, right = (float(number.replace("_", "")) for number in match.groups())
    return abs(left - right) / (max(abs(left), abs(right)) or 1.0)
