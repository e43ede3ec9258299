"""The demo's rollback, as far as the app is concerned: which release its instances run, its workers, its alerts."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.world import World

_READY_S = 60.0
_SILENCE = timedelta(minutes=30)


def restart(world: World, version: str, commit: str) -> None:
    """Let each instance in turn start anew with another release; RuntimeError when it does not come back."""
    service.set_env(world, RELEASE_VERSION=version, RELEASE_COMMIT=commit)
    for name in service.INSTANCES:
        if _told(world, name) == commit:
            continue
        os.kill(int(world.path("app", f"{name}.pid").read_text()), signal.SIGHUP)
        deadline = time.monotonic() + _READY_S
        while _told(world, name) != commit:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not run {version} after {_READY_S:g} s")
            time.sleep(0.05)


def workers(world: World, *, paused: bool) -> None:
    """Pause the indexer, or let it go on; instances read that at their next request."""
    service.switch(world, indexer_paused=True if paused else None)
    for name in service.INSTANCES:
        _told(world, name)


def silence(world: World, drill: str) -> None:
    """Keep alerts quiet for half an hour in the name of a drill; without a name, end that."""
    place = world.path("rollback", "silence")
    url = world.url("alertmanager")
    if not drill:
        if place.exists():
            _ask("DELETE", f"{url}/api/v2/silence/{place.read_text()}")
            place.unlink()
        return
    if place.exists():
        return
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + _SILENCE).isoformat(),
        "createdBy": "drill",
        "comment": f"maintenance of {drill}",
    }
    found = _ask("POST", f"{url}/api/v2/silences", body)
    if found is not None:
        place.write_text(str(found["silenceID"]))


def canary(world: World) -> dict[str, Any]:
    """Buy one token twice under one key, as the canary account and by the public door."""
    who = account("canary")
    pool = urllib3.PoolManager(ca_certs=str(certs.Files.of(world).ca), timeout=10.0, retries=False)
    base = world.url("edge")

    def post(path: str, body: Any, **headers: str) -> tuple[int, Any]:
        answer = pool.request(
            "POST",
            base + path,
            body=json.dumps(body),
            headers={"Content-Type": "application/json", **headers},
        )
        return answer.status, json.loads(answer.data)

    status, session = post("/auth/login", {"username": who.username, "password": world.secret(who.secret)})
    if status != 200:
        raise RuntimeError(f"the canary's login answers {status}")
    headers = {"Authorization": f"Bearer {session['access_token']}", "Idempotency-Key": uuid.uuid4().hex}
    (first, order), (second, again) = (post("/token/purchase", {"tokens": 1}, **headers) for _ in range(2))
    if first >= 300 or second >= 300:
        raise RuntimeError(f"the canary's purchases answer {first} and {second}: {order}")
    return {"first": first, "second": second, "same": order["id"] == again["id"], "id": str(order["id"])}


def _told(world: World, name: str) -> str:
    try:
        found = _ask("GET", f"http://127.0.0.1:{world.port(name)}/version")
    except OSError:
        return ""
    return str(found["commit"]) if found else ""


def _ask(method: str, url: str, body: Any = None) -> Any:
    """Return the JSON of an answer; None where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own servers
            content = answer.read()
    except (urllib.error.URLError, OSError):
        return None
    return json.loads(content) if content.strip() else {}
