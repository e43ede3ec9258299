"""What a check does with a window: wait until it opens, say that it is open, and keep what was final."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.check import pending, provisional, unproven
from pytest_deploycheck.probes.window import DAY_STEP_S, Window, WindowFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.window_runs import Watched, WindowRunsFacts

SEEN_MIN = 0.95
"""Share of a window's steps that a number must have a value in."""
FORGOTTEN_S = 3600.0
"""A closed window without a sample in so long after its start is one that Prometheus has begun to forget."""


def opened(facts: WindowFacts, now: datetime) -> Window:
    """Return the first day as far as it has passed; end the check as pending before its first step is over."""
    if facts.day is None:
        first = facts.go_live + timedelta(seconds=DAY_STEP_S)
        pending(max(first, facts.go_live), f"the first day begins at {facts.go_live_at}")
    if not facts.day.closed:
        provisional(datetime.fromisoformat(facts.day.closes))
    return facts.day


def kept(facts: WindowRunsFacts, item: str, day: Window) -> Watched | None:
    """Return what was final for an item; None where it is to be judged from the samples.

    A verdict that was given after the window had closed stays, as long as the target file is the same. With another
    one it is judged again, unless Prometheus no longer has the window's beginning: it forgets the oldest first.
    """
    found = facts.of(item)
    if not day.closed or not found.final:
        return None
    forgotten = day.first_sample_s is None or day.first_sample_s > FORGOTTEN_S
    return found if found.same_config or forgotten else None


def measured(day: Window, name: str, *, seen_min: float = SEEN_MIN) -> tuple[tuple[float, float], ...]:
    """Return a number's points; unproven where it was measured in too few of the steps."""
    points = day.points(name)
    if len(points) < seen_min * day.steps:
        asked = day.expression(name) or f"nothing: name a query in watch.queries.{name}"
        unproven(
            Reason.NO_EVIDENCE,
            f"{name} has a value in {len(points)} of {day.steps} steps since {day.start}; asked was {asked[:200]}",
        )
    return points


def at(day: Window, seconds: float) -> str:
    """Return the time of a point, for a message."""
    return (datetime.fromisoformat(day.start) + timedelta(seconds=seconds)).isoformat(timespec="minutes")
