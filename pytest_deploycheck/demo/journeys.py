"""A small runner of synthetic journeys: a user logs in, looks at the wallet and asks for a price, all the time.

It comes through the edge as any user would, from a loopback address of its own, and looks at what the answers
say: an error that is answered with status 200 is a failure. A journey that fails is made once more at once, and
only then counts as failed. DIR/journeys/switches.json: `every_s`, `stopped` (make no journeys), `down`.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches
from pytest_deploycheck.demo.world import World

NAMES = ("login", "wallet", "quote")
EVERY_S = 5.0
_ADDRESS = "127.0.0.10"
_USER = "test"
_TOKENS = 3
_POLL_S = 0.1


class Journeys:
    """Makes the journeys in a thread of its own and tells how each ended last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world.path("journeys", "switches.json"))
        self._ended: dict[str, bool] = {}
        self._ran: dict[str, float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="journeys", daemon=True).start()

    def __call__(self, request: Request) -> Response:
        """Serve /metrics."""
        if request.path != "/metrics":
            return Response("404 page not found\n", 404)
        with self._lock:
            ended, ran = dict(self._ended), dict(self._ran)
        lines = [
            "# HELP journey_success Whether the last synthetic journey of that name arrived.",
            "# TYPE journey_success gauge",
            *(f'journey_success{{journey="{name}"}} {int(well)}' for name, well in ended.items()),
            "# HELP journey_last_run_timestamp_seconds When it was made.",
            "# TYPE journey_last_run_timestamp_seconds gauge",
            *(f'journey_last_run_timestamp_seconds{{journey="{name}"}} {at:.3f}' for name, at in ran.items()),
        ]
        return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")

    def _run(self) -> None:
        while not self._open():
            time.sleep(_POLL_S * 3)
        while True:
            if not self._switches.get("stopped"):
                self._round()
            began = time.monotonic()
            while time.monotonic() - began < float(self._switches.get("every_s", EVERY_S)):
                time.sleep(_POLL_S)

    def _open(self) -> bool:
        """Whether the product is up for the first time: before that there is nothing to journey through."""
        try:
            return self._ask("GET", "/health")[0] == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _round(self) -> None:
        token = ""

        def login() -> bool:
            nonlocal token
            form = {"username": _USER, "password": self._world.secret(account(_USER).secret)}
            status, body = self._ask("POST", "/auth/login", form)
            token = str(body.get("access_token", ""))
            return status == 200 and token.count(".") == 2

        def wallet() -> bool:
            status, body = self._ask("GET", "/wallet", token=token)
            return status == 200 and str(body.get("address", "")).startswith("0x")

        def quote() -> bool:
            status, body = self._ask("GET", f"/token/quote?tokens={_TOKENS}")
            cost, price = int(body.get("cost_wei", 0)), int(body.get("price_wei", 0))
            return status == 200 and price > 0 and cost == _TOKENS * price

        for name, journey in zip(NAMES, (login, wallet, quote), strict=True):
            well = _well(journey) or _well(journey)
            with self._lock:
                self._ended[name], self._ran[name] = well, time.time()

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
    ) -> tuple[int, Mapping[str, Any]]:
        context = ssl.create_default_context(cafile=str(certs.Files.of(self._world).ca))
        connection = http.client.HTTPSConnection(
            "localhost", self._world.port("edge"), timeout=5, context=context, source_address=(_ADDRESS, 0)
        )
        headers = {"User-Agent": "journeys/1", "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        return answer.status, found if isinstance(found, dict) else {}


def _well(journey: Callable[[], bool]) -> bool:
    try:
        return journey()
    except (OSError, ValueError, http.client.HTTPException):
        return False


def listener(world: World) -> Listener:
    """Return the runner's metrics on its port; it stands in for nothing."""
    return Listener(world.port("journeys"), Journeys(world))
