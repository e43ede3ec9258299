"""The chain's process: `python -m pytest_deploycheck.demo.evm.server --port N`, JSON-RPC over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvicorn

from pytest_deploycheck.demo.evm.ledger import Ledger, Replica
from pytest_deploycheck.demo.evm.machine import Override, Refused
from pytest_deploycheck.demo.evm.methods import Methods, RpcError

_MAX_BODY = 5_000_000
_PARSE_ERROR, _INVALID_REQUEST, _UNKNOWN_METHOD = -32700, -32600, -32601

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Node:
    """An ASGI application around one ledger, with a clock that mines."""

    def __init__(self, ledger: Ledger, interval_s: float) -> None:
        self._ledger = ledger
        self._interval_s = interval_s
        self._changed = asyncio.Event()
        self._methods = Methods(ledger, self._set_interval)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _reply(send, 405, b"", [(b"allow", b"POST")])
            return
        body = b""
        while len(body) <= _MAX_BODY:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if len(body) > _MAX_BODY:
            await _reply(send, 413, b"")
            return
        answer = self.answer(body)
        await _reply(send, 200, b"" if answer is None else json.dumps(answer).encode())

    def answer(self, body: bytes) -> Any:
        """Answer a JSON-RPC body, single or batch; None when it held only notifications."""
        try:
            request = json.loads(body)
        except ValueError:
            return _error(None, _PARSE_ERROR, "parse error")
        if not isinstance(request, list):
            return self._one(request)
        if not request:
            return _error(None, _INVALID_REQUEST, "empty batch")
        return [answer for one in request if (answer := self._one(one)) is not None] or None

    def _one(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _error(None, _INVALID_REQUEST, "invalid request")
        number, method, params = request.get("id"), request["method"], request.get("params") or []
        if not isinstance(params, list):
            return _error(number, _INVALID_REQUEST, "params must be a list")
        try:
            answer = {"jsonrpc": "2.0", "id": number, "result": self._methods.call(method, params)}
        except LookupError:
            answer = _error(number, _UNKNOWN_METHOD, f"the method {method[:60]} does not exist")
        except RpcError as error:
            answer = _error(number, error.code, str(error), error.data)
        return answer if "id" in request else None

    def _set_interval(self, seconds: float) -> None:
        self._interval_s = seconds
        self._changed.set()

    async def keep_mining(self) -> None:
        """Mine one block an interval, for ever; an interval of zero stands still until it is changed."""
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._interval_s or None)
                continue
            with contextlib.suppress(Refused):
                self._ledger.mine()


async def _reply(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fixed + (headers or [])})
    await send({"type": "http.response.body", "body": body})


def _error(number: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": number, "error": error}


class Nodes:
    """Several nodes in one process, told apart by the port that they are asked at."""

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        self._nodes = dict(nodes)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] == "http":
            await self._nodes[scope["server"][1]](scope, receive, send)


async def serve(
    port: int,
    chain_id: int,
    funds: dict[str, int],
    interval_s: float,
    *,
    replica: int = 0,
    testnet: tuple[int, int] | None = None,
) -> None:
    """Serve a new chain on a loopback port until a signal ends it.

    replica: port of a second node of the same chain.  testnet: port and id of a second chain.
    """
    accounts = {bytes.fromhex(a.removeprefix("0x")): Override(balance=wei) for a, wei in funds.items()}
    ledger = Ledger(chain_id, accounts)
    nodes = {port: Node(ledger, interval_s)}
    if replica:
        nodes[replica] = Node(Replica(ledger, accounts), 0)
    if testnet:
        nodes[testnet[0]] = Node(Ledger(testnet[1], accounts), interval_s)
    config = uvicorn.Config(
        Nodes(nodes),
        lifespan="off",
        http="h11",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    clocks = [asyncio.create_task(node.keep_mining()) for node in nodes.values()]
    await uvicorn.Server(config).serve(sockets=[_listening(one) for one in nodes])
    for clock in clocks:
        clock.cancel()


def _listening(port: int) -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle's algorithm on, at 44 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def main(argv: list[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="deploycheck-demo-chain", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chain-id", type=int, default=31337)
    parser.add_argument(
        "--block-time", type=float, default=1.0, help="seconds between blocks; 0 stands still"
    )
    parser.add_argument("--fund", action="append", default=[], metavar="ADDRESS=WEI")
    parser.add_argument("--replica", type=int, default=0, metavar="PORT", help="a second node of the chain")
    parser.add_argument("--testnet", default="", metavar="PORT:CHAIN_ID", help="a second chain")
    options = parser.parse_args(argv)
    funds = {address: int(wei) for address, wei in (one.split("=") for one in options.fund)}
    port, _, chain = options.testnet.partition(":")
    testnet = (int(port), int(chain)) if port else None
    asyncio.run(
        serve(
            options.port,
            options.chain_id,
            funds,
            options.block_time,
            replica=options.replica,
            testnet=testnet,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
