"""The users of our load test: each asks the endpoints in turn, steadily, with the test account's token.

A file for Locust, in its own processes; it can be run by hand with the environment that `runner` gives it:
DEPLOYCHECK_LOAD (JSON: host, endpoints, rps, users, ca_file, login_path, username_field, token_names) and,
where the endpoints need one, an account in DEPLOYCHECK_LOAD_USERNAME and DEPLOYCHECK_LOAD_PASSWORD.
"""

from __future__ import annotations

import base64
import json
import os
import time
from itertools import count
from typing import Any

import requests
from gevent.lock import Semaphore
from locust import HttpUser, constant_throughput, events, task
from locust.exception import StopUser
from locust.runners import MasterRunner

PLAN = json.loads(os.environ["DEPLOYCHECK_LOAD"])
VERIFY = PLAN["ca_file"] or True
RENEW_BEFORE_S = 30.0


class Login:
    """The token that all users of this process share; it is renewed before it expires."""

    def __init__(self) -> None:
        self._lock = Semaphore()
        self._token = ""
        self._until = 0.0

    def header(self, host: str) -> dict[str, str]:
        """Return the Authorization header, or none where no account was given."""
        if "DEPLOYCHECK_LOAD_USERNAME" not in os.environ:
            return {}
        with self._lock:
            if time.time() >= self._until:
                self._token = self._log_in(host)
                left = _expiry(self._token) - time.time()
                self._until = time.time() + max(left - min(RENEW_BEFORE_S, left / 4), 1.0)
        return {"Authorization": f"Bearer {self._token}"}

    def _log_in(self, host: str) -> str:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                host + PLAN["login_path"],
                json={
                    PLAN["username_field"]: os.environ["DEPLOYCHECK_LOAD_USERNAME"],
                    "password": os.environ["DEPLOYCHECK_LOAD_PASSWORD"],
                },
                verify=VERIFY,
                timeout=10,
                allow_redirects=False,
            )
        found = _find(answer.json(), PLAN["token_names"]) if answer.ok else None
        found = found or next((c.value for c in answer.cookies if c.name in PLAN["token_names"]), None)
        if not answer.ok or not found:
            raise RuntimeError(f"the login answers {answer.status_code} and gives no token")
        return found


def _find(body: Any, names: list[str], depth: int = 2) -> str | None:
    if not isinstance(body, dict):
        return None
    for name in names:
        if isinstance(body.get(name), str) and body[name]:
            return str(body[name])
    nested = (_find(value, names, depth - 1) for value in body.values()) if depth > 1 else iter(())
    return next((token for token in nested if token), None)


def _expiry(token: str) -> float:
    """Return a JWT's own expiry as Unix time; of another token nothing is known, so it is kept."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return time.time() + 86400 * 365


LOGIN = Login()
TURN = count()
PROBLEMS: list[str] = []


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no types for it
def log_in(environment: Any, **_: Any) -> None:
    """Log in once in each process that has users, before the time of the test begins to run."""
    if isinstance(environment.runner, MasterRunner):
        return
    try:
        LOGIN.header(PLAN["host"])
    except (RuntimeError, ValueError, requests.RequestException) as error:
        PROBLEMS.append(
            str(error) if isinstance(error, RuntimeError) else f"no login: {type(error).__name__}"
        )


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # nor for this
def refuse(environment: Any, **_: Any) -> None:
    """End a test that nobody could log in for before it begins."""
    if PROBLEMS:
        environment.events.deploycheck_stop.fire(why=PROBLEMS[0])


class Reader(HttpUser):
    """A user who reads: one request after the other, as many a second as the plan gives each of them."""

    wait_time = constant_throughput(PLAN["rps"] / PLAN["users"])

    def on_start(self) -> None:
        """Trust what the target file trusts, and nothing that this machine's environment says."""
        if PROBLEMS:
            raise StopUser
        self.client.trust_env = False
        self.client.verify = VERIFY

    @task
    def read(self) -> None:
        """Ask the next endpoint; only a status of the 200s counts as an answer."""
        path = PLAN["endpoints"][next(TURN) % len(PLAN["endpoints"])]
        headers = LOGIN.header(PLAN["host"])
        with self.client.get(
            path, name=path, headers=headers, allow_redirects=False, timeout=30, catch_response=True
        ) as answer:
            if not 200 <= answer.status_code < 300:
                answer.failure(f"status {answer.status_code}")
