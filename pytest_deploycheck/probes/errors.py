"""The error tracking probe: an error raised in the running application must be found in the tracker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.target import Target
from pytest_deploycheck.target.model import ErrorsSection
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.verdict import Reason

ERRORS_SENT = 2
"""Test errors raised: a load balancer has more than one instance behind it."""


@dataclass(frozen=True)
class Canary:
    """One error of ours: what the test route answered, and how it came back.

    read_back_s: seconds until it was found, None if it was not.  release, environment: its tags.  leaked: it
    carries the credentials of the request that raised it.
    """

    status: int
    read_back_s: float | None
    release: str
    environment: str
    leaked: bool


@dataclass(frozen=True)
class ErrorsFacts:
    """One project of a tracker.

    dsn_project: the project that the application reports to, empty when its DSN is unknown.  ingest_status:
    the tracker's answer to an event sent with the application's DSN, None when none was sent.  releases:
    those that the tracker knows.  since_deploy: events since the deployment, None when it is not known when
    that was.  canaries: None when raising errors was not allowed or no route for it is configured.
    """

    project: str
    project_found: bool
    dsn_project: str
    ingest_status: int | None
    released: str
    releases: tuple[str, ...]
    expected_environment: str
    since_deploy: int | None
    canaries: tuple[Canary, ...] | None


@probe(
    facts=ErrorsFacts,
    deadline=90,
    uses={"errors": "GET", "errors_ingest": "POST", "api": "GET", "login": "POST"},
)
def errors(target: Target, connect: Connections) -> ErrorsFacts:
    """Raise test errors in the application where that is allowed, and read the tracker's project."""
    section = target.errors
    if section is None:
        raise CannotLook(
            Reason.NO_CONFIG, f"no [errors] in {target.path.name}; add kind, api_base, project, token"
        )
    http = connect.http("errors", bearer=connect.secret(section.token))
    tracker = Tracker(http, section)
    found = tracker.project()
    dsn = connect.secret(section.dsn) if section.dsn is not None else ""
    ingest = _ingest(connect, dsn) if dsn and connect.allowed("canary") else None
    canaries = _canaries(target, connect, tracker) if connect.allowed("canary") else None
    return ErrorsFacts(
        project=section.project,
        project_found=found,
        dsn_project=urlsplit(dsn).path.rpartition("/")[2] if dsn else "",
        ingest_status=ingest,
        released=target.release.version,
        releases=tuple(tracker.releases()) if found else (),
        expected_environment=section.environment,
        since_deploy=tracker.count_since(target.release.deployed_at) if found else None,
        canaries=canaries,
    )


