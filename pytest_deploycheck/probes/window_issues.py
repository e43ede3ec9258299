"""The window issues probe: groups of errors that were first seen in the first day, and whether somebody took each up.

Sentry and GlitchTip say who is to look at an issue, and whether it is resolved or ignored; Bugsink whether it is
resolved or muted, and the level only in its events. Why an issue is ignored none of them says in a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.errors_tracker import CANARY, Tracker, seen_at
from pytest_deploycheck.probes.user_issues import is_ours
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DAY = timedelta(days=1)
LEVELS_READ = 20
"""Issues of Bugsink whose newest event is opened for its level; the level of others stays unknown."""
BELOW_ERROR = ("sample", "debug", "log", "info", "warning")


@dataclass(frozen=True)
class NewIssue:
    """One group of errors.

    level: empty where nobody says it; such a one counts as an error, which is what events are by default.
    first_seen: ISO 8601.  triaged: "assigned", "resolved", "ignored", or empty.
    """

    title: str
    level: str
    first_seen: str
    triaged: str

    @property
    def is_error(self) -> bool:
        """Whether its level is error or worse."""
        return self.level not in BELOW_ERROR


@dataclass(frozen=True)
class WindowIssuesFacts:
    """What a tracker has of the first day, `go_live_at` to `closes` (ISO 8601).

    tracker: its kind, empty where the target file has none.  examined: issues with events since go-live.
    unread: there are more than were read.  issues: first seen in the day, our own test errors aside.
    """

    tracker: str
    go_live_at: str
    closes: str
    project_found: bool
    examined: int
    unread: bool
    issues: tuple[NewIssue, ...]


@probe(facts=WindowIssuesFacts, deadline=40, uses={"errors": "GET"})
def window_issues(target: Target, connect: Connections) -> WindowIssuesFacts:
    """List the error tracker's issues that were first seen in the first day, each with who took it up."""
    section, start = target.errors, target.release.go_live_at
    if start is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.go_live_at in {target.path.name}; add it")
    span = (_iso(start), _iso(start + DAY))
    if section is None:
        return WindowIssuesFacts("", *span, project_found=False, examined=0, unread=False, issues=())
    tracker = Tracker(connect.http("errors", bearer=connect.secret(section.token)), section)
    if tracker.project() is None:
        return WindowIssuesFacts(
            section.kind, *span, project_found=False, examined=0, unread=False, issues=()
        )
    rows, unread = tracker.since(start)
    ours = (CANARY, target.api.test_error_path or CANARY)
    found, opened = [], 0
    for row in rows:
        first = seen_at(row, "first_seen", "firstSeen")
        if not start <= first < start + DAY or is_ours(row, ours):
            continue
        level, triaged = str(row.get("level") or ""), _triaged(row)
        if not level and not triaged and section.kind == "bugsink" and opened < LEVELS_READ:
            opened += 1
            level = tracker.level(str(row.get("id")))
        title = row.get("title") or row.get("calculated_type") or row.get("culprit") or row.get("id")
        found.append(NewIssue(str(title)[:120], level, _iso(first), triaged))
    return WindowIssuesFacts(section.kind, *span, True, len(rows), unread, tuple(found))


def _triaged(row: Mapping[str, Any]) -> str:
    """Return what was done about an issue; empty where nobody did anything."""
    if row.get("is_resolved") is True or row.get("status") == "resolved":
        return "resolved"
    if row.get("is_muted") is True or row.get("status") in ("ignored", "muted"):
        return "ignored"
    return "assigned" if row.get("assignedTo") else ""


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
