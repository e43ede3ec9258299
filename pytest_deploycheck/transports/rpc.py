"""Ethereum JSON-RPC: reads only, by an allow-list of methods."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.http import Http

READS = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_syncing",
        "net_version",
        "web3_clientVersion",
    }
)


_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
BATCH = 50
"""Calls in one request; hosted nodes refuse many more."""


class RpcError(Exception):
    """The node answered with a JSON-RPC error: `code`, `message` and `data` as it sent them."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


def refuse_writes(method: str) -> None:
    """Raise unless the method only reads."""
    if method not in READS:
        raise CannotLook(Reason.NOT_ALLOWED, f"JSON-RPC method {method!r} is not on the list of reads")


class Rpc:
    """A JSON-RPC client for one endpoint."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._ids = itertools.count(1)
        self.status = 0  # of the newest answer's HTTP

    @property
    def place(self) -> str:
        """Host and port of the endpoint: what is shown of a URL whose path may hold a key."""
        return urlsplit(self._http.shown).netloc

    def _post(self, body: Any) -> Any:
        self.status = 0
        answer = self._http.post("", json=body)
        self.status = answer.status
        return answer.json()

    def call(self, method: str, *params: Any) -> Any:
        """Return a method's result; raise RpcError when the node says no."""
        refuse_writes(method)
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        return self._result(method, self._post(body))

    def batch(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what each of some (method, *params) gives: its result, or the RpcError that it ended in.

        Calls are sent fifty at a time; to a node that takes no batches, one by one.
        """
        results: list[Any] = []
        for first in range(0, len(calls), BATCH):
            results += self._some(calls[first : first + BATCH])
        return results

    def _some(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        for method, *_ in calls:
            refuse_writes(method)
        bodies = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
            for method, *params in calls
        ]
        answers = self._post(bodies) if len(calls) > 1 else None
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            return [_outcome(self.call, *call) for call in calls]
        by_id = {answer.get("id"): answer for answer in answers}
        return [_outcome(self._result, body["method"], by_id.get(body["id"])) for body in bodies]

    def _result(self, method: str, answer: Any) -> Any:
        if not isinstance(answer, dict) or not ({"result", "error"} & answer.keys()):
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} answered {method} without a result")
        if error := answer.get("error"):
            shape = error if isinstance(error, dict) else {"message": str(error)}
            raise RpcError(int(shape.get("code", 0)), str(shape.get("message", ""))[:300], shape.get("data"))
        return answer["result"]

    def number(self, method: str, *params: Any) -> int:
        """Return a method's hexadecimal quantity as an int."""
        result = self.call(method, *params)
        if not isinstance(result, str) or not _QUANTITY.fullmatch(result):
            raise CannotLook(
                Reason.UNPARSEABLE,
                f"{self._http.shown} answered {method} with {str(result)[:60]!r}, no quantity",
            )
        return int(result, 16)


def _outcome(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except RpcError as error:
        return error
