"""The error tracking probe against trackers of three kinds, and against applications that report badly."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.errors import ErrorsFacts
from pytest_deploycheck.probes.errors_tracker import Dsn, event_of
from tests.probes.service import Asked, Reply, look, serving

KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"release": "app@1.4.2", "environment": "production", "message": "boom"}


def test_dsns_of_every_form_are_read() -> None:
    """Hosted, self-hosted under a path, and with a port."""
    assert Dsn.parse(f"https://{KEY}@o1.ingest.de.sentry.io/42") == Dsn(
        "https", "o1.ingest.de.sentry.io", "", "42", KEY
    )
    assert Dsn.parse(f"http://{KEY}:x@localhost:8000/errors/7") == Dsn(
        "http", "localhost:8000", "/errors", "7", KEY
    )


@pytest.mark.parametrize(
    "row",
    [
        {"event_id": str(uuid.UUID(KEY)), "ingested_at": "2026-11-24T06:00:00Z", "data": EVENT},
        {
            "eventID": KEY,
            "id": "77",
            "dateCreated": "2026-11-24T06:00:00Z",
            "message": "boom",
            "release": {"version": "app@1.4.2"},
            "tags": [{"key": "environment", "value": "production"}],
        },
        {
            "eventID": KEY,
            "dateCreated": "2026-11-24T06:00:00Z",
            "title": "boom",
            "tags": [["release", "app@1.4.2"], ["environment", "production"]],
        },
    ],
    ids=["Bugsink", "Sentry", "pairs"],
)
def test_events_of_every_tracker_read_alike(row: dict[str, Any]) -> None:
    """Ids lose their dashes; release and environment stand in fields or tags."""
    event = event_of(row)
    assert (event.id, event.release, event.environment, event.message) == (
        KEY,
        "app@1.4.2",
        "production",
        "boom",
    )
    assert event.at == datetime(2026, 11, 24, 6, tzinfo=UTC)


class Sentry:
    """An application and its Sentry in one server."""

    def __init__(self, **shape: Any) -> None:
        self.shape = shape
        self.events: list[dict[str, Any]] = []
        self.sent = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer for both."""
        if asked.path == "/auth/login":
            return Reply(200, {"access_token": "a-token-of-the-test-account"})
        if asked.path == "/boom":
            self.sent += 1
            if self.sent > self.shape.get("reports", 99):
                return Reply(500)
            headers = (
                dict(asked.headers)
                if self.shape.get("leaks")
                else {"user-agent": asked.headers["user-agent"]}
            )
            self.add({"request": {"headers": headers}})
            return Reply(500)
        if asked.path.endswith("/envelope/"):
            return self.ingest(asked)
        base = "/api/0/projects/shop/api/"
        if asked.path in self.shape.get("forbidden", ()):
            return Reply(403)
        answers: dict[str, Any] = {
            base: {"id": "42", "slug": "api"},
            f"{base}keys/": [{"isActive": True, "dsn": {"public": f"https://{KEY}@inside:9000/42"}}],
            f"{base}rules/": [{"name": "new issue"}],
            f"{base}releases/": [{"version": "app@1.4.2"}],
            f"{base}events/": self.events[::-1],
        }
        if asked.path in answers:
            return Reply(200, answers[asked.path])
        found = [event for event in self.events if asked.path == f"{base}events/{event['eventID']}/"]
        return Reply(200, found[0]) if found else Reply(404)

    def ingest(self, asked: Asked) -> Reply:
        """Take an event of the probe's own, or drop it without a word."""
        if f"sentry_key={KEY}" not in asked.headers["x-sentry-auth"]:
            return Reply(403)
        if not self.shape.get("drops"):
            sent = json.loads(asked.text.splitlines()[2])
            self.add({"eventID": sent["event_id"], "message": sent["message"]})
        return Reply(200, {"id": ""})

    def add(self, more: dict[str, Any]) -> None:
        """Store an event of the running release."""
        self.events.append(
            {
                "eventID": uuid.uuid4().hex,
                "dateCreated": datetime.now(UTC).isoformat(),
                "release": {"version": "app@1.4.2"},
                "tags": [{"key": "environment", "value": "production"}],
                **more,
            }
        )


