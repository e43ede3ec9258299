"""CBOR (RFC 8949), as far as compilers write it at the end of bytecode: maps, lists, integers, text, bytes."""

from __future__ import annotations

from typing import Any

_SIMPLE = {20: False, 21: True, 22: None}
_DEEPEST = 8


class NotCbor(ValueError):
    """Bytes are not one whole item of the kinds that are read here."""


def decode(data: bytes) -> Any:
    """Return the one item that the bytes are; NotCbor when there is anything before, after or else."""
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise NotCbor(f"{len(data) - end} bytes follow the item")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(data) or depth > _DEEPEST:
        raise NotCbor("it ends early, or is nested too deeply")
    major, info = data[at] >> 5, data[at] & 0x1F
    number, at = _number(data, at + 1, info)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        raw = data[at : at + number]
        if len(raw) != number:
            raise NotCbor("a string is longer than the data")
        try:
            return (raw if major == 2 else raw.decode()), at + number
        except UnicodeDecodeError:
            raise NotCbor("a text is not UTF-8") from None
    if major == 4:
        return _list(data, at, number, depth)
    if major == 5:
        return _map(data, at, number, depth)
    if major == 7 and info in _SIMPLE:
        return _SIMPLE[info], at
    raise NotCbor(f"major type {major} is none of a compiler's")


def _list(data: bytes, at: int, length: int, depth: int) -> tuple[list[Any], int]:
    found = []
    for _ in range(length):
        value, at = _item(data, at, depth + 1)
        found.append(value)
    return found, at


def _map(data: bytes, at: int, length: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    for _ in range(length):
        key, at = _item(data, at, depth + 1)
        if not isinstance(key, str):
            raise NotCbor("a key is no text")
        found[key], at = _item(data, at, depth + 1)
    return found, at


def _number(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    if not size or at + size > len(data):
        raise NotCbor("a length is of no known form")
    return int.from_bytes(data[at : at + size], "big"), at + size
