"""The first node as a hosted provider serves it: with a key in the path, and answers that may be altered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo.ether.rpc import RpcRefused
from tests.chain.pair import Pair
from tests.probes.service import Asked, Reply, serving

KEY = "0123456789abcdef0123456789abcdef"
Change = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None]


@contextmanager
def provider(pair: Pair, change: Change = lambda call, answer: answer) -> Iterator[str]:
    """Serve the first node as a hosted provider does, with a key in the path; `change` alters its answers."""

    def one(call: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = {
                "jsonrpc": "2.0",
                "id": call["id"],
                "result": pair.one.call(call["method"], *call["params"]),
            }
        except RpcRefused as error:
            answer = {
                "jsonrpc": "2.0",
                "id": call["id"],
                "error": {"code": error.code, "message": error.reason},
            }
        return change(call, answer) or answer

    def forward(asked: Asked) -> Reply:
        if asked.path != f"/v3/{KEY}":
            return Reply(401, "invalid project id")
        calls = asked.json if isinstance(asked.json, list) else [asked.json]
        answers = [one(call) for call in calls]
        return Reply(body=answers if isinstance(asked.json, list) else answers[0])

    with serving(forward) as base:
        yield f"{base}/v3/{KEY}"
