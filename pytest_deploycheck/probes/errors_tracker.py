"""The reading API of an error tracker: Sentry's, GlitchTip's, which copies it, or Bugsink's own."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target.monitoring import ErrorsSection
    from pytest_deploycheck.transports.http import Http, Response

ISSUES_READ = 3
EVENTS_READ = 8
PAGES_MAX = 10
"""Pages of issues that are read."""
CANARY = "deploycheck canary"
"""The message of our own events, which are no proof that the application reports any."""


@dataclass(frozen=True)
class Dsn:
    """Where events are sent: `place` is host and port, `key` the public key."""

    scheme: str
    place: str
    prefix: str
    project: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Read scheme://key@host[/prefix]/project."""
        url = urlsplit(text)
        prefix, _, project = url.path.rstrip("/").rpartition("/")
        place = (url.hostname or "") + (f":{url.port}" if url.port else "")
        return cls(url.scheme, place, prefix, project, url.username or "")


@dataclass(frozen=True)
class Project:
    """The declared project: its ids, its active DSNs and whether new issues are told to somebody.

    dsns, alerts: None where the token may not see them.
    """

    ids: frozenset[str]
    dsns: frozenset[Dsn] | None
    alerts: bool | None


@dataclass(frozen=True)
class Event:
    """One stored event, with its payload as the tracker gives it back."""

    id: str
    at: datetime | None
    release: str
    environment: str
    message: str
    payload: Mapping[str, Any]


