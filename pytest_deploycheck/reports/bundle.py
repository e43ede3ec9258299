"""The evidence bundle: every report of one run in one directory, each file whole or not there."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pytest_deploycheck.checklist import Checklist
from pytest_deploycheck.record import Record
from pytest_deploycheck.reports import checklist_md, html, json, markdown, statement

SUMS = "SHA256SUMS"


class BundleError(Exception):
    """The bundle cannot be written; the message names the path, what is wrong and the next step."""


def write(directory: Path, record: Record, checklist: Checklist) -> dict[str, Path]:
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
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in encoded.items()}
    encoded["statement.json"] = statement.render(record, digests).encode("utf-8")
    digests["statement.json"] = hashlib.sha256(encoded["statement.json"]).hexdigest()
    encoded[SUMS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / SUMS).unlink(missing_ok=True)
        for name, content in encoded.items():
            _replace(directory / name, content)
    except OSError as error:
        raise BundleError(
            f"evidence cannot be written to {directory}: {error}; "
            "give --evidence a directory that can be written"
        ) from error
    return {name: directory / name for name in encoded}


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
