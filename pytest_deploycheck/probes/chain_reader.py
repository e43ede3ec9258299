"""Reads of one block, remembered, so that a second node can be asked the very same and its answers compared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import evm
from pytest_deploycheck.transports.rpc import Rpc, RpcError

_DIGEST = re.compile(r"0x[0-9a-fA-F]{64}")
CONFIRMATIONS = 64
"""Blocks after which a block counts as final where a node knows no finality: two epochs of 32 slots."""


@dataclass(frozen=True)
class At:
    """The block that everything was read at: `tag` is "finalized", or "64 confirmations" where nodes know no such."""

    number: int
    hash: str
    tag: str


def final_block(rpc: Rpc, other: Rpc | None) -> tuple[At | None, str]:
    """Return the newest block that is final, for another node too unless that is far behind, which is told."""
    found, tag = _block(rpc, "finalized"), "finalized"
    if found is None:
        head = rpc.number("eth_blockNumber")
        if head < CONFIRMATIONS:
            return None, ""
        found, tag = _block(rpc, hex(head - CONFIRMATIONS)), f"{CONFIRMATIONS} confirmations"
    if found is None:
        return None, ""
    theirs = _block(other, "finalized") if other is not None else None
    behind = int(found["number"], 16) - int(theirs["number"], 16) if theirs else 0
    if other is not None and behind > CONFIRMATIONS:
        return _at(found, tag), f"{other.place} is {behind} blocks behind"
    if behind > 0 and theirs:
        found = _block(rpc, theirs["number"]) or found
    return _at(found, tag), ""


def _at(block: dict[str, Any], tag: str) -> At:
    return At(int(block["number"], 16), str(block["hash"]), tag)


def moment(block: Any) -> tuple[int | None, int | None]:
    """Return a block's number and time, None where there is no such block."""
    if not isinstance(block, dict):
        return None, None
    return evm.quantity(block.get("number")), evm.quantity(block.get("timestamp"))


def _block(rpc: Rpc, tag: str) -> dict[str, Any] | None:
    try:
        found = rpc.call("eth_getBlockByNumber", tag, False)
    except (RpcError, CannotLook, Dead):
        return None
    if not isinstance(found, dict) or not _DIGEST.fullmatch(str(found.get("hash"))):
        return None
    return found if evm.quantity(found.get("number")) is not None else None


class Reader:
    """Reads at one block on one node, each question once, in as few requests as possible."""

    def __init__(self, rpc: Rpc, at: At) -> None:
        self._rpc = rpc
        self._block = hex(at.number)
        self._known: dict[tuple[str, ...], Any] = {}

    def ask(self, *calls: tuple[str, ...]) -> None:
        """Fetch the answers to calls made by `code`, `slot` and `view`."""
        new = [one for one in dict.fromkeys(calls) if one not in self._known]
        if new:
            answers = self._rpc.batch([self._request(one) for one in new])
            self._known |= dict(zip(new, answers, strict=True))

    def _request(self, call: tuple[str, ...]) -> tuple[Any, ...]:
        kind, *rest = call
        if kind == "code":
            return ("eth_getCode", rest[0], self._block)
        if kind == "slot":
            return ("eth_getStorageAt", rest[0], rest[1], self._block)
        if kind == "block":
            return ("eth_getBlockByNumber", self._block, False)
        return ("eth_call", {"to": rest[0], "data": rest[1]}, self._block)

    def answer(self, call: tuple[str, ...]) -> str | None:
        """Return a call's answer in hexadecimal; None where the node refuses, or the contract does."""
        self.ask(call)
        found = self._known[call]
        return found if evm.raw(found) is not None else None

    def refused(self, call: tuple[str, ...]) -> RpcError | None:
        """Return the error that a call ended in, if it did."""
        self.ask(call)
        found = self._known[call]
        return found if isinstance(found, RpcError) else None

    def code(self, address: str) -> bytes | None:
        """Return the code at an address; None when the node does not have the block's state."""
        return evm.raw(self.answer(code(address)))

    def differing(self, other: Rpc) -> tuple[str, ...]:
        """Ask another node all that was asked here; return what it answers differently, in words."""
        calls = list(self._known)
        answers = other.batch([self._request(one) for one in calls])
        return tuple(
            _words(call)
            for call, theirs in zip(calls, answers, strict=True)
            if _comparable(self._known[call]) != _comparable(theirs)
        )


def code(address: str) -> tuple[str, ...]:
    """Ask for the code at an address."""
    return ("code", address.lower())


def slot(address: str, place: str) -> tuple[str, ...]:
    """Ask for one word of a contract's storage."""
    return ("slot", address.lower(), place)


def view(address: str, data: str) -> tuple[str, ...]:
    """Ask a contract's reading function."""
    return ("view", address.lower(), data)


def _comparable(answer: Any) -> Any:
    """Errors are worded by each client as it likes: that there is one is what counts."""
    return (
        "refused" if isinstance(answer, RpcError) else answer.lower() if isinstance(answer, str) else answer
    )


def _words(call: Sequence[str]) -> str:
    kind, address, *rest = call
    return f"{kind} of {address}{' ' + rest[0][:10] if rest else ''}"
