"""The Ethereum ABI, as far as checks need it: selectors, words, event arguments, reasons of a revert."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

ZERO_ADDRESS = "0x" + "0" * 40
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# Solidity's Error(string), from require and revert with a sentence.
_ERROR = "0x08c379a0"


def keccak(data: bytes) -> bytes:
    """Return the Keccak-256 hash, which is not SHA3-256."""
    try:
        from eth_hash.auto import keccak as function
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "Keccak is missing here; install pytest-deploycheck[web3]"
        ) from None
    return function(data)


def checksum(address: str) -> str:
    """Return an address in its EIP-55 spelling."""
    digits = address.removeprefix("0x").lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(m, 16) >= 8 else c for c, m in zip(digits, marks, strict=False))


def topic(signature: str) -> str:
    """Return the first topic of an event such as Transfer(address,address,uint256)."""
    return "0x" + keccak(signature.encode()).hex()


def types(signature: str) -> list[str]:
    """Return the argument types of a signature such as redeem(uint256)."""
    inner = signature.partition("(")[2].rpartition(")")[0]
    return [part.strip() for part in inner.split(",") if part.strip()]


def encode(signature: str, *values: int | str) -> str:
    """Return the data of a call whose arguments are integers and addresses."""
    words = (int(value, 16) if isinstance(value, str) else int(value) for value in values)
    return "0x" + keccak(signature.encode()).hex()[:8] + "".join(f"{word:064x}" for word in words)


def word(data: Any) -> int | None:
    """Return the first word of an answer as an integer; None when there is none, as without code."""
    text = str(data)
    return int(text[:66], 16) if re.fullmatch(r"0x[0-9a-fA-F]{64,}", text) else None


def quantity(data: Any) -> int | None:
    """Return a quantity as an int; None when it is none of 256 bits at most."""
    text = str(data)
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,64}", text) else None


def raw(data: Any) -> bytes | None:
    """Return an answer's bytes; None when it is no hexadecimal data."""
    text = str(data)
    return bytes.fromhex(text[2:]) if re.fullmatch(r"0x(?:[0-9a-fA-F]{2})*", text) else None


def read(rpc: Rpc, address: str, signature: str, *values: int | str, block: str = "latest") -> int | None:
    """Return a contract's one-word answer at a block; None when the contract has no such function."""
    try:
        return word(rpc.call("eth_call", {"to": address, "data": encode(signature, *values)}, block))
    except RpcError:
        return None


def reason(error: RpcError) -> str:
    """Return what a refused call says: the sentence of its revert, or the node's own message."""
    data = error.data.get("data") if isinstance(error.data, dict) else error.data
    if isinstance(data, str) and data.startswith(_ERROR):
        try:
            raw = bytes.fromhex(data[10:])
            length = int.from_bytes(raw[32:64], "big")
            return raw[64 : 64 + length].decode("utf-8", "replace")[:120]
        except ValueError:
            pass
    return re.sub(r"(?i)^.*?execution reverted:?\s*", "", error.message)[:120] or error.message[:120]


def reverted(error: RpcError) -> bool:
    """Whether the contract ended a call, rather than the node: EIP-1474's code 3, or the usual words."""
    return error.code == 3 or bool(
        re.search(r"(?i)revert|opcode|out of gas|invalid jump|stack", error.message)
    )


@dataclass(frozen=True)
class Event:
    """One log of a known event, by the roles of its arguments.

    account: the first address that is not zero.  tokens: the first integer.  wei: the second one, if any.
    """

    transaction: str
    block: int
    account: str
    tokens: int
    wei: int | None


def event(signature: str, log: Mapping[str, Any]) -> Event | None:
    """Return a log's event, or None when it is another one; indexed arguments are taken to come first."""
    topics = [str(entry) for entry in log.get("topics", ())]
    if not topics or topics[0].lower() != topic(signature):
        return None
    data = str(log.get("data", "0x"))[2:]
    words = [*(entry[2:] for entry in topics[1:]), *(data[i : i + 64] for i in range(0, len(data), 64))]
    kinds = types(signature)
    if len(words) < len(kinds):
        return None
    pairs = list(zip(kinds, words, strict=False))
    accounts = ["0x" + w[24:].lower() for kind, w in pairs if kind == "address" and int(w, 16)]
    numbers = [int(w, 16) for kind, w in pairs if kind.startswith(("uint", "int"))]
    if not (accounts and numbers):
        return None
    return Event(
        transaction=str(log["transactionHash"]).lower(),
        block=int(str(log["blockNumber"]), 16),
        account=accounts[0],
        tokens=numbers[0],
        wei=numbers[1] if len(numbers) > 1 else None,
    )


def events(signature: str, logs: Sequence[Mapping[str, Any]], address: str) -> list[Event]:
    """Return the events of a signature that one contract logged."""
    ours = [log for log in logs if str(log.get("address", "")).lower() == address.lower()]
    return [found for log in ours if (found := event(signature, log)) is not None]
