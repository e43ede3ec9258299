"""Sheets: the facts of a period that a review is about, and the digest by which a review cites them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pytest_deploycheck.record import digest


@dataclass(frozen=True)
class Sheet:
    """What was collected of a period; the same period gives the same values whenever it is asked for.

    item: whose review cites it.  start, end: UTC, ISO 8601.  values: (name, number), rounded to four digits, None
    where there was nothing to count.  facts_digest: SHA-256 over all of this.
    """

    item: str
    start: str
    end: str
    values: tuple[tuple[str, float | None], ...]
    facts_digest: str

    @property
    def ends(self) -> datetime:
        """When the period ended."""
        return datetime.fromisoformat(self.end)


def sheet(item: str, start: datetime, end: datetime, values: Mapping[str, float | None]) -> Sheet:
    """Return a sheet with its digest."""
    begun, ended = start.isoformat(), end.isoformat()
    rounded = tuple((name, None if v is None else float(f"{v:.4g}")) for name, v in values.items())
    return Sheet(item, begun, ended, rounded, digest([item, begun, ended, rounded]))