class Tracker:
    """The reading API of Sentry, of GlitchTip, which copies it, or of Bugsink."""

    def __init__(self, http: Http, section: ErrorsSection) -> None:
        self._http = http
        self._bugsink = section.kind == "bugsink"
        self._section = section
        self._base = (
            "/api/canonical/0" if self._bugsink else f"/api/0/projects/{section.org}/{section.project}"
        )

    def _get(self, path: str, **parameters: str) -> Response:
        answer = self._http.get(path, params=parameters)
        if answer.status in (401, 403):
            raise CannotLook(
                Reason.NO_ACCESS,
                f"{self._http.shown} answers {answer.status}; give errors.token with read access",
            )
        return answer

    def _list(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._get(path, **parameters)
        if answer.status != 200:
            return []
        body = answer.json()
        rows = body.get("results", []) if isinstance(body, dict) else body
        return [row for row in rows if isinstance(row, dict)]

    def project(self) -> bool:
        """Whether the project exists."""
        path = f"{self._base}/projects/{self._section.project}/" if self._bugsink else f"{self._base}/"
        return self._get(path).status == 200

    def releases(self) -> Iterator[str]:
        """Yield the releases that the tracker knows of this project."""
        if self._bugsink:
            rows = self._list(f"{self._base}/releases/", project=self._section.project)
        else:
            rows = self._list(f"{self._base}/releases/")
        for row in rows:
            yield str(row.get("version", ""))

    def newest(self) -> Iterator[dict[str, Any]]:
        """Yield the newest events with their payload, as the tracker stores it."""
        if not self._bugsink:
            yield from self._list(f"{self._base}/events/", full="true")
            return
        for issue in self._issues()[:3]:
            for event in self._list(f"{self._base}/events/", issue=str(issue["id"]), order="desc")[:6]:
                answer = self._get(f"{self._base}/events/{event['id']}/")
                yield answer.json() if answer.status == 200 else event

    def _issues(self) -> list[dict[str, Any]]:
        return self._list(
            f"{self._base}/issues/", project=self._section.project, sort="last_seen", order="desc"
        )

    def count_since(self, moment: datetime | None) -> int | None:
        """Return how many events (or, on Bugsink, issues) were seen since a moment."""
        if moment is None:
            return None
        rows = self._issues() if self._bugsink else self._list(f"{self._base}/events/")
        names = ("last_seen",) if self._bugsink else ("dateCreated", "dateReceived")
        stamps = [str(row[name]) for row in rows for name in names if row.get(name)]
        return sum(datetime.fromisoformat(stamp) >= moment for stamp in stamps)


def _ingest(connect: Connections, dsn: str) -> int:
    """Send one event with the application's own DSN and return the tracker's answer to it."""
    url = urlsplit(dsn)
    project = url.path.rpartition("/")[2]
    base = f"{url.scheme}://{url.hostname}" + (f":{url.port}" if url.port else "")
    event = {
        "event_id": connect.run_id.rpartition("-")[2].rjust(32, "0"),
        "level": "info",
        "platform": "other",
        "message": "deploycheck canary",
        "fingerprint": ["deploycheck-canary"],
        "timestamp": connect.now().isoformat(),
    }
    lines = (json.dumps({"event_id": event["event_id"]}), json.dumps({"type": "event"}), json.dumps(event))
    auth = f"Sentry sentry_version=7, sentry_client=deploycheck/1, sentry_key={url.username or ''}"
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth}
    http = connect.http("errors_ingest", base=base)
    return http.post(f"/api/{project}/envelope/", data="\n".join(lines), headers=headers).status


def _canaries(target: Target, connect: Connections, tracker: Tracker) -> tuple[Canary, ...] | None:
    """Raise errors in the application, each with a nonce as the client's name, and wait for them."""
    path = target.api.test_error_path
    section = target.errors
    if not path or section is None:
        return None
    try:
        token = connect.token(section.test_account)
    except Dead as refusal:
        raise CannotLook(Reason.NO_ACCESS, f"{section.test_account}: {refusal.message}") from None
    nonces = [f"canary-{connect.run_id}-{number}" for number in range(ERRORS_SENT)]
    began = connect.now()
    statuses = []
    for nonce in nonces:
        http = connect.http("api", bearer=token, headers={"User-Agent": f"deploycheck/{nonce}"})
        statuses.append(http.get(path).status)
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    while True:
        waited = (connect.now() - began).total_seconds()
        for event in tracker.newest():
            text = json.dumps(event)
            found |= {n: (waited, event) for n in nonces if n in text and n not in found}
        if len(found) == len(nonces) or waited > target.limits.errors_read_back_s or connect.remaining() < 5:
            break
        connect.sleep(0.4)
    return tuple(
        _canary(status, found.get(nonce), token) for nonce, status in zip(nonces, statuses, strict=True)
    )


def _canary(status: int, found: tuple[float, dict[str, Any]] | None, token: str) -> Canary:
    if found is None:
        return Canary(status, None, "", "", False)
    seconds, event = found
    payload = event.get("data") if isinstance(event.get("data"), dict) else event
    assert isinstance(payload, dict)
    release = payload.get("release") or ""
    tags = {str(t.get("key")): t.get("value") for t in event.get("tags") or () if isinstance(t, dict)}
    return Canary(
        status=status,
        read_back_s=round(seconds, 2),
        release=str(release.get("version", "") if isinstance(release, dict) else release),
        environment=str(payload.get("environment") or tags.get("environment") or ""),
        leaked=token in json.dumps(event),
    )
