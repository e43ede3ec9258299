"""What a record cites of a run: the digest of the facts that it is about, as the run's own evidence has it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pytest_deploycheck.record import Record, RecordError, read


class NothingToCite(Exception):
    """A run's evidence holds nothing that a record could cite; the message says what to do instead."""


def cited(item: str, evidence: Path) -> dict[str, Any]:
    """Return the facts by which a record of an item cites a run's evidence: an `evidence.json` or its directory.

    Where the run collected a sheet for the item, it is the newest sheet's digest and period; else the digest of the
    whole evidence, by which the ledger knows the run.
    """
    path = evidence / "evidence.json" if evidence.is_dir() else evidence
    try:
        record = read(path)
        whole = sha256_of(path)
    except (RecordError, OSError) as error:
        raise NothingToCite(f"--of {evidence}: {error}") from None
    sheets = [one for one in _sheets(record) if one.get("item") == item]
    if not sheets:
        return {"run": record.run["id"], "evidence": whole, "facts_digest": whole}
    newest = max(sheets, key=lambda one: str(one["end"]))
    return {
        "run": record.run["id"],
        "facts_digest": newest["facts_digest"],
        "period_start": newest["start"],
        "period_end": newest["end"],
    }


def _sheets(record: Record) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in record.observations:
        facts = one.get("facts")
        sheets = facts.get("sheets") if isinstance(facts, dict) else None
        if isinstance(sheets, list):
            found += [sheet for sheet in sheets if isinstance(sheet, dict) and "facts_digest" in sheet]
    return found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
