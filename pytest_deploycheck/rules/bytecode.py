"""Whether the code on a chain is a build's: compared byte by byte, with what a deployment fills in filled in.

Three things may differ between an artifact and its deployment, and each is resolved rather than overlooked:
immutables (filled with the expected value; masked, and said so, where there is none), addresses of libraries
(filled likewise), and the compiler's metadata (a CBOR map at the end, and the hashes of the same shape inside a
factory's code): a comment changes that, the program stays the same.
Sources: Solidity docs "Encoding of the Metadata Hash in the Bytecode" and "immutableReferences"; Vyper's
CBOR trailer of initcode; EIP-170 and EIP-3860 for the sizes are limits of the checks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.rules.metadata import differing_ranges, forgive_nested, metadata_of

if TYPE_CHECKING:
    from pytest_deploycheck.rules.artifact import Artifact
    from pytest_deploycheck.rules.vyper import Immutable, Span

_LIBRARY = b"\x73" + bytes(20) + b"\x30\x14"
DIFFERENCES_MAX = 8
"""Differing ranges that are listed; all are counted."""


@dataclass(frozen=True)
class ImmutableValue:
    """An immutable on the chain: its bytes as hexadecimal, what was expected (None: nothing, it is masked).

    agrees: None when nothing was expected.  consistent: it is the same in every place where it stands.
    """

    name: str
    value: str
    expected: str | None
    agrees: bool | None
    consistent: bool


@dataclass(frozen=True)
class LinkedLibrary:
    """A library's address in the code on the chain, and the expected one, None where none was given."""

    name: str
    address: str
    expected: str | None
    agrees: bool | None


@dataclass(frozen=True)
class Comparison:
    """What came of comparing a deployed code with an artifact.

    equal: the program is the artifact's: every byte outside immutables, library addresses and metadata.
    why: one sentence when it is not.  metadata: "same", "different", "none" (on neither side), "added" or
    "removed".  exact: every byte is as expected, metadata included, and no immutable was masked.
    differences: (offset, length) of the first ranges that differ, `differing_bytes` of all.
    sha256: over the code on the chain;  program_sha256, expected_sha256: over both programs with immutables
    and library addresses as on the chain.
    """

    equal: bool
    why: str
    exact: bool
    length_bytes: int
    expected_bytes: int
    metadata: str
    differing_bytes: int
    differences: tuple[tuple[int, int], ...]
    immutables: tuple[ImmutableValue, ...]
    libraries: tuple[LinkedLibrary, ...]
    inferred: bool
    sha256: str
    program_sha256: str
    expected_sha256: str


def compare(
    artifact: Artifact,
    code: bytes,
    *,
    immutables: Mapping[str, str] | None = None,
    libraries: Mapping[str, str] | None = None,
    address: str = "",
) -> Comparison:
    """Compare the code at an address with an artifact.

    immutables: name -> the expected bytes as hexadecimal (`word` makes them of a value).  libraries: name of
    the library, with or without its file, -> address.  address: where the code is, which a library's own
    code holds.
    """
    immutables, libraries = immutables or {}, libraries or {}
    tail = metadata_of(artifact.runtime)
    end = len(artifact.runtime) - len(tail)
    expected = bytearray(artifact.runtime[:end])
    program = bytearray(code[:end])
    if expected[: len(_LIBRARY)] == _LIBRARY and address:
        expected[1:21] = bytes.fromhex(address.removeprefix("0x"))
    linked = tuple(
        _library(name, spans, code, libraries, expected)
        for name, spans in ((link.name, link.runtime) for link in artifact.links)
        if spans
    )
    inside = [one for one in artifact.immutables if _within(one, end)]
    found = tuple(_immutable(one, code, immutables, expected) for one in inside)
    forgive_nested(expected, program)
    ranges, differing = differing_ranges(bytes(expected), bytes(program))
    rest = code[end:]
    after = tuple(_immutable(one, code, immutables, None) for one in artifact.immutables if one not in inside)
    metadata, trailing = _tail(tail, rest, artifact.appended)
    why = _why(artifact, code, end, ranges, differing, trailing)
    values = (*found, *after)
    return Comparison(
        equal=not why,
        why=why,
        exact=not why
        and metadata in ("same", "none")
        and all(one.agrees for one in values)
        and all(one.agrees for one in linked),
        length_bytes=len(code),
        expected_bytes=len(artifact.runtime) + artifact.appended,
        metadata=metadata,
        differing_bytes=differing,
        differences=tuple(ranges[:DIFFERENCES_MAX]),
        immutables=values,
        libraries=linked,
        inferred=artifact.inferred and bool(values),
        sha256=hashlib.sha256(code).hexdigest(),
        program_sha256=hashlib.sha256(program).hexdigest(),
        expected_sha256=hashlib.sha256(expected).hexdigest(),
    )


