"""Ethereum JSON-RPC: reads only, by an allow-list of methods."""

from __future__ import annotations

import itertools
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.transports.http import Http
from pytest_deploycheck.verdict import Reason

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

    def call(self, method: str, *params: Any) -> Any:
        """Return a method's result; raise RpcError when the node says no."""
        refuse_writes(method)
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        answer = self._http.post("", json=body).json()
        if not isinstance(answer, dict) or not ({"result", "error"} & answer.keys()):
            raise CannotLook(Reason.UNPARSEABLE, f"{self._http.shown} answered {method} without a result")
        if error := answer.get("error"):
            shape = error if isinstance(error, dict) else {"message": str(error)}
            raise RpcError(int(shape.get("code", 0)), str(shape.get("message", ""))[:300], shape.get("data"))
        return answer["result"]

    def number(self, method: str, *params: Any) -> int:
        """Return a method's hexadecimal quantity as an int."""
        result = self.call(method, *params)
        try:
            return int(result, 16)
        except (TypeError, ValueError):
            raise CannotLook(
                Reason.UNPARSEABLE,
                f"{self._http.shown} answered {method} with {str(result)[:60]!r}, no quantity",
            ) from None
