"""The evidence bundle: every report of one run in one directory, each file whole or not there."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pytest_deploycheck.checklist import Checklist
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import checklist_md, html, json, markdown, statement

SUMS = "SHA256SUMS"


class BundleError(Exception):
    """The bundle cannot be written; the message names the path, what is wrong and the next step."""


More = Callable[[str], Mapping[str, bytes]]
"""Given the SHA-256 of `evidence.json`, returns what belongs to the bundle besides the reports."""


def write(
    directory: Path, record: Record, checklist: Checklist, more: More = lambda sha256: {}
) -> dict[str, Path]:
    """Write the bundle and return its files by name.

    Each file appears by renaming, so a reader never meets half a report. `SHA256SUMS` goes first and
    comes last: a directory without it, or whose sums do not match, holds no finished bundle.
    """
    contents = {
        "report.html": html.render(record),
        "evidence.json": json.dumps(record),
        "checklist.md": checklist_md.render(record, checklist),
        "summary.md": markdown.render(record),
    }
    encoded = {name: text.encode("utf-8") for name, text in contents.items()}
    encoded |= more(hashlib.sha256(encoded["evidence.json"]).hexdigest())
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in encoded.items()}
    encoded["statement.json"] = statement.render(record, digests).encode("utf-8")
    digests["statement.json"] = hashlib.sha256(encoded["statement.json"]).hexdigest()
    encoded[SUMS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_former(directory, encoded)
        for name, content in encoded.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            _replace(directory / name, content)
    except OSError as error:
        raise BundleError(
            f"evidence cannot be written to {directory}: {error}; "
            "give --evidence a directory that can be written"
        ) from error
    return {name: directory / name for name in encoded}


def _remove_former(directory: Path, kept: Collection[str]) -> None:
    """Take away the sums of an earlier bundle in the same place, and its files that this one has not."""
    sums = directory / SUMS
    former = sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
    sums.unlink(missing_ok=True)
    for line in former:
        name = line.partition("  ")[2]
        path = (directory / name).resolve()
        if name and name not in kept and path.is_relative_to(directory.resolve()):
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its place, flush it to the disk, and rename it into place."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner only; evidence is for everybody who may read the directory.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
