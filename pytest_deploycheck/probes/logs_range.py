"""A contract's logs over a range of blocks, in as many requests as a node demands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.rpc import Rpc, RpcError

REQUESTS_MAX = 24
"""Requests for one range at most: hosted nodes limit the range, or the number of logs, of each."""


def logs(
    rpc: Rpc, address: str, topics: Sequence[str | list[str]], first: int, last: int
) -> list[dict[str, Any]] | None:
    """Return every log of a contract with these first topics; None when the node does not give them all.

    The range is halved where a node refuses it.
    """
    todo, found = [(first, last)], []
    for _ in range(REQUESTS_MAX):
        if not todo:
            break
        start, end = todo.pop()
        query = {"address": address, "topics": list(topics), "fromBlock": hex(start), "toBlock": hex(end)}
        try:
            answer = rpc.call("eth_getLogs", query)
        except (CannotLook, Dead):
            return None
        except RpcError:
            if end <= start:
                return None
            middle = (start + end) // 2
            todo += [(start, middle), (middle + 1, end)]
            continue
        if not isinstance(answer, list):
            return None
        found += [log for log in answer if isinstance(log, dict)]
    return None if todo else found
