"""XML and resources of Android app bundles (AAB), which are protobuf messages: the few fields that are asked for.

Field numbers are those of `Resources.proto` of aapt2 in the Android Open Source Project.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_deploycheck.probes.mobile_archive import AppError
from pytest_deploycheck.probes.mobile_axml import DEEPEST, Element, Reference, Value


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, number or bytes) of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise AppError("the bundle's manifest is no protobuf message")
        if at + size > len(data):
            raise AppError("the bundle's manifest is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise AppError("the bundle's manifest is cut off")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise AppError("the bundle's manifest has a number that does not end")


def parse(data: bytes, depth: int = 0) -> Element:
    """Return the element of an XmlNode."""
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            return _element(value, depth)
    raise AppError("the bundle's manifest holds no element")


def _element(data: bytes, depth: int) -> Element:
    if depth > DEEPEST:
        raise AppError(f"the bundle's manifest is nested deeper than {DEEPEST}")
    found = Element("")
    for number, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 3:
            found.tag = _text(value)
        elif number == 4:
            name, attribute = _attribute(value)
            found.attributes.setdefault(name, attribute)
        elif number == 5:
            kinds = {key: inner for key, inner in fields(value) if isinstance(inner, bytes)}
            if 1 in kinds:
                found.children.append(_element(kinds[1], depth + 1))
            found.text += _text(kinds.get(2, b""))
    return found


def _attribute(data: bytes) -> tuple[str, Value]:
    found = dict(fields(data))
    name, text, item = found.get(2, b""), found.get(3, b""), found.get(6, b"")
    word = _text(text) if isinstance(text, bytes) else ""
    label = _text(name) if isinstance(name, bytes) else ""
    if word.startswith("@"):
        return label, Reference(name=word.lstrip("@+"))
    compiled = _item(item) if isinstance(item, bytes) and item else None
    return label, compiled if compiled is not None else word


def _item(data: bytes) -> Value:
    for number, value in fields(data):
        if not isinstance(value, bytes):
            continue
        inner = dict(fields(value))
        if number == 1:
            name, id_ = inner.get(3, b""), inner.get(2, 0)
            return Reference(
                id_ if isinstance(id_, int) else 0, _text(name) if isinstance(name, bytes) else ""
            )
        if number == 2 and isinstance(inner.get(1), bytes):
            return _text(inner[1])
        if number == 5:
            return _text(inner.get(1, b""))  # the place of a file
        if number == 7 and isinstance(inner.get(8), int):
            return bool(inner[8])
        if number == 7:
            return next((one for key, one in inner.items() if key in (6, 7) and isinstance(one, int)), None)
    return None


def _text(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class BundleTable:
    """Resources of an app bundle (resources.pb) by type and name: the simple values of every configuration."""

    def __init__(self, data: bytes) -> None:
        self.strings: list[str] = []
        self._values: dict[str, list[Value]] = {}
        for package in _messages(data, 2):
            for kind in _messages(package, 3):
                name = _text(dict(fields(kind)).get(2, b""))
                for entry in _messages(kind, 3):
                    self._entry(name, entry)

    def _entry(self, kind: str, entry: bytes) -> None:
        name = _text(dict(fields(entry)).get(2, b""))
        for configured in _messages(entry, 6):
            for value in _messages(configured, 2):
                for item in _messages(value, 4):
                    found = _item(item)
                    if isinstance(found, str):
                        self.strings.append(found)
                    if found is not None:
                        self._values.setdefault(f"{kind}/{name}", []).append(found)

    def all(self, value: Value) -> tuple[Value, ...]:
        """Return what a value is in each configuration, references followed."""
        todo, found, steps = [value], list[Value](), 0
        while todo and steps < 64:
            steps += 1
            one = todo.pop(0)
            if isinstance(one, Reference):
                todo += self._values.get(one.name.rpartition(":")[2], [])
            elif one not in found:
                found.append(one)
        return tuple(found)


def _messages(data: bytes, number: int) -> list[bytes]:
    return [value for key, value in fields(data) if key == number and isinstance(value, bytes)]
