"""The journal of one drill: each line is on the disk before the next thing is done, so that a killed drill is known.

A line is one JSON object with `at` (ISO 8601) and `what`: begun, prober, before, command, ran, done, failed, ended.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SUFFIX = ".journal.jsonl"


class Busy(Exception):
    """Another drill is going on in the same folder."""


class Journal:
    """An append-only file; `entries` are those that were read and written so far, oldest first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.entries = read(path)
        if path.exists():
            _cut_torn_line(path)

    @property
    def id(self) -> str:
        """The drill's id."""
        return self.path.name.removesuffix(SUFFIX)

    def write(self, what: str, **values: Any) -> None:
        """Append an entry and flush it to the disk."""
        entry = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what, **values}
        new = not self.path.exists()
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.path.parent)
        self.entries.append(entry)

    def last(self, what: str, **where: Any) -> Mapping[str, Any] | None:
        """Return the newest entry of a kind whose values are these."""
        entry: Mapping[str, Any]
        for entry in reversed(self.entries):
            if entry["what"] == what and all(entry.get(key) == value for key, value in where.items()):
                return entry
        return None

    @property
    def ended(self) -> bool:
        """Whether the drill came to its end."""
        return self.last("ended") is not None


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a journal; a line that a killed drill left half-written holds nothing."""
    found: list[dict[str, Any]] = []
    if not path.exists():
        return found
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if not isinstance(entry, dict) or not {"at", "what"} <= entry.keys():
            break
        found.append(entry)
    return found


def unfinished(folder: Path) -> list[Path]:
    """Return the journals of drills that did not come to their end, oldest first."""
    if not folder.is_dir():
        return []
    found = sorted(folder.glob(f"*{SUFFIX}"))
    return [path for path in found if not any(entry["what"] == "ended" for entry in read(path))]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other drills out of a folder; the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another drill is going on in {folder}; wait for its end") from None
        yield


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that a new file in it is there after a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