class Tracker:
    """Reads one project over one client."""

    def __init__(self, http: Http, section: ErrorsSection) -> None:
        self._http = http
        self._bugsink = section.kind == "bugsink"
        self._name = section.project
        self._org = section.org
        self._base = "/api/canonical/0" if self._bugsink else f"/api/0/projects/{section.org}/{self._name}"

    def project(self) -> Project | None:
        """Return the project, or None when the tracker has none of that name."""
        place = f"{self._base}/projects/{self._name}/" if self._bugsink else f"{self._base}/"
        answer = self._get(place)
        if answer.status == 404:
            return None
        found = answer.json()
        if answer.status != 200 or not isinstance(found, dict):
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown}{place} answers {answer.status}")
        ids = frozenset(str(found[name]) for name in ("id", "slug") if found.get(name) is not None)
        if self._bugsink:
            dsns = frozenset([Dsn.parse(str(found["dsn"]))]) if found.get("dsn") else None
            return Project(ids, dsns, found.get("alert_on_new_issue"))
        keys = self._optional(f"{self._base}/keys/")
        rules = self._optional(f"{self._base}/rules/")
        active = [row for row in keys or () if row.get("isActive", True)]
        return Project(
            ids=ids,
            dsns=frozenset(Dsn.parse(str(row["dsn"]["public"])) for row in active)
            if keys is not None
            else None,
            alerts=bool(rules) if rules is not None else None,
        )

    def releases(self) -> tuple[str, ...]:
        """Return the releases that the tracker knows of the project, as many as one page has."""
        query = {"project": self._name} if self._bugsink else {}
        rows = self._optional(f"{self._base}/releases/", **query) or []
        return tuple(str(row["version"]) for row in rows if row.get("version"))

    def newest(self) -> Iterator[Event]:
        """Yield the newest events with their payload."""
        if not self._bugsink:
            for row in self._rows(f"{self._base}/events/", full="true")[: ISSUES_READ * EVENTS_READ]:
                yield event_of(row)
            return
        query = {"project": self._name, "sort": "last_seen", "order": "desc"}
        for issue in self._rows(f"{self._base}/issues/", **query)[:ISSUES_READ]:
            for row in self._rows(f"{self._base}/events/", issue=str(issue["id"]), order="desc")[
                :EVENTS_READ
            ]:
                answer = self._get(f"{self._base}/events/{row['id']}/")
                yield event_of(answer.json() if answer.status == 200 else row)

    def issues(self, cursor: str = "") -> tuple[list[dict[str, Any]], str]:
        """Return a page of issues of whatever state, those with the newest events first, and the next page's cursor.

        The cursor is empty at the end. Sentry and GlitchTip name it in the header Link, Bugsink in the address `next`.
        Whatever is no list of issues is refused as unparseable: it is not the same as none.
        """
        query = {"query": "", "statsPeriod": ""}
        if self._bugsink:
            query = {"project": self._name, "sort": "last_seen", "order": "desc"}
        answer = self._get(f"{self._base}/issues/", **query, **({"cursor": cursor} if cursor else {}))
        body = answer.json() if answer.status == 200 else None
        rows = body.get("results") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} answers {answer.status} without issues")
        if isinstance(body, dict):
            after = parse_qs(urlsplit(str(body.get("next") or "")).query).get("cursor", [""])[0]
        else:
            link = answer.header("Link") or ""
            found = re.search(r'rel="next"; results="true"; cursor="([^"]+)"', link)
            after = found.group(1) if found else ""
        return [row for row in rows if isinstance(row, dict)], after

    def since(self, start: datetime) -> tuple[list[dict[str, Any]], bool]:
        """Return the issues with an event since a time, and whether there are more than were read."""
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            rows, cursor = self.issues(cursor)
            recent = [row for row in rows if seen_at(row, "last_seen", "lastSeen") >= start]
            found += recent
            if len(recent) < len(rows) or not cursor:
                return found, False
        return found, True

    def level(self, issue: str) -> str:
        """Return the level of the newest event of an issue of Bugsink; empty where there is none to read."""
        for row in self._rows(f"{self._base}/events/", issue=issue, order="desc")[:1]:
            answer = self._get(f"{self._base}/events/{row['id']}/")
            found = answer.json() if answer.status == 200 else {}
            data = found.get("data") if isinstance(found, dict) else None
            return str(data.get("level") or "") if isinstance(data, dict) else ""
        return ""

    def event(self, event_id: str) -> Event | None:
        """Return an event by the id it was sent with, or None; ids may come back with dashes."""
        if not self._bugsink:
            answer = self._get(f"{self._base}/events/{event_id}/")
            return event_of(answer.json()) if answer.status == 200 else None
        return next((found for found in self.newest() if found.id == event_id), None)

    def _get(self, path: str, **parameters: str) -> Response:
        answer = self._http.get(path, params=parameters)
        if answer.status in (401, 403):
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} answers {answer.status}; give errors.token read access to project and events",
            )
        return answer

    def _rows(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Return a list; an answer that holds none is refused as unparseable, since it is not the same as none."""
        answer = self._get(path, **parameters)
        body = answer.json() if answer.status == 200 else None
        rows = body.get("results") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise CannotLook(
                Reason.UNPARSEABLE, f"{self._http.shown}{path} answers {answer.status} without a list"
            )
        return [row for row in rows if isinstance(row, dict)]

    def _optional(self, path: str, **parameters: str) -> list[dict[str, Any]] | None:
        """Return rows that not every token may see and not every tracker has."""
        answer = self._http.get(path, params=parameters)
        return self._rows(path, **parameters) if answer.status == 200 else None


def event_of(row: Mapping[str, Any]) -> Event:
    """Return an event of any of the trackers' shapes."""
    payload = row.get("data") if isinstance(row.get("data"), dict) else row
    assert isinstance(payload, Mapping)
    tags = row.get("tags") or payload.get("tags") or {}
    if isinstance(tags, list):  # Sentry answers pairs, SDKs send either form
        pairs = [(t.get("key"), t.get("value")) if isinstance(t, dict) else tuple(t)[:2] for t in tags]
        tags = dict(pair for pair in pairs if len(pair) == 2)
    release = payload.get("release") or tags.get("release") or tags.get("sentry:release") or ""
    return Event(
        id=_id(row.get("event_id") or row.get("eventID") or payload.get("event_id") or row.get("id")),
        at=_time(row.get("ingested_at") or row.get("dateCreated") or row.get("timestamp")),
        release=str(release.get("version", "") if isinstance(release, dict) else release),
        environment=str(payload.get("environment") or tags.get("environment") or ""),
        message=str(payload.get("message") or payload.get("title") or ""),
        payload=row,
    )


def seen_at(row: Mapping[str, Any], *names: str) -> datetime:
    """Return the first of an issue's times that can be read; without one the issue is refused as unparseable."""
    found = next((at for name in names if (at := moment(row.get(name)))), None)
    if found is None:
        raise CannotLook(Reason.UNPARSEABLE, f"an issue of the tracker has no readable {' or '.join(names)}")
    return found


def moment(value: Any) -> datetime | None:
    """Return a tracker's time; None where it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _id(value: Any) -> str:
    try:
        return uuid.UUID(str(value)).hex
    except ValueError:
        return str(value or "")


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
