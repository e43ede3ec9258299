"""What Vyper does its own way: immutables follow the runtime code, and creation code ends in a trailer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.rules.cbor import NotCbor, decode


@dataclass(frozen=True)
class Span:
    """A range of bytes."""

    start: int
    length: int


@dataclass(frozen=True)
class Immutable:
    """A value that the constructor writes into the code; `kind` is its Solidity type where known."""

    name: str
    spans: tuple[Span, ...]
    kind: str = ""


def vyper_trailer(creation: bytes) -> list[Any] | None:
    """Return what Vyper 0.3.10 and newer append to creation code; its length counts its own two bytes."""
    if len(creation) < 4:
        return None
    length = int.from_bytes(creation[-2:], "big")
    try:
        found = decode(creation[-length:-2]) if 2 < length <= len(creation) else None
    except NotCbor:
        return None
    last = found[-1] if isinstance(found, list) and found else None
    return found if isinstance(last, dict) and "vyper" in last else None


def appended(creation: bytes, layout: Any) -> int:
    """Return how many bytes of immutables follow the runtime code of a deployment."""
    trailer = vyper_trailer(creation)
    if trailer is not None and len(trailer) >= 3 and isinstance(trailer[-2], int):
        return int(trailer[-2])
    return sum(span.length for one in laid_out(layout, b"") for span in one.spans)


def laid_out(layout: Any, runtime: bytes, size: int = 0) -> tuple[Immutable, ...]:
    """Return Vyper's immutables by name, counted from the end of the runtime code; else word by word."""
    code = (layout or {}).get("code_layout") or {}
    if not code:
        starts = range(0, size, 32)
        return tuple(Immutable(f"word {at // 32}", (Span(len(runtime) + at, 32),)) for at in starts)
    return tuple(
        Immutable(str(name), (Span(len(runtime) + int(one["offset"]), int(one["length"])),), str(one["type"]))
        for name, one in sorted(code.items(), key=lambda pair: int(pair[1]["offset"]))
        if isinstance(one, Mapping) and "offset" in one
    )