def values_in(artifact: Artifact, code: bytes) -> dict[str, str]:
    """Return the immutables of a deployed code by name, as hexadecimal; those that it is too short for are left out."""
    found = {}
    for one in artifact.immutables:
        first = one.spans[0]
        value = code[first.start : first.start + first.length]
        if len(value) == first.length:
            found[one.name] = value.hex()
    return found


def word(value: int | str | bool, kind: str = "") -> str:
    """Return a value as 32 bytes in hexadecimal: numbers and addresses to the right, bytesN to the left."""
    if isinstance(value, bool | int):
        return f"{int(value) % 2**256:064x}"
    text = value.strip()
    if re.fullmatch(r"-?\d+", text):
        return f"{int(text) % 2**256:064x}"
    if text.lower() in ("true", "false"):
        return f"{int(text.lower() == 'true'):064x}"
    digits = text.removeprefix("0x").lower()
    if not text.startswith("0x") or not re.fullmatch(r"[0-9a-f]{0,64}", digits):
        raise ValueError(
            f"{text[:80]!r} is neither a number, nor true or false, nor 0x and at most 64 hex digits"
        )
    return digits.ljust(64, "0") if re.fullmatch(r"bytes\d+", kind) else digits.rjust(64, "0")


def _within(one: Immutable, end: int) -> bool:
    return all(span.start + span.length <= end for span in one.spans)


def _immutable(
    one: Immutable, code: bytes, wanted: Mapping[str, str], expected: bytearray | None
) -> ImmutableValue:
    """Fill an immutable into the expected code: with what it should be, else with what it is."""
    values = {code[span.start : span.start + span.length].hex() for span in one.spans}
    first = one.spans[0]
    there = code[first.start : first.start + first.length].hex()
    want = wanted.get(one.name)
    if expected is not None:
        for span in one.spans:
            filling = (
                bytes.fromhex(there) if len(values) == 1 else code[span.start : span.start + span.length]
            )
            # Its value is judged by itself: the program is compared as if it were the one on the chain.
            if len(filling) == span.length:
                expected[span.start : span.start + span.length] = filling
    return ImmutableValue(
        name=one.name,
        value=there,
        expected=want,
        agrees=None if want is None else values == {want.removeprefix("0x").lower()},
        consistent=len(values) == 1,
    )


def _library(
    name: str, spans: tuple[Span, ...], code: bytes, wanted: Mapping[str, str], expected: bytearray
) -> LinkedLibrary:
    there = {code[span.start : span.start + 20].hex() for span in spans}
    want = wanted.get(name) or wanted.get(name.rpartition(":")[2])
    for span in spans:
        filling = code[span.start : span.start + 20]
        if len(filling) == 20:
            expected[span.start : span.start + 20] = filling
    address = f"0x{sorted(there)[0]}"
    return LinkedLibrary(
        name, address, want, None if want is None else there == {want.lower().removeprefix("0x")}
    )


def _tail(expected: bytes, rest: bytes, appended: int) -> tuple[str, bytes]:
    """Return how the metadata compare, and what follows the program that is neither metadata nor immutables."""
    data = rest[: len(rest) - appended] if appended else rest
    if data == expected:
        return ("same" if expected else "none"), b""
    if not data:
        return "removed", b""
    if metadata_of(data) == data:
        return ("different" if expected else "added"), b""
    return "different", data


def _why(
    artifact: Artifact,
    code: bytes,
    end: int,
    ranges: list[tuple[int, int]],
    differing: int,
    trailing: bytes,
) -> str:
    if not code:
        return "there is no code"
    if len(code) < end:
        return f"the code has {len(code)} bytes, the artifact's program {end}"
    if ranges:
        return f"{differing} bytes differ from {artifact.name or 'the artifact'}, the first at offset {ranges[0][0]}"
    if artifact.appended and len(code) < end + artifact.appended:
        return f"{end + artifact.appended - len(code)} bytes of immutables are missing"
    if trailing:
        return f"{len(trailing)} bytes follow the program that are no compiler's metadata"
    return ""
