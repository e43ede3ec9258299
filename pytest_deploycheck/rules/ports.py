"""Sets of port numbers as the bits of one integer: unions and differences of thousands of ports cost nothing."""

from __future__ import annotations

from collections.abc import Iterable

ALL = (1 << 65536) - 1
"""Every port, 0 to 65535."""


def span(low: int, high: int) -> int:
    """Return the ports from `low` to `high`, both of them included and held within 0 to 65535."""
    low, high = max(low, 0), min(high, 65535)
    return (1 << (high + 1)) - (1 << low) if low <= high else 0


def of(numbers: Iterable[int]) -> int:
    """Return the set of these ports."""
    found = 0
    for number in numbers:
        found |= span(number, number)
    return found


def spans(ports: int) -> tuple[tuple[int, int], ...]:
    """Return a set as its stretches (low, high), ascending."""
    found = []
    low = 0
    while ports:
        skip = (ports & -ports).bit_length() - 1
        ports >>= skip
        low += skip
        length = (~ports & (ports + 1)).bit_length() - 1
        found.append((low, low + length - 1))
        ports >>= length
        low += length
    return tuple(found)


def words(stretches: Iterable[tuple[int, int]]) -> str:
    """Return stretches as a person writes them: `22, 80, 8000-8010`."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in stretches)
