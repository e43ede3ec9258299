"""The error tracker: a real one, to which an event is sent and from which it is read back."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_deploycheck.demo import bugsink
from pytest_deploycheck.demo.deployment import Deployment
from tests.demo.web import eventually, fetch, get_json

needs_bugsink = pytest.mark.skipif(bool(bugsink.available()), reason=str(bugsink.available()))


def send(deployment: Deployment, event: dict[str, Any], key: str | None = None) -> int:
    """Send an event as an envelope to the deployment's project, and return the status."""
    key = key or str(urlsplit(bugsink.dsn(deployment.world)).username)
    lines = ({"event_id": event["event_id"]}, {"type": "event"}, event)
    auth = f"Sentry sentry_version=7, sentry_client=test/1, sentry_key={key}"
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth}
    address = f"{deployment.world.url('bugsink')}/api/{bugsink.PROJECT_ID}/envelope/"
    return fetch(address, "\n".join(map(json.dumps, lines)), headers)[0]


def event() -> dict[str, Any]:
    """Return an event with a type of its own, so that it makes an issue of its own."""
    nonce = uuid.uuid4().hex
    return {
        "event_id": nonce,
        "timestamp": datetime.now(UTC).isoformat(),
        "platform": "python",
        "level": "info",
        "release": "1.4.2",
        "environment": "production",
        "exception": {"values": [{"type": f"Test{nonce}", "value": "raised by a test"}]},
    }


def read(deployment: Deployment, path: str, **query: str) -> list[dict[str, Any]]:
    """Return the results of a list of the tracker's API."""
    headers = {"Authorization": f"Bearer {bugsink.token(deployment.world)}"}
    address = f"{deployment.world.url('bugsink')}/api/canonical/0/{path}/"
    results: list[dict[str, Any]] = get_json(address, headers, **query)["results"]
    return results


@needs_bugsink
def test_an_event_is_read_back(monitored: Deployment) -> None:
    """An event sent with the DSN is found by the API's token, in an issue of the project."""
    sent = event()
    assert send(monitored, sent) == 200

    def issue() -> dict[str, Any] | None:
        issues = read(monitored, "issues", project=str(bugsink.PROJECT_ID))
        return next((one for one in issues if one["calculated_type"] == f"Test{sent['event_id']}"), None)

    found = eventually(issue)
    assert found is not None
    [stored] = read(monitored, "events", issue=found["id"])
    assert uuid.UUID(stored["event_id"]).hex == sent["event_id"]


@needs_bugsink
def test_a_wrong_key_is_refused(monitored: Deployment) -> None:
    """A key that is none of the project's does not get an event in; a wrong token gets nothing out."""
    assert send(monitored, event(), key="0" * 32) == 403
    address = f"{monitored.world.url('bugsink')}/api/canonical/0/projects/"
    assert fetch(address, headers={"Authorization": f"Bearer {'0' * 40}"})[0] == 401


@needs_bugsink
def test_the_project_and_the_release_are_registered(monitored: Deployment) -> None:
    """The tracker knows the project by the DSN that the application has, and this release."""
    [project] = read(monitored, "projects")
    assert project["dsn"] == bugsink.dsn(monitored.world)
    assert project["alert_on_new_issue"] is True
    releases = read(monitored, "releases", project=str(project["id"]))
    assert monitored.world.release.version in {one["version"] for one in releases}


@needs_bugsink
def test_two_deployments_share_no_secret(monitored: Deployment, tmp_path: Path) -> None:
    """Keys and tokens are made for each deployment, though their databases come from one template."""
    with Deployment.only(tmp_path, "bugsink") as other:
        mine = {bugsink.dsn(monitored.world), bugsink.token(monitored.world)}
        assert mine.isdisjoint({bugsink.dsn(other.world), bugsink.token(other.world)})
        address = f"{other.world.url('bugsink')}/api/canonical/0/projects/"
        refused = fetch(address, headers={"Authorization": f"Bearer {bugsink.token(monitored.world)}"})
        assert refused[0] == 401
        assert read(other, "issues", project=str(bugsink.PROJECT_ID)) == []


def test_its_absence_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an installation the reason names the folder and the two commands that mend it."""
    monkeypatch.setenv(bugsink.ENV, str(tmp_path))
    reason = bugsink.available()
    assert reason is not None
    assert str(tmp_path) in reason
    assert "pip install bugsink" in reason
