"""When a line of cron runs: its five fields, or a nickname. Pure.

Fields as in crontab(5): lists, ranges, steps, names of months and days; day of the month and day of the week are
alternatives where both are given. Times are those of the clock that is passed in.
"""

from __future__ import annotations

from datetime import datetime, timedelta

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "sun mon tue wed thu fri sat".split()
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def runs(line: str, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return when a line runs after `start` and until `end`; ValueError where its fields cannot be read."""
    fields = NICKNAMES.get(line.split()[0].lower(), line).split()[:5]
    if len(fields) < 5:
        raise ValueError(f"{line[:40]!r} is no line of cron")
    minutes, hours, days, months, weekdays = (
        _values(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    found, at = [], (start + timedelta(minutes=1)).replace(second=0, microsecond=0)
    while at <= end:
        if at.month not in months or not _day(at, days, weekdays, either):
            at = at.replace(hour=0, minute=0) + timedelta(days=1)
            continue
        if at.hour in hours and at.minute in minutes:
            found.append(at)
        at += timedelta(minutes=1)
    return tuple(found)


def _day(at: datetime, days: frozenset[int], weekdays: frozenset[int], either: bool) -> bool:
    of_month, of_week = at.day in days, at.isoweekday() % 7 in {day % 7 for day in weekdays}
    return of_month or of_week if either else of_month and of_week


def _values(field: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            begin, _, end = span.partition("-")
            first = _number(begin)
            last = _number(end) if end else (high if step else first)
        if not low <= first <= last <= high:
            raise ValueError(f"{field!r} is out of its bounds")
        found |= set(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str) -> int:
    for names, first in ((_MONTHS, 1), (_DAYS, 0)):
        if text in names:
            return names.index(text) + first
    return int(text)
