"""A client of the token service for its tests: it speaks to one instance, or to the edge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.app.accounts import account
from pytest_deploycheck.demo.world import World
from tests.demo.web import fetch

_addresses = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


class Api:
    """Asks one instance from a client address of its own, so that no test meets another one's rate limit."""

    def __init__(self, world: World, instance: str = "app1") -> None:
        self.world = world
        self.base = world.url(instance)
        self.address = f"198.51.100.{next(_addresses) % 250 + 1}"

    def ask(
        self, path: str, body: Any = None, token: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Make one request: GET, or POST when there is a body."""
        sent = {"X-Real-IP": self.address, **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return Answer(*fetch(self.base + path, body, sent))

    def password(self, username: str) -> str:
        """Return a seeded account's password."""
        return self.world.secret(account(username).secret)

    def session(self, username: str = "test") -> dict[str, Any]:
        """Log in and return the tokens."""
        answer = self.ask("/auth/login", {"username": username, "password": self.password(username)})
        assert answer.status == 200, answer.text
        tokens: dict[str, Any] = answer.json
        return tokens

    def token(self, username: str = "test") -> str:
        """Log in and return the access token."""
        return str(self.session(username)["access_token"])

    def order(self, path: str, tokens: int, token: str, key: str | None = None) -> Answer:
        """Buy or redeem tokens."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.ask(path, {"tokens": tokens}, token, headers)

    @contextmanager
    def switched(self, **values: Any) -> Iterator[None]:
        """Have bug switches on for a while."""
        service.switch(self.world, **values)
        try:
            yield
        finally:
            service.switch(self.world, **dict.fromkeys(values))


def burst(clients: Sequence[Api], path: str = "/token/quote", **headers: str) -> list[int]:
    """Ask with each client, some at a time so that a busy machine keeps within the window; the statuses."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda api: api.ask(path, headers=headers).status, clients))


def forge(token: str, key: bytes | None, alg: str = "HS256", header: Any = None, **claims: Any) -> str:
    """Change a token's claims and sign it by HMAC-SHA256 with a key, or leave its signature empty."""
    old = json.loads(_unpad(token.split(".")[1]))
    parts = [{"alg": alg, "typ": "JWT", **(header or {})}, {**old, **claims}]
    signed = ".".join(_pad(json.dumps(part).encode()) for part in parts)
    signature = b"" if key is None else hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_pad(signature)}"


def expired(token: str, key: bytes) -> str:
    """Return a token that was good until an hour ago."""
    now = int(time.time())
    return forge(token, key, iat=now - 7200, exp=now - 3600)


def _pad(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpad(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
