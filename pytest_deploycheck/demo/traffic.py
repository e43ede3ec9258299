"""Background users, so that metrics and statistics have something to say: `python -m ….traffic DIR`.

Some ten requests a second through the edge over every route, a purchase and a redemption every two seconds.
They come from a loopback address of their own and so have rate limits of their own.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import urllib3

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

_ADDRESS = "127.0.0.9"
_PAUSE_S = 0.1
_ORDERS_EVERY_S = 2.0
_SESSION_S = 60.0
_RETRY_S = 1.0
# The accounts that checks look at trade too, so that their wallets have a history and balances that move.
_BUYERS = ("traffic", "traffic", "test", "traffic", "traffic", "test_b")
_BUY, _REDEEM = 5, 3
_BURST = 40
_PUBLIC = (
    "/health",
    "/health/live",
    "/version",
    "/token",
    "/token/quote?tokens=3",
    "/chain",
    "/openapi.json",
)
_PRIVATE = ("/me", "/wallet", "/wallets/{id}", "/wallets/{id}/history", "/transactions")


def available() -> str | None:
    """Return None: this needs nothing but an app to speak to."""
    return None


def daemon(world: World) -> Daemon:
    """Return the process; it is ready when its first requests are through."""
    home = world.path("traffic")
    started = home / "started"

    def ready() -> bool:
        return started.exists() and started.read_text() == str(process.pid)

    process = Daemon(
        "traffic",
        [sys.executable, "-m", "pytest_deploycheck.demo.traffic", world.dir],
        home=home,
        ready=ready,
        log=world.path("logs", "traffic.log"),
    )
    return process


class Client:
    """One user's session at the edge; whatever goes wrong is left to the next request."""

    def __init__(self, world: World, username: str, pool: urllib3.HTTPSConnectionPool) -> None:
        self._account, self._pool = account(username), pool
        self._password = world.secret(self._account.secret)
        self._host = f"localhost:{world.port('edge')}"
        self._tokens: dict[str, Any] = {}
        self._since = self._tried = 0.0

    def get(self, path: str) -> int:
        """Read a route; {id} is the user's own wallet. Returns the status, 0 for no answer."""
        return self._ask("GET", path.format(id=self._account.id), private=path not in _PUBLIC)[0]

    def order(self, path: str, tokens: int) -> int:
        """Buy or redeem tokens."""
        return self._ask("POST", path, {"tokens": tokens}, {"Idempotency-Key": uuid.uuid4().hex})[0]

    def quote_withdrawal(self) -> int:
        """Ask what a withdrawal to the user's own wallet would cost."""
        status, wallet = self._ask("GET", "/wallet")
        if status != 200:
            return status
        body = {"address": wallet["address"], "amount_wei": "1"}
        return self._ask("POST", f"/wallets/{self._account.id}/withdrawal-quote", body)[0]

    def renew(self) -> None:
        """Have a session that is not too old: refresh it after a minute, begin another after two."""
        age = time.monotonic() - self._since
        if self._tokens and age > 2 * _SESSION_S:
            self.log_out()
        if self._tokens and age > _SESSION_S and not self._tokens.get("refreshed"):
            status, tokens = self._send("POST", "/auth/refresh", self._refresh_token())
            self._tokens = {**tokens, "refreshed": True} if status == 200 else {}
        if not self._tokens and time.monotonic() - self._tried > _RETRY_S:
            self._tried = time.monotonic()
            form = {"username": self._account.username, "password": self._password}
            status, tokens = self._send("POST", "/auth/login", form)
            if status == 200:
                self._tokens, self._since = tokens, time.monotonic()

    def log_out(self) -> None:
        """End the session."""
        self._send("POST", "/auth/logout", self._refresh_token(), self._authorization())
        self._tokens, self._tried = {}, 0.0

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        private: bool = True,
    ) -> tuple[int, Any]:
        if private:
            self.renew()
        status, answer = self._send(method, path, body, {**self._authorization(), **(headers or {})})
        if status == 401:
            self._tokens = {}
        return status, answer

    def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        sent = {"Host": self._host, "User-Agent": "deploycheck-demo-traffic", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method, path, body=None if body is None else json.dumps(body), headers=sent
            )
            return answer.status, json.loads(answer.data) if answer.data else None
        except (urllib3.exceptions.HTTPError, ValueError):
            return 0, None

    def _authorization(self) -> dict[str, str]:
        token = self._tokens.get("access_token")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _refresh_token(self) -> dict[str, Any]:
        return {"refresh_token": self._tokens.get("refresh_token", "none")}


class Traffic:
    """All users together, one request after the other."""

    def __init__(self, world: World) -> None:
        pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            world.port("edge"),
            maxsize=1,
            timeout=5.0,
            retries=False,
            ca_certs=str(certs.Files.of(world).ca),
            server_hostname="localhost",
            assert_hostname="localhost",
            source_address=(_ADDRESS, 0),
        )
        self._clients = {name: Client(world, name, pool) for name in (*_BUYERS, "admin")}
        self._user, self._admin = self._clients["traffic"], self._clients["admin"]
        self._buyers = itertools.cycle(_BUYERS)
        self._steps = itertools.cycle((*_PUBLIC, *_PRIVATE, "quote withdrawal", "administer"))

    def burst(self) -> None:
        """Use everything at once at the start: every route, every buyer, every kind of session call."""
        self._user.renew()
        self._user.log_out()
        for name in dict.fromkeys(_BUYERS):
            self.trade(name)
        for _ in range(_BURST):
            self.step()

    def run(self, ended: threading.Event) -> None:
        """Go on until `ended` is set."""
        next_orders = time.monotonic()
        while not ended.wait(_PAUSE_S if self.step() else _RETRY_S):
            if time.monotonic() >= next_orders:
                next_orders = time.monotonic() + _ORDERS_EVERY_S
                self.trade(next(self._buyers))

    def step(self) -> bool:
        """Make one request; whether anybody answered."""
        step = next(self._steps)
        if step == "quote withdrawal":
            return self._user.quote_withdrawal() > 0
        if step == "administer":
            return self._admin.get("/admin/users") > 0
        return self._user.get(step) > 0

    def trade(self, name: str) -> None:
        """Let a user buy some tokens and redeem most of them."""
        self._clients[name].order("/token/purchase", _BUY)
        self._clients[name].order("/token/redeem", _REDEEM)


def main(directory: str) -> None:
    """Run until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    world = World.load(Path(directory))
    traffic = Traffic(world)
    traffic.burst()
    world.path("traffic", "started").write_text(str(os.getpid()))
    traffic.run(ended)


if __name__ == "__main__":
    main(sys.argv[1])