def errors(
    tmp_path: Path,
    sentry: Sentry,
    *,
    route: str = "/boom",
    key: str = KEY,
    allow: tuple[str, ...] = ("canary",),
) -> Observation:
    """Look with the probe."""
    with serving(sentry) as base:
        (tmp_path / "dsn").write_text(base.replace("://", f"://{key}@") + "/42" if key else "")
        text = f"""
errors_read_back_s = 1
[release]
version = "1.4.2"
deployed_at = 2026-01-01T00:00:00Z
[api]
test_error_path = "{route}"
[errors]
kind = "sentry"
api_base = "{base}"
org = "shop"
project = "api"
token = {{ file = "secret" }}
dsn = {{ file = "dsn" }}
"""
        return look(tmp_path, base, "errors", text, allow=allow)


def facts_of(seen: Observation) -> ErrorsFacts:
    """Return the facts of a look that saw something."""
    assert isinstance(seen.facts, ErrorsFacts), seen.detail
    return seen.facts


def test_a_raised_error_comes_back(tmp_path: Path) -> None:
    """Slug and numeric id are one project, and the tracker's name inside may differ from outside."""
    facts = facts_of(errors(tmp_path, Sentry()))
    assert facts.project_found and facts.dsn_fits and facts.alerts
    assert facts.canaries is not None and len(facts.canaries) == 2
    for canary in facts.canaries:
        assert canary.read_back_s is not None
        assert (canary.release, canary.environment, canary.leaked) == ("app@1.4.2", "production", ())


def test_a_worker_without_sdk_is_seen(tmp_path: Path) -> None:
    """One of two errors that never arrives is one that users would not see either."""
    facts = facts_of(errors(tmp_path, Sentry(reports=1)))
    assert [canary.read_back_s is None for canary in facts.canaries or ()] == [False, True]


def test_credentials_in_events_are_named(tmp_path: Path) -> None:
    """What the request carried and the event still has is told by header, never by value."""
    seen = errors(tmp_path, Sentry(leaks=True))
    assert {name for canary in facts_of(seen).canaries or () for name in canary.leaked} == {
        "Authorization",
        "X-Api-Key",
    }
    assert "a-token-of-the-test-account" not in repr(seen)


def test_a_key_of_another_project_does_not_fit(tmp_path: Path) -> None:
    """A DSN that is not the project's is a fact; nothing is raised then."""
    facts = facts_of(errors(tmp_path, Sentry(), key="f" * 32))
    assert facts.dsn_fits is False and facts.canaries is None


def test_an_empty_dsn_is_a_fact(tmp_path: Path) -> None:
    """An application deployed without a DSN reports nothing."""
    assert facts_of(errors(tmp_path, Sentry(), key="")).dsn_empty


def test_a_token_that_may_see_little_is_enough(tmp_path: Path) -> None:
    """Keys and rules are for administrators; without them they are not judged."""
    base = "/api/0/projects/shop/api/"
    facts = facts_of(errors(tmp_path, Sentry(forbidden=(f"{base}keys/", f"{base}rules/"))))
    assert (facts.dsn_fits, facts.alerts) == (True, None)  # the DSN's 42 is the project's id


def test_without_a_route_an_event_of_ours_is_read_back(tmp_path: Path) -> None:
    """By its id; what is accepted and dropped is not read back."""
    kept, dropped = Sentry(), Sentry(drops=True)
    for sentry, arrives in ((kept, True), (dropped, False)):
        facts = facts_of(errors(tmp_path, sentry, route=""))
        (canary,) = facts.canaries or ()
        assert (canary.how, canary.status) == ("envelope", 200)
        assert (canary.read_back_s is not None) is arrives


def test_without_permission_events_of_this_release_count(tmp_path: Path) -> None:
    """Our own canaries of earlier runs prove nothing of the application."""
    sentry = Sentry()
    sentry.add({"message": "boom"})
    sentry.add({"message": "deploycheck canary"})
    facts = facts_of(errors(tmp_path, sentry, allow=()))
    assert (facts.since_deploy, facts.canaries) == (1, None)
    assert "canary" in facts.no_canary
