"""The journal: what a run has finished so far, line by line, so that even SIGKILL loses nothing of it.

Each line of `journal.jsonl` is one JSON object with a `what`: header, observation, requests or outcome.
`deploycheck report DIR` makes the evidence from it; a finished run removes it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pytest_deploycheck.assemble import Seen, claim_from_json, outcome_from_json
from pytest_deploycheck.record import jsonable

NAME = "journal.jsonl"


class JournalError(Exception):
    """There is no journal to read; the message says where it was looked for."""


class Journal:
    """An append-only file in the evidence folder; each entry is on disk before the next test runs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / NAME
        self._file: TextIO = self.path.open("w", encoding="ascii")

    def write(self, what: str, value: Any) -> None:
        """Append one entry."""
        self._file.write(json.dumps({"what": what, "value": jsonable(value)}) + "\n")
        self._file.flush()

    def close(self, *, done: bool) -> None:
        """Close the file, and remove it once the evidence itself is written."""
        self._file.close()
        if done:
            self.path.unlink(missing_ok=True)


def read(directory: Path) -> Seen:
    """Return what a killed run had finished; a torn last line is left out."""
    path = directory / NAME
    if not path.is_file():
        raise JournalError(f"no {NAME} in {directory}: the run there finished, or none was started")
    seen: Seen | None = None
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            what, value = entry["what"], entry["value"]
        except (ValueError, KeyError, TypeError):
            break
        if what == "header":
            claims = [claim_from_json(claim) for claim in value.pop("claims")]
            seen = Seen(header=value, claims=claims, interrupted=True)
        elif seen is None:
            break
        elif what == "observation":
            seen.observations[value["probe"]] = value
        elif what == "requests":
            seen.requests = value
        elif what == "outcome":
            seen.outcomes.append(outcome_from_json(value))
    if seen is None:
        raise JournalError(f"{path} holds no run; its first line is cut off")
    seen.finished_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    return seen
