"""Until when each major version of PostgreSQL is maintained."""

from __future__ import annotations

from datetime import date

END_OF_LIFE: dict[int, date] = {
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
"""The last minor release of each major version [postgresql.org/support/versioning]."""


def end_of_life(major: int) -> date | None:
    """Return the day of a major version's last release: the past for old ones, None for those yet unknown."""
    if major in END_OF_LIFE:
        return END_OF_LIFE[major]
    return date.min if major < min(END_OF_LIFE) else None
