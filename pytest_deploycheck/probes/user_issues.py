"""The user issues probe: what the error tracker and the team's tracker say of users' trouble since the release.

How many users an issue hit is told by Sentry and GlitchTip; of Bugsink's events it is counted, by the user that
each names. Of events that name nobody it is not known, only that there are no more users than events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.errors_tracker import CANARY, Tracker, event_of, moment, seen_at
from pytest_deploycheck.probes.known_holes import open_issues
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.monitoring import ErrorsSection
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

ISSUES_MAX = 25
"""Issues of Bugsink whose users are counted."""
EVENTS_MAX = 60
"""Events of one issue that are opened to count its users."""


@dataclass(frozen=True)
class UserIssue:
    """One issue that came up since the release.

    new: it was never seen before.  events: since the release.  users: that it hit, None where nobody can tell;
    counted: of so many events the user was looked for.
    """

    title: str
    level: str
    new: bool
    events: int
    users: int | None
    counted: int


@dataclass(frozen=True)
class UserIssuesFacts:
    """Trouble of users.

    alerts: somebody is told of new issues, None when the token may not see that.  examined: issues with events
    since the release; our own test errors
    and those that are resolved are left out.  blockers: open issues of the highest priorities, None where
    no tracker is asked, which `blockers_problem` says.  deployed_at, go_live_at: ISO 8601, empty where not given.
    """

    project_found: bool
    alerts: bool | None
    examined: int
    issues: tuple[UserIssue, ...]
    blockers: int | None
    blockers_problem: str
    deployed_at: str
    go_live_at: str


@probe(facts=UserIssuesFacts, deadline=40, uses={"errors": "GET", "blockers": "GET"})
def user_issues(target: Target, connect: Connections) -> UserIssuesFacts:
    """List the tracker's issues since the release with the users that each hit, and count open blockers."""
    section, deployed = target.errors, target.release.deployed_at
    if section is None:
        raise CannotLook(
            Reason.NO_CONFIG, f"no [errors] in {target.path.name}; add kind, api_base, project and token"
        )
    if deployed is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.deployed_at in {target.path.name}; add it")
    reader = _Issues(connect.http("errors", bearer=connect.secret(section.token)), section)
    project = reader.project()
    ours = (CANARY, target.api.test_error_path or CANARY)
    limit = int(target.limits.bug_users_max)
    issues = list(reader.of_users(deployed, ours, limit)) if project else []
    blockers, problem = open_issues(target, connect, "blockers", target.triggers.blockers_url)
    go_live = target.release.go_live_at
    return UserIssuesFacts(
        project_found=project is not None,
        alerts=project.alerts if project else None,
        examined=len(issues),
        issues=tuple(sorted(issues, key=lambda one: (-(one.users or 0), -one.events))),
        blockers=blockers,
        blockers_problem=problem,
        deployed_at=deployed.isoformat(),
        go_live_at=go_live.isoformat() if go_live else "",
    )


class _Issues(Tracker):
    """Reads a project's issues, in either tracker's shape."""

    def __init__(self, http: Http, section: ErrorsSection) -> None:
        super().__init__(http, section)
        self._shown = section.kind

    def of_users(self, start: datetime, ours: tuple[str, ...], limit: int) -> Iterator[UserIssue]:
        """Yield the issues with events since a time; issues of our own test errors are left out.

        limit: users that are too many. Of Bugsink those with the most events are opened, and the others must have
        fewer events than that.
        """
        rows, unread = self.since(start)
        if unread:
            raise CannotLook(Reason.NO_EVIDENCE, f"{self._shown} has more issues since {start} than are read")
        # One that is resolved comes back as unresolved with its next event; one that is muted still hurts.
        open_ones = [
            row
            for row in rows
            if not (is_ours(row, ours) or row.get("is_resolved") is True or row.get("status") == "resolved")
        ]
        if not self._bugsink:
            yield from (_of_sentry(row, start) for row in open_ones)
            return
        open_ones.sort(key=_events, reverse=True)
        rest = open_ones[ISSUES_MAX:]
        if rest and _events(rest[0]) > limit:
            raise CannotLook(
                Reason.NO_EVIDENCE,
                f"{self._shown} has {len(open_ones)} issues since {start}, and users of {ISSUES_MAX} are counted",
            )
        yield from (self._of_bugsink(row, start, limit) for row in open_ones[:ISSUES_MAX])

    def _of_bugsink(self, row: Mapping[str, Any], start: datetime, limit: int) -> UserIssue:
        events = self._rows(f"{self._base}/events/", issue=str(row["id"]), order="desc")
        recent = [one for one in events if (at := moment(one.get("ingested_at"))) and at >= start]
        new = seen_at(row, "first_seen") >= start
        total = max(len(recent), _events(row)) if new else len(recent)
        users: int | None = None
        opened = 0
        if total > limit:  # fewer events cannot be of more users
            names = []
            for event in recent[:EVENTS_MAX]:
                answer = self._get(f"{self._base}/events/{event['id']}/")
                opened += 1
                names.append(_user(event_of(answer.json()).payload) if answer.status == 200 else "")
                if len(set(filter(None, names))) > limit:
                    break
            users = len(set(names)) if all(names) else len(set(filter(None, names))) or None
            if users is not None and not all(names) and users <= limit:
                users = None
        title = str(row.get("calculated_type") or row.get("calculated_value") or row.get("id"))
        return UserIssue(title[:120], "", new, total, users, opened)


def _events(row: Mapping[str, Any]) -> int:
    return int(row.get("digested_event_count") or 0)


def _of_sentry(row: Mapping[str, Any], start: datetime) -> UserIssue:
    users = row.get("userCount")
    return UserIssue(
        title=str(row.get("title") or row.get("culprit") or row.get("id"))[:120],
        level=str(row.get("level") or ""),
        new=seen_at(row, "firstSeen") >= start,
        events=int(row.get("count") or 0),
        # 0 is what trackers say of events that name no user.
        users=int(users) if users else None,
        counted=0,
    )


def is_ours(row: Mapping[str, Any], ours: tuple[str, ...]) -> bool:
    """Return whether an issue is of our own test errors."""
    metadata = row.get("metadata") if isinstance(row.get("metadata"), Mapping) else {}
    assert isinstance(metadata, Mapping)
    texts = [row.get(name) for name in ("transaction", "culprit", "title", "calculated_value")]
    texts += [metadata.get("value"), metadata.get("title")]
    return any(one in str(text) for one in ours for text in texts if text)


def _user(event: Mapping[str, Any]) -> str:
    """Return who an event hit: the user that it names, by whatever it is named; empty where it names none."""
    payload = event.get("data") if isinstance(event.get("data"), Mapping) else event
    assert isinstance(payload, Mapping)
    user = payload.get("user")
    if isinstance(user, Mapping):
        return next(
            (str(user[key]) for key in ("id", "username", "email", "ip_address") if user.get(key)), ""
        )
    return ""
