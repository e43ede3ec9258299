"""The ledger: every run, one line each, in a file that is only ever appended to.

Each line carries the hash of the line before, so that nothing can be taken out, put in, changed or moved
without a trace. It is the memory that sign-offs and windows are judged by: a run never counts for itself.

    {"n": 7, "prev": "…", "run": "…", "time": "…", "target": "…", "environment": "…", "release": "…",
     "config": "…", "checklist": "…", "decision": "GO", "items": {"…": "passed"}, "evidence": "…",
     "tool": "…", "interrupted": false, "hash": "…"}
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.record import Record, digest

GENESIS = "0" * 64
FIELDS = (
    *("n", "prev", "run", "time", "target", "environment", "release", "config", "checklist", "decision"),
    *("items", "evidence", "tool", "interrupted", "hash"),
)


class LedgerError(Exception):
    """The ledger cannot be written; the message names the file, what is wrong and the next step."""


@dataclass(frozen=True)
class Entry:
    """One run.

    n: its number, from 1.  time: when it ended, UTC ISO 8601.  release, config, checklist: digests of what
    was released, of the target file and of the checklist.  items: verdict by item.  evidence: SHA-256 of
    its `evidence.json`, empty where none was written.  prev, hash: of the line before, and of this one.
    """

    n: int
    prev: str
    run: str
    time: str
    target: str
    environment: str
    release: str
    config: str
    checklist: str
    decision: str
    items: Mapping[str, str]
    evidence: str
    tool: str
    interrupted: bool
    hash: str

    @property
    def at(self) -> datetime:
        """When the run ended."""
        return datetime.fromisoformat(self.time)


@dataclass(frozen=True)
class View:
    """A ledger as it was read: the entries of its unbroken chain, and what is wrong with the file.

    torn: numbers of lines that a killed run left half-written; they hold nothing, and the chain goes on.
    broken: the first place where the chain does not hold, in words; entries end before it.
    """

    entries: tuple[Entry, ...] = ()
    torn: tuple[int, ...] = ()
    broken: str = ""

    @property
    def head(self) -> str:
        """The hash of the newest entry, which stands for all before it."""
        return self.entries[-1].hash if self.entries else GENESIS


def read(path: Path) -> View:
    """Read a ledger; a file that is not there is an empty one."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return View()
    except OSError as error:
        return View(broken=f"{path} cannot be read: {error.strerror}")
    return parse(lines)


def parse(lines: Sequence[bytes]) -> View:
    """Check the chain line by line."""
    entries: list[Entry] = []
    torn: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        values = _values(line)
        if values is None:
            torn.append(number)
            continue
        previous = entries[-1].hash if entries else GENESIS
        why = _wrong(values, previous, len(entries) + 1)
        if why:
            return View(tuple(entries), tuple(torn), f"line {number}: {why}")
        entries.append(Entry(**{name: values[name] for name in FIELDS}))
    return View(tuple(entries), tuple(torn))


def _values(line: bytes) -> dict[str, Any] | None:
    """Return a line's values; None for one that was cut off in the middle."""
    try:
        values = safe_json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _wrong(values: Mapping[str, Any], previous: str, number: int) -> str:
    if set(values) != set(FIELDS):
        return f"its fields are not those of an entry ({', '.join(sorted(set(values) ^ set(FIELDS)))[:120]})"
    if values["hash"] != _hash(values):
        return "it was changed after it was written (its hash is not over its content)"
    if values["prev"] != previous:
        return "it does not follow the line before it: something was taken out, put in or moved"
    if values["n"] != number:
        return f"it has number {values['n']}, not {number}"
    return ""


def _hash(values: Mapping[str, Any]) -> str:
    body = {name: value for name, value in values.items() if name != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def append(path: Path, record: Record, evidence_sha256: str = "") -> Entry:
    """Append a run under a lock, flushed to the disk; raise LedgerError and leave the file as it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            view = parse(content.split(b"\n"))
            if view.broken:
                raise LedgerError(
                    f"the ledger {path} is broken at {view.broken}; keep it as it is, and start another one"
                )
            entry = _entry(view, record, evidence_sha256)
            start = file.seek(0, os.SEEK_END)
            separator = b"" if not content or content.endswith(b"\n") else b"\n"
            try:
                rest = separator + json.dumps(vars(entry), ensure_ascii=True).encode() + b"\n"
                while rest:
                    rest = rest[file.write(rest) or 0 :]
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise
            return entry
    except OSError as error:
        raise LedgerError(
            f"this run is not in the ledger {path}: {error.strerror}; "
            "give ledger.path a file on a disk with room that can be written"
        ) from None


def chained(records: Iterable[tuple[Record, str]]) -> Iterator[bytes]:
    """Yield the lines of a new ledger of these runs, each with the SHA-256 of its evidence or nothing."""
    head = GENESIS
    for number, (record, evidence_sha256) in enumerate(records, 1):
        entry = _made(number, head, record, evidence_sha256)
        head = entry.hash
        yield json.dumps(vars(entry), ensure_ascii=True).encode() + b"\n"


def _entry(view: View, record: Record, evidence_sha256: str) -> Entry:
    return _made(len(view.entries) + 1, view.head, record, evidence_sha256)


def _made(number: int, head: str, record: Record, evidence_sha256: str) -> Entry:
    values = {
        "n": number,
        "prev": head,
        "run": record.run["id"],
        "time": record.run["finished_at"],
        "target": record.target["name"],
        "environment": record.target["environment"],
        "release": release_digest(record.release),
        "config": record.target["config_digest"],
        "checklist": record.checklist["digest"],
        "decision": record.decision["decision"],
        "items": {item["item"]: item["verdict"] for item in record.items},
        "evidence": evidence_sha256,
        "tool": f"{record.tool['name']} {record.tool['version']}",
        "interrupted": bool(record.run.get("interrupted")),
    }
    return Entry(**values, hash=_hash(values))


def release_digest(release: Mapping[str, Any]) -> str:
    """Return what stands for a release: version, commit, images and contract, and nothing else."""
    return digest({name: release.get(name, "") for name in ("version", "commit", "images", "contract")})


def latest(entries: Sequence[Entry], *, release: str, target: str) -> dict[str, tuple[str, Entry]]:
    """Return the newest verdict of each item for a release and target, and the run that gave it."""
    found: dict[str, tuple[str, Entry]] = {}
    for entry in entries:
        if entry.release == release and entry.target == target:
            found.update({item: (verdict, entry) for item, verdict in entry.items.items()})
    return found
