"""The database's own statistics of the work done so far, and what changed between two looks.

The two looks matter: a mean over months does not move when today's release made a statement slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import probe
from pytest_deploycheck.plots import Bars
from pytest_deploycheck.probes.db_stats_queries import Snapshot, access, snapshot, unused_indexes

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

TOP = 20
"""So many statements are judged by total time, and as many by mean time."""


@dataclass(frozen=True)
class Statement:
    """One normalised statement of the application, its constants replaced by placeholders.

    calls, mean_s, stddev_s, max_s: since the statistics began.  recent_calls, recent_mean_s: between the two
    looks; the mean is None without a call.
    """

    text: str
    role: str
    calls: int
    total_s: float
    mean_s: float
    stddev_s: float
    max_s: float
    recent_calls: int
    recent_mean_s: float | None

    @property
    def slow_tail_s(self) -> float:
        """Mean plus three standard deviations: what nearly every call stays below."""
        return self.mean_s + 3 * self.stddev_s


@dataclass(frozen=True)
class Table:
    """A table: rows by the statistics, dead rows, and sequential scans between the two looks."""

    name: str
    rows: int
    dead_rows: int
    recent_seq_scans: int
    last_vacuum_at: str | None


@dataclass(frozen=True)
class Replica:
    """A standby that reads along; lag_s is None while there is nothing to replay."""

    name: str
    state: str
    lag_s: float | None


@dataclass(frozen=True)
class DbStatsFacts:
    """What PostgreSQL counted.

    stats_age_s: since the younger of the two kinds of statistics began.  interval_s: between the two looks.
    statements: the top ones by total and by mean time, `n_statements` being the population they come from.
    blocks_hit, blocks_read: since the statistics began.  longest_tx_s: oldest open transaction of a client,
    dumps aside, and whose it is.  longest_lock_wait_s: oldest wait for a lock other than an advisory one, and
    for what.  connections, connections_max: client sessions, and those the server has for ordinary roles.
    deadlocks, temp_bytes: since the statistics began.  recent_temp_bytes_per_s: between the two looks.
    archiver_failing: the newest attempt to archive WAL failed; None when archiving is off.  unused_indexes:
    advice only.
    """

    database: str
    server_version: str
    stats_age_s: float
    interval_s: float
    statements: tuple[Statement, ...]
    n_statements: int
    blocks_hit: int
    blocks_read: int
    tables: tuple[Table, ...]
    longest_tx_s: float
    longest_tx_by: str
    longest_lock_wait_s: float
    longest_lock_wait_for: str
    connections: int
    connections_max: int
    deadlocks: int
    temp_bytes: int
    recent_temp_bytes_per_s: float
    replicas: tuple[Replica, ...]
    archiver_failing: bool | None
    unused_indexes: tuple[str, ...]
    means: Bars

    @property
    def hit_ratio(self) -> float | None:
        """Share of blocks found in the buffer cache, None before the first block."""
        blocks = self.blocks_hit + self.blocks_read
        return self.blocks_hit / blocks if blocks else None


@probe(facts=DbStatsFacts, deadline=75, needs=("db_gate",), uses={"db": "read"})
def db_stats(target: Target, connect: Connections) -> DbStatsFacts:
    """Read the database's statistics twice, with a pause between, as a role that may only read."""
    sql = connect.sql()
    may = access(sql)
    first = snapshot(sql, may)
    sql.close()  # others may want a connection meanwhile
    connect.sleep(target.limits.db_stats_interval_s)
    second = snapshot(sql, may)
    statements = tuple(_statements(first, second, [re.compile(p) for p in target.perf.ignore_statements]))
    top = _top(statements, target.limits.db_min_calls)
    interval = max(second.at - first.at, 0.001)
    waits = max(first.lock_wait, second.lock_wait)
    open_tx = max(first.open_tx, second.open_tx)
    return DbStatsFacts(
        database=second.database,
        server_version=second.server_version,
        stats_age_s=round(second.at - second.stats_since, 3),
        interval_s=round(interval, 3),
        statements=top,
        n_statements=len(statements),
        blocks_hit=second.counters["blks_hit"],
        blocks_read=second.counters["blks_read"],
        tables=tuple(_tables(first, second)),
        longest_tx_s=round(open_tx[0], 3),
        longest_tx_by=open_tx[1],
        longest_lock_wait_s=round(waits[0], 3),
        longest_lock_wait_for=waits[1],
        connections=second.connections,
        connections_max=second.connections_max,
        deadlocks=second.counters["deadlocks"],
        temp_bytes=second.counters["temp_bytes"],
        recent_temp_bytes_per_s=max(0.0, second.counters["temp_bytes"] - first.counters["temp_bytes"])
        / interval,
        replicas=tuple(Replica(*row) for row in second.replicas),
        archiver_failing=second.archiver_failing,
        unused_indexes=unused_indexes(sql),
        means=Bars(
            "Mean time of the statements that take most time",
            "s",
            tuple((one.text[:60], round(one.mean_s, 6)) for one in top[:TOP]),
            target.limits.db_mean_max_s,
        ),
    )


def _statements(first: Snapshot, second: Snapshot, ignored: list[re.Pattern[str]]) -> Iterator[Statement]:
    for key, row in second.statements.items():
        text = " ".join(str(row["text"]).split())
        if not _judged(text) or any(pattern.search(text) for pattern in ignored):
            continue
        before: dict[str, Any] = first.statements.get(key, {"calls": 0, "total_s": 0.0})
        calls = row["calls"] - before["calls"]
        took = row["total_s"] - before["total_s"]
        yield Statement(
            text=text[:200],
            role=str(row["role"]),
            calls=row["calls"],
            total_s=round(row["total_s"], 6),
            mean_s=round(row["mean_s"], 6),
            stddev_s=round(row["stddev_s"], 6),
            max_s=round(row["max_s"], 6),
            recent_calls=max(0, calls),
            # Fewer calls than before: the statistics were reset between the looks.
            recent_mean_s=round(took / calls, 6) if calls > 0 and took >= 0 else None,
        )


def _judged(text: str) -> bool:
    """Whether a statement is the application's daily work: dumps, vacuums and migrations may take long."""
    bare = re.sub(r"^(?:\s|\(|/\*.*?\*/|--[^\n]*\n)+", "", text)
    return re.match(r"(?i)(?:select|insert|update|delete|merge|with)\b", bare) is not None


def _top(statements: tuple[Statement, ...], min_calls: int) -> tuple[Statement, ...]:
    """Return the top statements by total time, then those by mean time and by recent mean time."""
    often = [one for one in statements if one.calls >= min_calls]
    lately = [one for one in statements if one.recent_mean_s is not None]
    chosen = [
        *sorted(statements, key=lambda one: -one.total_s)[:TOP],
        *sorted(often, key=lambda one: -one.mean_s)[:TOP],
        *sorted(lately, key=lambda one: -(one.recent_mean_s or 0.0))[:TOP],
    ]
    return tuple(dict.fromkeys(chosen))


def _tables(first: Snapshot, second: Snapshot) -> Iterator[Table]:
    for name, row in second.tables.items():
        before = first.tables.get(name, row)
        yield Table(
            name=name,
            rows=row["rows"],
            dead_rows=row["dead"],
            recent_seq_scans=max(0, row["seq_scan"] - before["seq_scan"]),
            last_vacuum_at=row["last_vacuum"],
        )
