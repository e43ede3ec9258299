"""Envelopes: what a tool did not write into its report, kept beside it as `<report>.deploycheck.json`.

Most tools write neither the commit nor the time into what they report. A step of the CI adds both, and which files
the tool was given, while it still knows them:

    python -m pytest_deploycheck.envelope audit.json --tool "pip-audit 2.10" --input requirements.lock
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_deploycheck import safe_json

SUFFIX = ".deploycheck.json"
SCHEMA = "deploycheck.envelope/1"
LARGEST_BYTES = 2**20


class EnvelopeError(ValueError):
    """An envelope cannot be read, or cannot be made; the message says why."""


@dataclass(frozen=True)
class Envelope:
    """What a report is about.

    sha256: of the report's bytes.  commit: 40 or 64 hex digits.  produced_at, started_at: ISO 8601, started_at
    empty where it was not said.  clean: the working tree was the commit's, None where it was not said.
    inputs: path in the repository -> sha256 of what the tool read.  scanned_path: folder of the repository that it
    looked through, "." for all of it, "" where that was not said.  scanned_files: how many files it looked at.
    """

    sha256: str
    commit: str
    produced_at: str
    started_at: str = ""
    tool: str = ""
    clean: bool | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    scanned_path: str = ""
    scanned_files: int | None = None


def path_of(report: Path) -> Path:
    """Return where a report's envelope lies."""
    return report.with_name(report.name + SUFFIX)


def read(report: Path) -> Envelope | None:
    """Return a report's envelope, None when there is none; EnvelopeError when it is no envelope."""
    path = path_of(report)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnvelopeError(f"{path.name}: {error.strerror}") from None
    try:
        values = safe_json.loads(raw) if len(raw) <= LARGEST_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise EnvelopeError(f"{path.name} is no envelope of schema {SCHEMA!r}")
    return _envelope(values)


def _envelope(values: Mapping[str, Any]) -> Envelope:
    inputs, scanned, files = values.get("inputs"), values.get("scanned"), None
    if isinstance(scanned, Mapping) and type(scanned.get("files")) is int:
        files = scanned["files"]
    clean = values.get("clean")
    return Envelope(
        sha256=_text(values, "sha256").lower(),
        commit=_text(values, "commit").lower(),
        produced_at=_text(values, "produced_at"),
        started_at=_text(values, "started_at"),
        tool=_text(values, "tool"),
        clean=clean if isinstance(clean, bool) else None,
        inputs=tuple((str(name), str(value).lower()) for name, value in inputs.items())
        if isinstance(inputs, Mapping)
        else (),
        scanned_path=_text(scanned, "path") if isinstance(scanned, Mapping) else "",
        scanned_files=files,
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    return value.strip() if isinstance(value, str) else ""


def values(
    report: bytes,
    *,
    commit: str,
    produced_at: datetime,
    tool: str = "",
    started_at: datetime | None = None,
    clean: bool | None = None,
    inputs: Mapping[str, bytes] | None = None,
    scanned: tuple[str, int] | None = None,
) -> dict[str, Any]:
    """Return the content of an envelope around a report's bytes; `scanned` is a folder and its count of files."""
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "sha256": hashlib.sha256(report).hexdigest(),
        "commit": commit,
        "produced_at": produced_at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    if started_at is not None:
        made["started_at"] = started_at.astimezone(UTC).isoformat(timespec="seconds")
    if tool:
        made["tool"] = tool
    if clean is not None:
        made["clean"] = clean
    if inputs:
        made["inputs"] = {name: hashlib.sha256(data).hexdigest() for name, data in inputs.items()}
    if scanned is not None:
        made["scanned"] = {"path": scanned[0], "files": scanned[1]}
    return made


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=60)
    except FileNotFoundError:
        raise EnvelopeError("git is not installed; it says which commit this is") from None
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or error).strip()
        raise EnvelopeError(f"git {arguments[0]}: {said[:200]}") from None
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an envelope beside each report, from inside the working tree that the tool has just looked at."""
    parser = argparse.ArgumentParser("python -m pytest_deploycheck.envelope", description=main.__doc__)
    parser.add_argument("report", nargs="+", type=Path)
    parser.add_argument("--tool", default="", help="name and version of the tool")
    parser.add_argument("--input", action="append", default=[], metavar="FILE", help="a file that it read")
    parser.add_argument("--scanned", metavar="FOLDER", help="the folder that it looked through, . for all")
    parser.add_argument("--started-at", type=datetime.fromisoformat, metavar="TIME", help="when it started")
    given = parser.parse_args(arguments)
    try:
        top = Path(_git("rev-parse", "--show-toplevel").rstrip("\n"))
        named = {str(Path(name).resolve().relative_to(top)): Path(name).read_bytes() for name in given.input}
        tracked = not _git("status", "--porcelain=v1", "--untracked-files=no").strip()
        scanned = None
        if given.scanned:
            folder = str(Path(given.scanned).resolve().relative_to(top))
            scanned = (folder, _git("ls-files", "-z", "--", given.scanned).count("\0"))
        for report in given.report:
            made = values(
                report.read_bytes(),
                commit=_git("rev-parse", "HEAD").strip(),
                produced_at=datetime.now(UTC),
                tool=given.tool,
                started_at=given.started_at and given.started_at.astimezone(),
                clean=tracked,
                inputs=named,
                scanned=scanned,
            )
            path_of(report).write_text(json.dumps(made, indent=1) + "\n")
    except (EnvelopeError, OSError, ValueError) as error:
        sys.stderr.write(f"envelope: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
