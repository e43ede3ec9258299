"""Stand-in for whom Alertmanager notifies: a pager, a ticket queue and an outside dead man's switch.

Notifications are appended to DIR/webhook/received.jsonl. DIR/webhook/switches.json: `status` (answer this to
every notification, e.g. 500), `down` (close the port), `grace_s` (how long the dead man's switch waits).
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches, method_not_allowed
from pytest_deploycheck.demo.world import World

LABEL = "pager"
CHANNELS = ("page", "ticket", "canary", "deadman")
GRACE_S = 300.0


class Pager:
    """Receives webhooks of Alertmanager's version 4 and tells what has come in."""

    def __init__(self, world: World) -> None:
        self._file = world.path("webhook", "received.jsonl")
        self._switches = Switches(world.path("webhook", "switches.json"))
        self._lock = threading.Lock()
        self._key = world.secret("pager_key")
        self._last_ping: float | None = None

    def __call__(self, request: Request) -> Response:
        """Take a POST to /hook/CHANNEL; list what came in at /received, users at /users, the dead man's switch at /deadman."""
        if request.path == "/ready":
            return Response("ready stand-in\n")
        if request.path == "/deadman":
            return Response(self._deadman())
        if request.path == "/received":
            lines = self._file.read_text().splitlines() if self._file.exists() else []
            return Response([json.loads(line) for line in lines[-1000:]])
        if request.path == "/users":
            return self._users(request)
        channel = request.path.removeprefix("/hook/")
        if channel not in CHANNELS or channel == request.path:
            return Response(f"no channel at {request.path}; there are {', '.join(CHANNELS)}\n", 404)
        if request.method != "POST":
            return method_not_allowed("POST")
        return self._receive(channel, json.loads(request.body))

    def _receive(self, channel: str, notification: Any) -> Response:
        status = int(self._switches.get("status", 200))
        if status >= 300:
            return Response("refused by switch\n", status)
        if channel == "deadman":
            self._last_ping = time.time()
        record = {
            "received_at": datetime.now(UTC).isoformat(),
            "channel": channel,
            "notification": notification,
        }
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(record) + "\n")
        return Response({"status": "success"})

    def _users(self, request: Request) -> Response:
        """Answer as PagerDuty's REST API does to a key that it knows, and to one that it does not."""
        if request.headers.get("Authorization", "") != f"Token token={self._key}":
            return Response({"error": {"message": "Authentication failed", "code": 2006}}, 401)
        return Response({"users": [], "limit": 1, "offset": 0, "total": None, "more": False})

    def _deadman(self) -> dict[str, Any]:
        grace = float(self._switches.get("grace_s", GRACE_S))
        last = self._last_ping
        state = "new" if last is None else "up" if time.time() - last <= grace else "down"
        at = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds") if last is not None else None
        return {"name": "alerting pipeline", "status": state, "last_ping": at, "grace": grace}


def listener(world: World) -> Listener:
    """Return the pager on its port."""
    return Listener(world.port("webhook"), Pager(world), LABEL)
