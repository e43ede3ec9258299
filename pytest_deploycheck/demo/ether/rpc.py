"""A JSON-RPC client: pooled, with a deadline on every call, safe to share between threads."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import urllib3
from urllib3.util import Timeout, parse_url

_numbers = itertools.count(1)


class RpcUnavailable(ConnectionError):
    """No answer, or none that is JSON-RPC; the address is named without its path, which may hold a key."""


class RpcRefused(RuntimeError):
    """The node answered with an error: its code, its message and its data."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method, self.code, self.reason, self.data = method, code, message, data


class Rpc:
    """Speaks to the node at an address, or at the address that a function names at each call."""

    def __init__(
        self,
        url: str | Callable[[], str],
        timeout_s: float = 1.0,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url if callable(url) else lambda: url
        self._pool = urllib3.PoolManager(
            maxsize=8, timeout=Timeout(connect=timeout_s, read=timeout_s), retries=False
        )
        self._on_error = on_error

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call; RpcUnavailable or RpcRefused otherwise."""
        return self.batch([(method, *params)])[0]

    def batch(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Return the results of several calls made in one request, in the order of the calls."""
        bodies = [
            {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": list(params)}
            for method, *params in calls
        ]
        try:
            answers = self._post(bodies[0] if len(bodies) == 1 else bodies)
        except RpcUnavailable:
            self._on_error()
            raise
        by_id = {one.get("id"): one for one in (answers if isinstance(answers, list) else [answers])}
        return [self._result(body["method"], by_id.get(body["id"])) for body in bodies]

    def _post(self, body: Any) -> Any:
        url = self._url()
        try:
            answer = self._pool.request(
                "POST", url, body=json.dumps(body), headers={"Content-Type": "application/json"}
            )
            if answer.status != 200:
                raise RpcUnavailable(f"the node at {_place(url)} answered with status {answer.status}")
            return json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise RpcUnavailable(
                f"the node at {_place(url)} gave no answer: {type(error).__name__}"
            ) from None

    def _result(self, method: str, answer: Any) -> Any:
        if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
            self._on_error()
            raise RpcUnavailable(f"the node left {method} unanswered")
        if "error" in answer:
            error = answer["error"]
            raise RpcRefused(method, error.get("code", 0), error.get("message", ""), error.get("data"))
        return answer["result"]


def _place(url: str) -> str:
    parsed = parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2] if parsed.netloc else ''}"
