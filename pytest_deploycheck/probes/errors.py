"""The error tracking probe: an error raised in the running application must be found in the tracker.

That the tracker accepts an event proves little: quotas and filters drop it afterwards, and the worker that
fails may have no SDK. Without permission to raise an error, an event of this release since the deployment
proves the same; without a route to raise one, an event of ours with the application's DSN proves the rest.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes.errors_tracker import CANARY, Dsn, Event, Project, Tracker
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

ERRORS_SENT = 2
"""Test errors raised: a load balancer has more than one instance behind it."""


@dataclass(frozen=True)
class Canary:
    """One error of ours and how it came back.

    how: "route", raised in the application, or "envelope", sent by us with its DSN.  status: the answer to
    the request.  read_back_s: seconds until it was found, None if it was not.  leaked: which credentials of
    the request that raised it are in the event.
    """

    how: str
    status: int
    read_back_s: float | None
    release: str
    environment: str
    leaked: tuple[str, ...]


@dataclass(frozen=True)
class ErrorsFacts:
    """One project of a tracker, and what the application tells it.

    dsn_place: host and project that the application reports to; empty when its DSN is not known.
    dsn_empty: the application has none.  dsn_fits: it is an active one of the project, None when nobody can
    tell.  releases: those the tracker knows.  alerts: somebody is told of new issues, None when the token
    may not see that.  since_deploy: newest events that are of this release and younger than the deployment.
    canaries: None when none could be raised; `no_canary` says why.
    """

    project: str
    project_found: bool
    dsn_place: str
    dsn_empty: bool
    dsn_fits: bool | None
    released: tuple[str, ...]
    releases: tuple[str, ...]
    environment: str
    alerts: bool | None
    since_deploy: int | None
    canaries: tuple[Canary, ...] | None
    no_canary: str


@probe(
    facts=ErrorsFacts,
    deadline=100,
    uses={"errors": "GET", "errors_ingest": "POST", "api": "GET", "login": "POST"},
)
def errors(target: Target, connect: Connections) -> ErrorsFacts:
    """Read the tracker's project; raise test errors where that is allowed (S3), and find them there."""
    section = target.errors
    if section is None:
        raise CannotLook(
            Reason.NO_CONFIG, f"no [errors] in {target.path.name}; add kind, api_base, project and token"
        )
    tracker = Tracker(connect.http("errors", bearer=connect.secret(section.token)), section)
    project = tracker.project()
    text, empty = _dsn(target, connect)
    dsn = Dsn.parse(text) if text else None
    since = _since(target, tracker) if project else None
    fits = _fits(dsn, project)
    canaries, why = None, "the project does not exist"
    if project is not None and fits is not False and not empty:
        canaries, why = _canaries(target, connect, tracker, dsn)
    return ErrorsFacts(
        project=section.project,
        project_found=project is not None,
        dsn_place=f"{dsn.place}/{dsn.project}" if dsn else "",
        dsn_empty=empty,
        dsn_fits=fits,
        released=tuple(filter(None, (target.release.version, target.release.commit))),
        releases=tracker.releases() if project else (),
        environment=section.environment,
        alerts=project.alerts if project else None,
        since_deploy=since,
        canaries=canaries,
        no_canary=why,
    )


def _dsn(target: Target, connect: Connections) -> tuple[str, bool]:
    """Return the application's DSN, and whether its place is there and empty, which turns reporting off."""
    reference = target.errors.dsn if target.errors is not None else None
    if reference is None:
        return "", False
    try:
        return connect.secret(reference), False
    except CannotLook as why:
        if why.message.endswith("is empty"):
            return "", True
        raise


def _fits(dsn: Dsn | None, project: Project | None) -> bool | None:
    if dsn is None or project is None:
        return None
    if project.dsns is not None:
        known = {(entry.project, entry.key) for entry in project.dsns}
        return (dsn.project, dsn.key) in known  # inside, the tracker may have another name
    return dsn.project in project.ids


def _since(target: Target, tracker: Tracker) -> int | None:
    """Count the application's own events since the deployment; None when it is not known when that was."""
    moment = target.release.deployed_at
    if moment is None:
        return None
    wanted = [name for name in (target.release.version, target.release.commit) if name]
    return sum(
        event.at is not None
        and event.at >= moment
        and event.message != CANARY
        and (not wanted or any(name in event.release for name in wanted))
        for event in tracker.newest()
    )


