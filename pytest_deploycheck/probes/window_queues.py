"""What the target file's own queries say of the first day: refunds and disputes, and what waits in queues.

A queue's lag is the age of the oldest row in it. Webhooks, mails and payouts are queues like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_deploycheck.transports.sql import Sql

LISTED_MAX = 20


@dataclass(frozen=True)
class Refunds:
    """Rows of one query of `watch.refund_queries` within the window: `newest` are the times of the last twenty."""

    name: str
    count: int
    newest: tuple[str, ...]


@dataclass(frozen=True)
class Queue:
    """Rows of one query of `watch.queue_queries` from before the window's end that still wait.

    oldest_s: the age of the oldest, 0 where none waits.
    """

    name: str
    waiting: int
    oldest_s: float


def refunds(sql: Sql, queries: Mapping[str, str], start: datetime, end: datetime) -> tuple[Refunds, ...]:
    """Count and list what each query has between two times."""
    found = []
    for name, query in sorted(queries.items()):
        within = f"FROM ({query}) AS q WHERE q.created_at >= %s AND q.created_at < %s"
        (counted,) = sql.rows(f"SELECT count(*) AS n {within}", (start, end))
        rows = sql.rows(
            f"SELECT q.created_at AS at {within} ORDER BY q.created_at DESC LIMIT %s",
            (start, end, LISTED_MAX),
        )
        found.append(Refunds(name, int(counted["n"]), tuple(_iso(row["at"]) for row in rows)))
    return tuple(found)


def queues(sql: Sql, queries: Mapping[str, str], end: datetime, now: datetime) -> tuple[Queue, ...]:
    """Count what of each query has waited since before a time, and for how long."""
    found = []
    for name, query in sorted(queries.items()):
        (row,) = sql.rows(
            f"SELECT count(*) AS n, min(q.created_at) AS oldest FROM ({query}) AS q "  # noqa: S608 - the target's own
            "WHERE q.created_at < %s",
            (end,),
        )
        oldest = row["oldest"]
        age = (now - _aware(oldest)).total_seconds() if oldest is not None else 0.0
        found.append(Queue(name, int(row["n"]), round(max(0.0, age), 3)))
    return tuple(found)


def _aware(at: Any) -> datetime:
    found = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _iso(at: Any) -> str:
    return _aware(at).astimezone(UTC).isoformat(timespec="seconds")
