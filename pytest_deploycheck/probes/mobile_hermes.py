"""Strings of Hermes bytecode, which React Native's apps hold instead of their script.

The layout is that of `BytecodeFileFormat.h` of Hermes; its strings lie in one piece without ends, so that the
table of strings is needed to tell them apart.
"""

from __future__ import annotations

import struct

from pytest_deploycheck.probes.mobile_archive import AppError
from pytest_deploycheck.probes.mobile_text import SEPARATOR

_HEADER = 128
STRINGS_MAX = 2_000_000


def of_hermes(data: bytes) -> str:
    """Return the strings, one a line; where the table is not as expected, everything in one piece."""
    if len(data) < _HEADER:
        raise AppError("Hermes bytecode is cut off")
    version, size = struct.unpack_from("<L", data, 8)[0], struct.unpack_from("<L", data, 32)[0]
    functions, kinds, identifiers, strings, overflows, storage = struct.unpack_from("<6L", data, 40)
    if size > len(data) or strings > STRINGS_MAX or overflows > strings:
        raise AppError(f"Hermes bytecode of version {version} is cut off or damaged")
    for per_function in (16, 12):
        at = _aligned(_HEADER + per_function * functions)
        at = _aligned(at + 4 * kinds)
        at = _aligned(at + 4 * identifiers)
        found = _strings(data, at, strings, overflows, storage)
        if found is not None:
            return SEPARATOR.join(found)
    raise AppError(f"the strings of Hermes bytecode of version {version} cannot be told apart")


def _aligned(at: int) -> int:
    return (at + 3) & ~3


def _strings(data: bytes, at: int, count: int, overflows: int, storage: int) -> list[str] | None:
    """Return the strings if a table begins here, else None: all of them must lie within the storage."""
    wide = _aligned(at + 4 * count)
    start = _aligned(wide + 8 * overflows)
    if start + storage > len(data):
        return None
    small = struct.unpack_from(f"<{count}L", data, at)
    large = [struct.unpack_from("<LL", data, wide + 8 * number) for number in range(overflows)]
    found, total = [], 0
    for entry in small:
        utf16, offset, length = entry & 1, entry >> 1 & 0x7FFFFF, entry >> 24
        if length == 0xFF:
            if offset >= len(large):
                return None
            offset, length = large[offset]
        size = 2 * length if utf16 else length
        if offset + size > storage:
            return None
        total += size
        if total > 2 * len(data):
            raise AppError("the strings of Hermes bytecode are more than there is room for")
        raw = data[start + offset : start + offset + size]
        found.append(raw.decode("utf-16-le" if utf16 else "latin-1", "replace"))
    return found
