"""Android's binary XML, written: elements with attributes of the system's namespace, strings, numbers and booleans."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

SPACE = "http://schemas.android.com/apk/res/android"
_NONE = 0xFFFFFFFF
RESOURCES = {
    "name": 0x01010003,
    "hasCode": 0x0101000C,
    "debuggable": 0x0101000F,
    "exported": 0x01010010,
    "scheme": 0x01010027,
    "host": 0x01010028,
    "minSdkVersion": 0x0101020C,
    "versionCode": 0x0101021B,
    "versionName": 0x0101021C,
    "targetSdkVersion": 0x01010270,
    "testOnly": 0x01010272,
    "usesCleartextTraffic": 0x010104EC,
    "autoVerify": 0x010104EE,
}
"""Attributes that have a number in the system; the others are written without a namespace."""


@dataclass(frozen=True)
class Node:
    """An element."""

    tag: str
    attributes: dict[str, str | int | bool] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)


def document(root: Node) -> bytes:
    """Return a document."""
    known = sorted(
        {name for node in _all(root) for name in node.attributes if name in RESOURCES},
        key=RESOURCES.__getitem__,
    )
    words = [SPACE, "android"]
    for node in _all(root):
        words += [node.tag, *(name for name in node.attributes if name not in RESOURCES)]
        words += [value for value in node.attributes.values() if isinstance(value, str)]
    # The numbered names come first, since the map of numbers goes by the place of the name.
    strings = [*known, *(word for word in dict.fromkeys(words) if word not in known)]
    place = {word: number for number, word in enumerate(strings)}
    space = struct.pack("<LL", place["android"], place[SPACE])
    body = b"".join(
        (
            _pool(strings),
            _chunk(0x0180, b"", b"".join(struct.pack("<L", RESOURCES[name]) for name in known)),
            _chunk(0x0100, struct.pack("<LL", 1, _NONE), space),
            *_elements(root, place),
            _chunk(0x0101, struct.pack("<LL", 1, _NONE), space),
        )
    )
    return struct.pack("<HHL", 0x0003, 8, 8 + len(body)) + body


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _elements(node: Node, place: dict[str, int]) -> Iterator[bytes]:
    line = struct.pack("<LL", 1, _NONE)
    attributes = sorted(node.attributes.items(), key=lambda one: RESOURCES.get(one[0], _NONE))
    written = b"".join(_attribute(name, value, place) for name, value in attributes)
    head = struct.pack("<LLHHHHHH", _NONE, place[node.tag], 20, 20, len(attributes), 0, 0, 0)
    yield _chunk(0x0102, line, head + written)
    for child in node.children:
        yield from _elements(child, place)
    yield _chunk(0x0103, line, struct.pack("<LL", _NONE, place[node.tag]))


def _attribute(name: str, value: str | int | bool, place: dict[str, int]) -> bytes:
    space = place[SPACE] if name in RESOURCES else _NONE
    raw = place[value] if isinstance(value, str) else _NONE
    if isinstance(value, bool):
        kind, data = 0x12, _NONE if value else 0
    elif isinstance(value, int):
        kind, data = 0x10, value
    else:
        kind, data = 0x03, place[value]
    return struct.pack("<LLLHBBL", space, place[name], raw, 8, 0, kind, data)


def _chunk(kind: int, header: bytes, body: bytes) -> bytes:
    return struct.pack("<HHL", kind, 8 + len(header), 8 + len(header) + len(body)) + header + body


def _pool(strings: list[str]) -> bytes:
    offsets, data = [], b""
    for word in strings:
        offsets.append(len(data))
        text = word.encode("utf-16-le")
        data += struct.pack("<H", len(text) // 2) + text + b"\0\0"
    data += b"\0" * (-len(data) % 4)
    start = 28 + 4 * len(strings)
    header = struct.pack("<5L", len(strings), 0, 0, start, 0)
    return _chunk(0x0001, header, struct.pack(f"<{len(strings)}L", *offsets) + data)
