"""The compiler's metadata in a code, and the parts in which two codes differ.

Metadata are a CBOR map at the end whose length the last two bytes say; a factory holds those of its children.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_deploycheck.rules.cbor import NotCbor, decode
from pytest_deploycheck.rules.vyper import vyper_trailer

if TYPE_CHECKING:
    from pytest_deploycheck.rules.artifact import Artifact

# A nested contract's metadata: its hash differs with every comment, its compiler does not.
_NESTED = re.compile(rb"\xa2\x64ipfs\x58\x22\x12\x20(.{32})\x64solc\x43.{3}\x00\x33", re.DOTALL)
_METADATA_KEYS = frozenset({"ipfs", "bzzr0", "bzzr1", "solc", "experimental", "vyper"})


def metadata_of(code: bytes) -> bytes:
    """Return the compiler's metadata at the end of a code, its two bytes of length included; empty without."""
    if len(code) < 4:
        return b""
    length = int.from_bytes(code[-2:], "big")
    tail = code[-length - 2 :]
    if not 0 < length <= len(code) - 2:
        return b""
    try:
        found = decode(tail[:-2])
    except NotCbor:
        return b""
    return tail if isinstance(found, dict) and found.keys() and found.keys() <= _METADATA_KEYS else b""


def arguments_of(artifact: Artifact, data: bytes) -> tuple[bytes | None, str]:
    """Return the constructor's arguments in a creation transaction's data, or None and why it is another code."""
    created = artifact.creation
    if not created:
        return None, "the artifact has no creation bytecode"
    if len(data) < len(created):
        return None, f"{len(data)} bytes were sent, the artifact's creation code has {len(created)}"
    expected, sent = bytearray(created), bytearray(data[: len(created)])
    for link in artifact.links:
        for span in link.creation:
            expected[span.start : span.start + span.length] = sent[span.start : span.start + span.length]
    own = metadata_of(artifact.runtime)
    for start in _places(bytes(created), own):
        if len(metadata_of(bytes(sent[: start + len(own)]))) == len(own):
            expected[start : start + len(own)] = sent[start : start + len(own)]
    if artifact.vyper and vyper_trailer(bytes(sent)) is not None:
        size = int.from_bytes(expected[-2:], "big")
        expected[-size:] = sent[-size:]
    forgive_nested(expected, sent)
    ranges, differing = differing_ranges(bytes(expected), bytes(sent))
    if ranges:
        return None, f"{differing} bytes of the creation code differ, the first at offset {ranges[0][0]}"
    return data[len(created) :], ""


def forgive_nested(expected: bytearray, there: bytearray) -> None:
    """Take over the metadata hashes of contracts within a code from the one on the chain."""
    for nested in _NESTED.finditer(bytes(expected)):
        if _NESTED.match(there, nested.start()):
            expected[nested.start(1) : nested.end(1)] = there[nested.start(1) : nested.end(1)]


def differing_ranges(one: bytes, other: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return the ranges in which two codes differ, and how many bytes that are; a missing end is a range."""
    ranges: list[tuple[int, int]] = []
    length = min(len(one), len(other))
    start = None
    for at in range(length):
        if one[at] != other[at]:
            start = at if start is None else start
        elif start is not None:
            ranges.append((start, at - start))
            start = None
    if start is not None:
        ranges.append((start, length - start))
    if len(one) != len(other):
        ranges.append((length, abs(len(one) - len(other))))
    return ranges, sum(size for _, size in ranges)


def _places(data: bytes, part: bytes) -> list[int]:
    """Return every offset at which a part stands."""
    found, at = [], data.find(part) if part else -1
    while at >= 0:
        found.append(at)
        at = data.find(part, at + 1)
    return found
