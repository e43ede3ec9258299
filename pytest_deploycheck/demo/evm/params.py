"""Reads the parameters of JSON-RPC calls; ValueError names what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_deploycheck.demo.evm.machine import Override

Json = dict[str, Any]


def to_bytes(text: str) -> bytes:
    """Decode 0x and hex digits."""
    if not text.startswith("0x"):
        raise ValueError(f"{text[:20]!r} does not start with 0x")
    return bytes.fromhex(text[2:])


def to_address(text: str) -> Any:
    """Decode an address to its 20 bytes."""
    raw = to_bytes(text)
    if len(raw) != 20:
        raise ValueError(f"{text[:50]!r} is not an address")
    return raw


def to_call(call: Json) -> Json:
    """Read the call of eth_call and eth_estimateGas into what the machine takes."""
    fields: Json = {
        "sender": to_address(call.get("from") or "0x" + "0" * 40),
        "to": to_address(call["to"]) if call.get("to") else b"",
        "data": to_bytes(call.get("input") or call.get("data") or "0x"),
        "value": int(call.get("value") or "0x0", 16),
    }
    if call.get("gas"):
        fields["gas"] = int(call["gas"], 16)
    return fields


def to_overrides(overrides: Mapping[str, Json]) -> dict[bytes, Override]:
    """Read the state override set of eth_call."""
    return {
        to_address(address): Override(
            balance=int(one["balance"], 16) if "balance" in one else None,
            nonce=int(one["nonce"], 16) if "nonce" in one else None,
            code=to_bytes(one["code"]) if "code" in one else None,
            storage={
                int(slot, 16): int(value, 16)
                for slot, value in {**one.get("state", {}), **one.get("stateDiff", {})}.items()
            },
            replace_storage="state" in one,
        )
        for address, one in overrides.items()
    }


def matches(log: Json, query: Json) -> bool:
    """Whether a log, as shown, satisfies the address and topics of an eth_getLogs filter."""
    wanted = query.get("address")
    if wanted and log["address"].lower() not in {
        one.lower() for one in ([wanted] if isinstance(wanted, str) else wanted)
    }:
        return False
    topics = query.get("topics") or []
    return len(topics) <= len(log["topics"]) and all(
        want is None or have in ([want.lower()] if isinstance(want, str) else [one.lower() for one in want])
        for want, have in zip(topics, log["topics"], strict=False)
    )
