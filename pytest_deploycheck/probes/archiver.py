"""Whether the database's log of changes (WAL) is archived, and how far behind that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_STATE = """
SELECT current_setting('archive_mode') <> 'off' AS mode,
       (SELECT setting::float8 FROM pg_settings WHERE name = 'archive_timeout') AS timeout_s,
       extract(epoch FROM now() - a.last_archived_time)::float8 AS archived_ago_s,
       extract(epoch FROM now() - a.last_failed_time)::float8 AS failed_ago_s,
       a.archived_count, a.failed_count, coalesce(a.last_failed_wal, '') AS last_failed_wal,
       pg_is_in_recovery() AS standby
  FROM pg_stat_archiver a
"""
_BEHIND = """
SELECT greatest(0, (pg_current_wal_lsn() - '0/0'::pg_lsn)::numeric
         - ('x' || substr(a.last_archived_wal, 9, 8))::bit(32)::bigint::numeric * 4294967296
         - (('x' || substr(a.last_archived_wal, 17, 8))::bit(32)::bigint + 1)
           * pg_size_bytes(current_setting('wal_segment_size')))::float8 AS bytes
  FROM pg_stat_archiver a WHERE a.last_archived_wal ~ '^[0-9A-F]{24}'
"""


@dataclass(frozen=True)
class ArchiverFacts:
    """What PostgreSQL says of its archiver.

    on: WAL is archived.  timeout_s: a segment is finished after that, 0 only when it is full.  archived_ago_s,
    failed_ago_s: since the newest success and failure, None without one.  behind_bytes: written since the newest
    archived segment, None unknown.  standby: it is one, which need not archive.
    """

    on: bool
    timeout_s: float
    archived_ago_s: float | None
    failed_ago_s: float | None
    failed_wal: str
    behind_bytes: float | None
    standby: bool

    @property
    def failing(self) -> bool:
        """Whether the newest attempt failed."""
        if self.failed_ago_s is None:
            return False
        return self.archived_ago_s is None or self.failed_ago_s < self.archived_ago_s


@probe(facts=ArchiverFacts, deadline=10, needs=("db_gate",), uses={"db": "read"})
def archiver(target: Target, connect: Connections) -> ArchiverFacts:
    """Ask for the archiver's state."""
    sql = connect.sql()
    row = sql.one(_STATE)
    behind = sql.rows(_BEHIND) if row["mode"] and not row["standby"] else []
    return ArchiverFacts(
        on=row["mode"],
        timeout_s=row["timeout_s"],
        archived_ago_s=row["archived_ago_s"],
        failed_ago_s=row["failed_ago_s"],
        failed_wal=row["last_failed_wal"],
        behind_bytes=behind[0]["bytes"] if behind else None,
        standby=row["standby"],
    )