def _canaries(
    target: Target, connect: Connections, tracker: Tracker, dsn: Dsn | None
) -> tuple[tuple[Canary, ...] | None, str]:
    if not connect.allowed("canary"):
        return None, "--allow canary was not given"
    if target.api.test_error_path:
        return _raised(target, connect, tracker), ""
    if dsn is not None:
        return (_sent(target, connect, tracker, dsn),), ""
    return None, "neither api.test_error_path nor errors.dsn is set"


def _raised(target: Target, connect: Connections, tracker: Tracker) -> tuple[Canary, ...]:
    """Raise errors in the application, each with a nonce as the client's name and with false credentials."""
    section = target.errors
    assert section is not None
    try:
        token = connect.token(section.test_account)
    except Dead as refusal:
        raise CannotLook(Reason.NO_ACCESS, f"{section.test_account}: {refusal.message}") from None
    planted = {"Authorization": token, "X-Api-Key": f"planted-{uuid.uuid4().hex}"}
    nonces = [f"canary-{connect.run_id}-{number}" for number in range(ERRORS_SENT)]
    statuses = []
    for nonce in nonces:
        headers = {"User-Agent": f"deploycheck/{nonce}", "X-Api-Key": planted["X-Api-Key"]}
        http = connect.http("api", bearer=token, headers=headers)
        statuses.append(http.get(target.api.test_error_path, params={"dc": nonce}).status)
    found: dict[str, tuple[float, Event]] = {}

    def look(waited: float) -> bool:
        for event in tracker.newest():
            text = json.dumps(event.payload)
            found.update({n: (waited, event) for n in nonces if n in text and n not in found})
        return len(found) == len(nonces)

    if all(status not in (401, 403, 404) for status in statuses):
        _wait(connect, look)
    return tuple(
        _canary("route", status, found.get(nonce), planted)
        for nonce, status in zip(nonces, statuses, strict=True)
    )


def _sent(target: Target, connect: Connections, tracker: Tracker, dsn: Dsn) -> Canary:
    """Send one event of our own with the application's DSN, and read it back by its id."""
    event_id = uuid.uuid4().hex
    event = {
        "event_id": event_id,
        "level": "info",
        "platform": "other",
        "message": CANARY,
        "fingerprint": ["deploycheck-canary"],
        "timestamp": connect.now().isoformat(),
        "release": target.release.version or target.release.commit or None,
        "environment": target.errors.environment if target.errors and target.errors.environment else None,
    }
    lines = (json.dumps({"event_id": event_id}), json.dumps({"type": "event"}), json.dumps(event))
    auth = f"Sentry sentry_version=7, sentry_client=deploycheck/1, sentry_key={dsn.key}"
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth}
    http = connect.http("errors_ingest", base=f"{dsn.scheme}://{dsn.place}{dsn.prefix}")
    answer = http.post(f"/api/{dsn.project}/envelope/", data="\n".join(lines), headers=headers)
    found: list[tuple[float, Event]] = []

    def look(waited: float) -> bool:
        event = tracker.event(event_id)
        if event is not None:
            found.append((waited, event))
        return bool(found)

    if answer.status < 300:
        _wait(connect, look)
    return _canary("envelope", answer.status, found[0] if found else None, {})


def _wait(connect: Connections, look: Callable[[float], bool]) -> None:
    """Look again and again until it says that all is there, or the limit's time is over."""
    began = connect.now()
    while True:
        waited = (connect.now() - began).total_seconds()
        if look(waited) or waited > connect.limits.errors_read_back_s or connect.remaining() < 5:
            return
        connect.sleep(0.4)


def _canary(how: str, status: int, found: tuple[float, Event] | None, planted: Mapping[str, str]) -> Canary:
    if found is None:
        return Canary(how, status, None, "", "", ())
    seconds, event = found
    text = json.dumps(event.payload)
    leaked = tuple(name for name, value in planted.items() if value in text)
    return Canary(how, status, round(seconds, 2), event.release, event.environment, leaked)
