"""nginx's configuration as `nginx -T` prints it: the files taken apart, parsed, and their includes put in.

Parsing is crossplane's. Nothing is read from the disk of the machine that judges: an include means a file
of the dump, whatever lies here under the same path.
"""

from __future__ import annotations

import fnmatch
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

_FILE = re.compile(r"^# configuration file (\S+):$", re.MULTILINE)
_DEPTH_MAX = 20
FILES_MAX = 500
"""Files of a dump that are read; one with more is refused."""


class NotNginx(Exception):
    """The text is no dump of `nginx -T`, or its syntax is broken; the message says where."""


@dataclass(frozen=True)
class Directive:
    """One directive: its name, its arguments, the block that it opens (None without one), and its place."""

    name: str
    args: tuple[str, ...]
    block: tuple[Directive, ...] | None
    file: str
    line: int

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{PurePosixPath(self.file).name}:{self.line}"

    def all(self, name: str) -> Iterator[Directive]:
        """Yield the directives of a name that stand directly in the block."""
        return (one for one in self.block or () if one.name == name)


def load(dump: str) -> Directive:
    """Return the whole configuration as the block of a directive without a name; raise NotNginx."""
    parts = _FILE.split(dump)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files:
        raise NotNginx("there is no '# configuration file' line in it")
    if len(files) > FILES_MAX:
        raise NotNginx(f"it has {len(files)} files")
    parsed = {name: _parse(name, text) for name, text in files.items()}
    main = parts[1]
    return Directive("", (), tuple(_tree(parsed[main], main, parsed, main, 0)), main, 0)


def _parse(name: str, text: str) -> list[dict[str, Any]]:
    import crossplane

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.conf")
        path.write_text(text, encoding="utf-8")
        answer = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    part = answer["config"][0]
    if part["errors"]:
        raise NotNginx(f"{name}: {str(part['errors'][0]['error']).replace(str(path), '')[:160]}")
    found: list[dict[str, Any]] = part["parsed"]
    return found


def _tree(
    entries: list[dict[str, Any]],
    file: str,
    parsed: Mapping[str, list[dict[str, Any]]],
    main: str,
    depth: int,
) -> Iterator[Directive]:
    if depth > _DEPTH_MAX:
        raise NotNginx(f"{file} is included more than {_DEPTH_MAX} levels deep")
    for entry in entries:
        if entry["directive"] == "include" and entry["args"]:
            for name in _included(entry["args"][0], parsed, main):
                yield from _tree(parsed[name], name, parsed, main, depth + 1)
            continue
        block = entry.get("block")
        yield Directive(
            entry["directive"],
            tuple(entry["args"]),
            None if block is None else tuple(_tree(block, file, parsed, main, depth + 1)),
            file,
            entry["line"],
        )


def _included(pattern: str, names: Mapping[str, object], main: str) -> list[str]:
    """Return the files of the dump that an include means; relative ones start where the main file is."""
    whole = pattern if pattern.startswith("/") else str(PurePosixPath(main).parent / pattern)
    return sorted(name for name in names if fnmatch.fnmatchcase(name, whole))
