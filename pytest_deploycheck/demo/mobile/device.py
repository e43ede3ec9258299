"""What somebody with the app in her hand does: logs in, looks, buys, redeems; and the report of it.

The requests are real ones, to the edge under its public name; there is no telephone.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import urllib3

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.world import DOMAINS, World

FLOWS = ("login", "wallet", "purchase", "redeem")
_ADDRESS = "127.0.0.10"
_TRIES = 5


@dataclass(frozen=True)
class Step:
    """A flow that was tried: how long it took, and why it failed, empty where it did not."""

    flow: str
    seconds: float
    failure: str


def user_agent(world: World) -> str:
    """Return what the app calls itself."""
    return f"TokenApp/{world.release.version} (Android 15)"


def report(world: World) -> Path:
    """Return the JUnit file."""
    return world.path("mobile", "e2e.xml")


@dataclass(frozen=True)
class Tried:
    """What came of the newest tests: when they began and ended, and for each flow whether it passed."""

    began: str
    ended: str
    flows: dict[str, str]


def newest(world: World) -> Tried:
    """Return what came of the newest tests."""
    return Tried(**json.loads(world.path("mobile", "e2e.json").read_text()))


def run(world: World) -> list[Step]:
    """Try every flow through the edge, write the report and return what came of it."""
    phone = _Phone(world)
    began = datetime.now(UTC)
    steps = [_try(name, getattr(phone, name)) for name in FLOWS]
    ended = datetime.now(UTC)
    flows = {step.flow: "failed" if step.failure else "passed" for step in steps}
    tried = {"began": began.isoformat(), "ended": ended.isoformat(), "flows": flows}
    world.path("mobile", "e2e.json").write_text(json.dumps(tried))
    cases = []
    for step in steps:
        inner = f"<failure message={quoteattr(step.failure)}/>" if step.failure else ""
        cases.append(
            f'    <testcase classname="TokenApp" name="{step.flow}" time="{step.seconds:.3f}">{inner}</testcase>'
        )
    failed = sum(bool(step.failure) for step in steps)
    report(world).write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'  <testsuite name="TokenApp" tests="{len(steps)}" failures="{failed}" errors="0" skipped="0" '
        f'timestamp="{began.isoformat(timespec="seconds")}">\n'
        + "\n".join(cases)
        + "\n  </testsuite>\n</testsuites>\n"
    )
    return steps


def _try(flow: str, action: Callable[[], int]) -> Step:
    """Do a step, again where the service has not warmed up yet."""
    begin = time.monotonic()
    failure = ""
    for _ in range(_TRIES):
        try:
            status = action()
            failure = "" if 200 <= status < 300 else f"answered {status}"
        except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
            failure = type(error).__name__
        if not failure:
            break
        time.sleep(0.3)
    return Step(flow, time.monotonic() - begin, failure)


class _Phone:
    """The app's conversation with the service."""

    def __init__(self, world: World) -> None:
        self._account = account("traffic")
        self._password = world.secret(self._account.secret)
        self._token = ""
        self._agent = user_agent(world)
        self._host = f"{DOMAINS[0]}:{world.port('edge')}"
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            world.port("edge"),
            timeout=15.0,
            retries=False,
            ca_certs=str(certs.Files.of(world).ca),
            server_hostname=DOMAINS[0],
            assert_hostname=DOMAINS[0],
            source_address=(_ADDRESS, 0),
        )

    def login(self) -> int:
        status, body = self._ask(
            "POST", "/auth/login", {"username": self._account.username, "password": self._password}
        )
        self._token = str(body["access_token"]) if status == 200 else ""
        return status

    def wallet(self) -> int:
        return self._ask("GET", "/wallet")[0]

    def purchase(self) -> int:
        return self._ask("POST", "/token/purchase", {"tokens": 5})[0]

    def redeem(self) -> int:
        return self._ask("POST", "/token/redeem", {"tokens": 3})[0]

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Host": self._host, "User-Agent": self._agent}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        answer = self._pool.request(
            method, path, body=None if body is None else json.dumps(body), headers=headers
        )
        return answer.status, json.loads(answer.data) if answer.data else None
