"""Android's binary XML and its table of resources: parsing only, with every offset checked.

The formats are those of `ResourceTypes.h` of the Android Open Source Project.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_deploycheck.probes.mobile_archive import AppError

_POOL, _TABLE, _XML, _PACKAGE, _TYPE = 0x0001, 0x0002, 0x0003, 0x0200, 0x0201
_START, _END, _MAP = 0x0102, 0x0103, 0x0180
_NONE = 0xFFFFFFFF
_UTF8 = 1 << 8
DEEPEST = 100
STRINGS_MAX = 2_000_000
ELEMENTS_MAX = 200_000

ATTRIBUTES = {
    0x01010003: "name",
    0x0101000C: "hasCode",
    0x0101000F: "debuggable",
    0x01010027: "scheme",
    0x01010028: "host",
    0x0101020C: "minSdkVersion",
    0x0101021B: "versionCode",
    0x0101021C: "versionName",
    0x01010270: "targetSdkVersion",
    0x01010272: "testOnly",
    0x010104EC: "usesCleartextTraffic",
    0x010104EE: "autoVerify",
    0x01010527: "networkSecurityConfig",
}
"""Resource ids of the attributes that are asked for: builders may leave the names out."""


@dataclass(frozen=True)
class Reference:
    """A value that stands in the table of resources, or in another file; name: as an app bundle writes it."""

    id: int = 0
    name: str = ""


Value = str | int | bool | Reference | None


@dataclass
class Element:
    """An element: attributes by their local names."""

    tag: str
    attributes: dict[str, Value] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> Iterator[Element]:
        """Yield the elements of a name at any depth below this one, itself left out."""
        todo = list(self.children)
        while todo:
            one = todo.pop()
            if one.tag == tag:
                yield one
            todo += one.children


def chunks(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, where it begins, its header's size, where it ends) of each chunk."""
    at = start
    while at + 8 <= end:
        kind, header, size = struct.unpack_from("<HHL", data, at)
        if size < 8 or header < 8 or header > size or at + size > end:
            raise AppError("binary XML or resources are damaged: a chunk is longer than what it is in")
        yield kind, at, header, at + size
        at += size


def pool(data: bytes, start: int, end: int) -> list[str]:
    """Return the strings of a pool."""
    if end - start < 28:
        raise AppError("a string pool is too short")
    count, _, flags, first, _ = struct.unpack_from("<5L", data, start + 8)
    header = struct.unpack_from("<H", data, start + 2)[0]
    if count > STRINGS_MAX or start + header + 4 * count > end:
        raise AppError(f"a string pool says that it has {count} strings")
    offsets = struct.unpack_from(f"<{count}L", data, start + header)
    read = _utf8 if flags & _UTF8 else _utf16
    found, size = [], 0
    for offset in offsets:
        found.append(read(data, start + first + offset, end))
        size += len(found[-1])
        if size > 2 * (end - start):
            raise AppError("the strings of a pool overlap, so that they are more than there is room for")
    return found


def _utf8(data: bytes, at: int, end: int) -> str:
    for _ in range(2):  # the length in characters, then in bytes
        if at + 2 > end:
            return ""
        size, at = data[at], at + 1
        if size & 0x80:
            size, at = (size & 0x7F) << 8 | data[at], at + 1
    return data[at : min(at + size, end)].decode("utf-8", "replace")


def _utf16(data: bytes, at: int, end: int) -> str:
    if at + 4 > end:
        return ""
    size, at = struct.unpack_from("<H", data, at)[0], at + 2
    if size & 0x8000:
        size, at = (size & 0x7FFF) << 16 | struct.unpack_from("<H", data, at)[0], at + 2
    return data[at : min(at + 2 * size, end)].decode("utf-16-le", "replace")


def parse(data: bytes) -> Element:
    """Return the root element of a document; AppError for what is none."""
    try:
        return _parse(data)
    except (struct.error, IndexError) as error:
        raise AppError(f"binary XML is damaged: {error}") from None


def _parse(data: bytes) -> Element:
    if len(data) < 8 or struct.unpack_from("<H", data)[0] != _XML:
        raise AppError("not binary XML")
    end = min(struct.unpack_from("<L", data, 4)[0], len(data))
    top = Element("")
    path, strings, ids, count = [top], list[str](), tuple[int, ...](), 0
    for kind, at, header, stop in chunks(data, struct.unpack_from("<H", data, 2)[0], end):
        if kind == _POOL:
            strings = pool(data, at, stop)
        elif kind == _MAP:
            ids = struct.unpack_from(f"<{(stop - at - header) // 4}L", data, at + header)
        elif kind == _START:
            count += 1
            if len(path) > DEEPEST or count > ELEMENTS_MAX:
                raise AppError(f"binary XML is nested deeper than {DEEPEST}, or endless")
            element = _element(data, at + header, stop, strings, ids)
            path[-1].children.append(element)
            path.append(element)
        elif kind == _END and len(path) > 1:
            path.pop()
        elif kind == 0x0104 and stop - at >= header + 4:
            path[-1].text += _at(strings, struct.unpack_from("<L", data, at + header)[0])
    if not top.children:
        raise AppError("binary XML without an element")
    return top.children[0]


