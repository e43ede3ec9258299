"""Faults of rollback triggers: users are in trouble, or nobody would see it."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.demo import bugsink, standins
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.functional import answered
from tests.faults.harness import fault
from tests.faults.monitoring import until
from tests.faults.tools import edited
from tests.faults.triggers import BUGS, NEEDS, issue


def api(demo: Deployment, method: str, path: str) -> Any:
    """Ask the error tracker."""
    request = urllib.request.Request(
        f"{demo.world.url('bugsink')}{path}",
        headers={"Authorization": f"Bearer {bugsink.token(demo.world)}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
    return json.loads(body) if body else None


@contextmanager
def reported(demo: Deployment, count: int, user: Callable[[int], dict[str, str] | None]) -> Iterator[None]:
    """Report one error so often, each time of a user; afterwards the issue is deleted."""
    kind = f"Fault{uuid.uuid4().hex[:8]}"
    dsn = bugsink.dsn(demo.world)
    key, _, place = dsn.partition("//")[2].partition("@")
    for number in range(count):
        event = {
            "event_id": uuid.uuid4().hex,
            "timestamp": datetime.now(UTC).isoformat(),
            "platform": "python",
            "level": "error",
            "release": demo.world.release.version,
            "exception": {"values": [{"type": kind, "value": "the basket is gone"}]},
            **({"user": found} if (found := user(number)) else {}),
        }
        lines = (
            json.dumps({"event_id": event["event_id"]}),
            json.dumps({"type": "event"}),
            json.dumps(event),
        )
        request = urllib.request.Request(
            f"http://{place.partition('/')[0]}/api/{bugsink.PROJECT_ID}/envelope/",
            "\n".join(lines).encode(),
            {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=fault/1, sentry_key={key}"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def found_issue() -> dict[str, Any] | None:
        rows = api(
            demo, "GET", f"/api/canonical/0/issues/?project={bugsink.PROJECT_ID}&sort=last_seen&order=desc"
        )
        return next((row for row in rows["results"] if row["calculated_type"] == kind), None)

    until(lambda: (found_issue() or {}).get("digested_event_count") == count)
    try:
        yield
    finally:
        found_row = found_issue()
        if found_row is not None:
            api(demo, "DELETE", f"/api/canonical/0/issues/{found_row['id']}/")


TRACKED = (*NEEDS, "bugsink")


@fault(BUGS, "an issue hits many users", probes=("user_issues",), needs=TRACKED, limits={"bug_users_max": 10})
@contextmanager
def many_users(demo: Deployment) -> Iterator[None]:
    """Report an error of a dozen users."""
    with reported(demo, 12, lambda number: {"id": str(number)}):
        yield


@fault(
    BUGS, "an issue hits nobody knows whom", probes=("user_issues",), needs=TRACKED, becomes=Verdict.UNPROVEN
)
@contextmanager
def unknown_users(demo: Deployment) -> Iterator[None]:
    """Report an error a dozen times without a user."""
    with reported(demo, 12, lambda number: None):
        yield


@fault(BUGS, "nobody is told of new issues", probes=("user_issues",), needs=TRACKED)
@contextmanager
def untold(demo: Deployment) -> Iterator[None]:
    """Turn the project's alert on new issues off."""
    with tools.nobody_told(demo):
        yield


fault(BUGS, "a bug of the highest priority is open", probes=("user_issues",), needs=TRACKED)(
    issue("Purchases are paid twice", "P0", "backend")
)


def journey(demo: Deployment, name: str) -> float | None:
    """Return how a journey ended, as Prometheus has it."""
    url = f"{demo.world.url('prometheus')}/api/v1/query?query=journey_success%7Bjourney%3D%22{name}%22%7D"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


@fault(BUGS, "a journey fails behind status 200", probes=("journeys",), needs=NEEDS)
@contextmanager
def journey_fails(demo: Deployment) -> Iterator[None]:
    """Answer the quote with an error that is called a success."""
    standins.switch(demo.world, "journeys", every_s=0.2)
    try:
        with answered(demo, "/token/quote", 200, {"error": "the price is not known"}):
            until(lambda: journey(demo, "quote") == 0)
            yield
        until(lambda: journey(demo, "quote") == 1)
    finally:
        standins.switch(demo.world, "journeys", every_s=None)


@fault(
    BUGS, "nobody journeys any more", probes=("journeys",), needs=NEEDS, limits={"journey_interval_max_s": 3}
)
@contextmanager
def journeys_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the runner; its last results stay, and are well."""
    standins.switch(demo.world, "journeys", every_s=0.2, stopped=True)
    try:
        time.sleep(3.5)
        yield
    finally:
        standins.switch(demo.world, "journeys", every_s=None, stopped=None)


@fault(BUGS, "a journey that nobody makes", probes=("journeys",), needs=NEEDS)
@contextmanager
def journey_missing(demo: Deployment) -> Iterator[None]:
    """Require a journey that the runner does not know."""
    with edited(demo.target, ("[triggers]\n", '[triggers]\njourneys = ["login", "redeem"]\n')):
        yield
