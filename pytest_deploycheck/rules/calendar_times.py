"""Times of a calendar: windows of maintenance with their repetitions, and hours that they must leave alone."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OCCURRENCES_MAX = 500
_PEAK = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+)?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)\s+(?P<zone>\S+)",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)\s*h(?:ours?)?)?\s*(?:(\d+)\s*m(?:in(?:utes)?)?)?")


class BadCalendar(ValueError):
    """The text says no times that could be understood; the message says where."""


@dataclass(frozen=True)
class Peak:
    """Hours of some weekdays (0 is Monday) in a time zone; an end not after the start is the next day's."""

    text: str
    days: tuple[int, ...]
    start: time
    end: time
    zone: zoneinfo.ZoneInfo

    def touches(self, begin: datetime, end: datetime) -> bool:
        """Whether a span shares time with these hours."""
        day = begin.astimezone(self.zone).date() - timedelta(days=1)
        while day <= end.astimezone(self.zone).date():
            if day.weekday() in self.days:
                opens = datetime.combine(day, self.start, self.zone)
                closes = datetime.combine(day, self.end, self.zone)
                closes += timedelta(days=1) if self.end <= self.start else timedelta()
                if opens < end and begin < closes:
                    return True
            day += timedelta(days=1)
        return False


def peak(text: str) -> Peak:
    """Read `mon-fri 08:00-20:00 Europe/Berlin`; without days it is every day."""
    found = _PEAK.fullmatch(text.strip())
    if found is None:
        raise BadCalendar(f"{text!r} is not like 'mon-fri 08:00-20:00 Europe/Berlin'")
    first, last = (found["first"] or "mon").lower(), (found["last"] or found["first"] or "sun").lower()
    try:
        begin, end = DAYS.index(first), DAYS.index(last)
        days = tuple((begin + step) % 7 for step in range((end - begin) % 7 + 1))
        zone = zoneinfo.ZoneInfo(found["zone"])
        return Peak(text, days, time.fromisoformat(found["start"]), time.fromisoformat(found["end"]), zone)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
        raise BadCalendar(f"{text!r} names no days, times or time zone") from None


def moment(value: Any, what: str) -> datetime:
    """Return a time with its zone; a date is its first moment in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise BadCalendar(f"{what} {value[:40]!r} is no ISO 8601 time") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadCalendar(f"{what} {value.isoformat()} has no time zone")
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise BadCalendar(f"{what} is missing or no time")


def span(value: Any, what: str) -> timedelta:
    """Return a duration written as `2h`, `1h 30m` or a number of minutes."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(minutes=value)
    found = _SPAN.fullmatch(str(value).strip())
    if found is None or not any(found.groups()):
        raise BadCalendar(f"{what} {str(value)[:40]!r} is no duration such as 2h or 90m")
    return timedelta(hours=float(found[1] or 0), minutes=int(found[2] or 0))


def occurrences(
    start: datetime, rule: str, after: datetime, before: datetime, without: Iterable[datetime] = ()
) -> tuple[datetime, ...]:
    """Return when something that repeats by an RRULE (RFC 5545) begins between two times; without one, once."""
    if not rule:
        return (start,) if after <= start <= before else ()
    from dateutil.rrule import rrulestr

    try:
        repeated = rrulestr(rule.removeprefix("RRULE:"), dtstart=start)
    except (ValueError, TypeError) as error:
        raise BadCalendar(f"the repetition {rule[:80]!r} cannot be read: {error}") from None
    left_out = set(without)
    found: list[datetime] = []
    for at in repeated.xafter(after, count=OCCURRENCES_MAX, inc=True):
        if at > before:
            break
        if at not in left_out:
            found.append(at)
    return tuple(found)


def ical_events(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the events of an iCalendar file in the words of our own YAML (see docs/records.md).

    What iCalendar has no property for is taken from lines of the description: `Approver: …`, `Audience: …`,
    `Announced: …`, `Notice: …`.
    """
    from icalendar import Calendar

    try:
        parsed = Calendar.from_ical(text)
    except (ValueError, IndexError, KeyError) as error:
        raise BadCalendar(f"not valid iCalendar: {str(error)[:120]}") from None
    for event in parsed.walk("VEVENT"):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            yield _event(event)
        except (ValueError, AttributeError, LookupError) as error:
            raise BadCalendar(f"an event cannot be read: {str(error)[:160]}") from None


def _event(event: Any) -> Mapping[str, Any]:
    """Return an event in our own words."""
    said = {
        key.strip().lower(): value.strip()
        for key, colon, value in (
            line.partition(":") for line in str(event.get("DESCRIPTION", "")).splitlines()
        )
        if colon
    }
    organizer = event.get("ORGANIZER")
    named = str(organizer.params.get("CN") or organizer) if organizer is not None else said.get("owner", "")
    start, end, lasts = (event.get(name) for name in ("DTSTART", "DTEND", "DURATION"))
    repeat, gone = event.get("RRULE"), event.get("EXDATE") or []
    return {
        "summary": str(event.get("SUMMARY", "")),
        "start": start.dt if start is not None else None,
        "end": end.dt if end is not None else None,
        "duration": lasts.dt.total_seconds() / 60 if lasts is not None else None,
        "repeat": repeat.to_ical().decode() if repeat is not None else "",
        "except": [one.dt for part in (gone if isinstance(gone, list) else [gone]) for one in part.dts],
        "owner": named.removeprefix("mailto:").removeprefix("MAILTO:"),
        "approver": said.get("approver", ""),
        "audience": [one.strip() for one in said.get("audience", "").split(",") if one.strip()],
        "announced_at": said.get("announced") or None,
        "notice": str(event.get("URL") or said.get("notice", "")),
    }