def _element(data: bytes, at: int, stop: int, strings: list[str], ids: tuple[int, ...]) -> Element:
    _, name, start, size, count = struct.unpack_from("<LLHHH", data, at)
    element = Element(_at(strings, name))
    if size < 20 or at + start + size * count > stop:
        raise AppError("binary XML is damaged: attributes beyond their element")
    for number in range(count):
        place = at + start + number * size
        _, key, raw, _, _, kind, value = struct.unpack_from("<LLLHBBL", data, place)
        label = ATTRIBUTES.get(ids[key], _at(strings, key)) if key < len(ids) else _at(strings, key)
        element.attributes.setdefault(label, _value(kind, value, raw, strings))
    return element


def _at(strings: list[str], index: int) -> str:
    return strings[index] if index < len(strings) else ""


def _value(kind: int, data: int, raw: int, strings: list[str]) -> Value:
    if kind == 0x03:
        return _at(strings, data)
    if kind in (0x01, 0x07):
        return Reference(data)
    if kind == 0x12:
        return data != 0
    if 0x10 <= kind <= 0x1F:
        return data
    return _at(strings, raw) if raw != _NONE else None


class Table:
    """Resources by their ids: the simple values (strings, numbers, files) of every configuration."""

    def __init__(self, data: bytes) -> None:
        self.strings: list[str] = []
        self._values: dict[int, list[Value]] = {}
        try:
            self._read(data)
        except (struct.error, IndexError) as error:
            raise AppError(f"resources.arsc is damaged: {error}") from None

    def _read(self, data: bytes) -> None:
        if len(data) < 12 or struct.unpack_from("<H", data)[0] != _TABLE:
            raise AppError("resources.arsc is no table of resources")
        end = min(struct.unpack_from("<L", data, 4)[0], len(data))
        for kind, at, header, stop in chunks(data, struct.unpack_from("<H", data, 2)[0], end):
            if kind == _POOL and not self.strings:
                self.strings = pool(data, at, stop)
            elif kind == _PACKAGE:
                package = struct.unpack_from("<L", data, at + 8)[0]
                for inner, where, _, until in chunks(data, at + header, stop):
                    if inner == _TYPE:
                        self._type(data, where, until, package)

    def _type(self, data: bytes, at: int, end: int, package: int) -> None:
        header, kind, flags = *struct.unpack_from("<H", data, at + 2), data[at + 8], data[at + 9]
        count, first = struct.unpack_from("<LL", data, at + 12)
        width = 2 if flags & 2 else 4
        if at + header + width * count > end:
            raise AppError("resources.arsc is damaged: more entries than there is room for")
        for index in range(count):
            place = at + header + width * index
            if flags & 1:  # sparse
                number, offset = struct.unpack_from("<HH", data, place)
                offset *= 4
            elif flags & 2:
                number, offset = index, struct.unpack_from("<H", data, place)[0]
                offset = _NONE if offset == 0xFFFF else offset * 4
            else:
                number, offset = index, struct.unpack_from("<L", data, place)[0]
            if offset != _NONE:
                self._entry(data, at + first + offset, end, package << 24 | kind << 16 | number)

    def _entry(self, data: bytes, at: int, end: int, resource: int) -> None:
        if at + 8 > end:
            return
        size, flags, word = struct.unpack_from("<HHL", data, at)
        if flags & 8:  # compact: the type is in the upper byte of the flags
            self._values.setdefault(resource, []).append(_value(flags >> 8, word, _NONE, self.strings))
        elif not flags & 1 and at + size + 8 <= end:
            kind, value = struct.unpack_from("<xxxBL", data, at + size)
            self._values.setdefault(resource, []).append(_value(kind, value, _NONE, self.strings))

    def all(self, value: Value) -> tuple[Value, ...]:
        """Return what a value is in each configuration, references followed."""
        todo, found, steps = [value], list[Value](), 0
        while todo and steps < 64:
            steps += 1
            one = todo.pop(0)
            if isinstance(one, Reference):
                todo += self._values.get(one.id, [])
            elif one not in found:
                found.append(one)
        return tuple(found)


def words(data: bytes) -> list[str]:
    """Return the strings of a document."""
    end = min(struct.unpack_from("<L", data, 4)[0], len(data)) if len(data) >= 8 else 0
    try:
        for kind, at, _, stop in chunks(data, 8, end):
            if kind == _POOL:
                return pool(data, at, stop)
    except (struct.error, IndexError) as error:
        raise AppError(f"binary XML is damaged: {error}") from None
    return []
