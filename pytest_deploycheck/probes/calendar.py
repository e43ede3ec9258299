"""When the service is worked on: the windows of the project's calendar of maintenance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.rules import calendar_times as times
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

SIZE_MAX_BYTES = 2**20
PAST_D = 190


@dataclass(frozen=True)
class Window:
    """One window; times are ISO 8601.  peak: the declared busy hours that it touches, empty without."""

    summary: str
    start: str
    end: str
    owner: str
    approver: str
    audience: tuple[str, ...]
    announced_at: str
    notice: str
    peak: str

    @property
    def opens(self) -> datetime:
        """When it begins."""
        return datetime.fromisoformat(self.start)

    @property
    def lasts(self) -> timedelta:
        """How long it is."""
        return datetime.fromisoformat(self.end) - self.opens


@dataclass(frozen=True)
class CalendarFacts:
    """The calendar.

    windows: that end after now, in the order of their start, over the span that is planned ahead.  past: how many
    there were before.  problem: why it cannot be read.  zero_downtime: the target file says that there are none.
    """

    path: str
    problem: str
    digest: str
    windows: tuple[Window, ...]
    past: int
    zero_downtime: bool
    peaks: tuple[str, ...]


@probe(facts=CalendarFacts, deadline=15, uses={"files": "read"})
def calendar(target: Target, connect: Connections, limits: Limits) -> CalendarFacts:
    """Read the calendar and work out its repetitions."""
    section, now = target.maintenance, connect.now()
    if not section.calendar:
        if not section.zero_downtime:
            raise CannotLook(
                Reason.NO_CONFIG,
                f"no maintenance.calendar in {target.path.name}; add it, or zero_downtime where nobody ever notices",
            )
        return CalendarFacts("", "", "", (), 0, True, tuple(section.peak_hours))
    connect.socket_allowed("files", "read", section.calendar)
    path = target.file(section.calendar)
    try:
        with path.open("rb") as opened:
            content = opened.read(SIZE_MAX_BYTES)
    except OSError as error:
        return CalendarFacts(section.calendar, f"it cannot be read: {error.strerror}", "", (), 0, False, ())
    try:
        peaks = [times.peak(text) for text in section.peak_hours]
        ahead = timedelta(days=limits.window_span_d + limits.window_gap_max_d)
        found = [
            window
            for entry in _entries(content.decode("utf-8", "replace"))
            for window in _windows(entry, now - timedelta(days=PAST_D), now + ahead, peaks)
        ]
    except times.BadCalendar as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{section.calendar}: {error}") from None
    found.sort(key=lambda one: one.opens)
    coming = tuple(one for one in found if datetime.fromisoformat(one.end) > now)
    return CalendarFacts(
        path=section.calendar,
        problem="",
        digest=hashlib.sha256(content).hexdigest(),
        windows=coming,
        past=len(found) - len(coming),
        zero_downtime=section.zero_downtime,
        peaks=tuple(section.peak_hours),
    )


def _entries(text: str) -> Iterator[Mapping[str, Any]]:
    if text.lstrip("\ufeff \r\n").startswith("BEGIN:VCALENDAR"):
        yield from times.ical_events(text)
        return
    import yaml

    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise times.BadCalendar("neither iCalendar nor valid YAML") from None
    listed = values.get("windows") if isinstance(values, Mapping) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, Mapping):
            yield {**{key: value for key, value in values.items() if key != "windows"}, **entry}


def _windows(
    entry: Mapping[str, Any], after: datetime, before: datetime, peaks: list[times.Peak]
) -> Iterator[Window]:
    name = str(entry.get("summary") or entry.get("name") or "window")
    start = times.moment(entry.get("start"), f"{name}: start")
    if entry.get("duration") is not None:
        lasts = times.span(entry["duration"], f"{name}: duration")
    else:
        lasts = times.moment(entry.get("end"), f"{name}: end") - start
    announced = entry.get("announced_at")
    audience = entry.get("audience") or ()
    gone = [times.moment(one, f"{name}: except") for one in entry.get("except") or ()]
    for at in times.occurrences(start, str(entry.get("repeat") or ""), after, before, gone):
        yield Window(
            summary=name[:120],
            start=at.isoformat(),
            end=(at + lasts).isoformat(),
            owner=str(entry.get("owner") or "")[:80],
            approver=str(entry.get("approver") or "")[:80],
            audience=(audience,) if isinstance(audience, str) else tuple(map(str, audience)),
            announced_at=times.moment(announced, f"{name}: announced_at").isoformat() if announced else "",
            notice=str(entry.get("notice") or "")[:300],
            peak=next((one.text for one in peaks if one.touches(at, at + lasts)), ""),
        )
