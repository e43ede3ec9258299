"""The db_activity probe: whether the application reads and writes, by the server's own statistics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import db_activity_queries as queries
from pytest_deploycheck.probes import loki
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

_PAUSE_S = 0.5
_LINES_MAX = 2000


@dataclass(frozen=True)
class TableGrant:
    """What the application's role may do with a business table."""

    table: str
    reads: bool
    inserts: bool


@dataclass(frozen=True)
class IdleSession:
    """A session that holds a transaction open and does nothing; `idle_s`: for how long, in seconds."""

    role: str
    application: str
    idle_s: float


@dataclass(frozen=True)
class DbActivityFacts:
    """The database over a window, and what stands in its way.

    replica: the connection leads to one, where no write is ever counted.  window_s: how long was watched.
    commits, rollbacks, deadlocks: in that window, of this database, ours included.  inserts: rows by
    business table in the window; absent: business tables that do not exist.  app_role: the application's,
    empty when it has no session.  grants: its rights.  read_only: where its transactions are made read
    only by default.  idle: sessions idle in a transaction, longest first.  sequences: (name, share used).
    log_service: whose log was read, empty when none is known; log_errors: its lines of the error classes
    40, 53, 57 and 58 of the last log_s seconds, None when unseen; log_lines: the first of them.
    """

    role: str
    replica: bool
    window_s: float
    commits: int
    rollbacks: int
    deadlocks: int
    inserts: tuple[tuple[str, int], ...]
    absent: tuple[str, ...]
    app_role: str
    grants: tuple[TableGrant, ...]
    read_only: tuple[str, ...]
    idle: tuple[IdleSession, ...]
    sequences: tuple[tuple[str, float], ...]
    log_service: str
    log_s: float
    log_errors: int | None
    log_lines: tuple[str, ...]

    @property
    def rollback_ratio(self) -> float:
        """Rollbacks of all transactions in the window."""
        return self.rollbacks / max(self.commits + self.rollbacks, 1)


@probe(facts=DbActivityFacts, deadline=90, needs=("api", "db_gate"), uses={"db": "read", "logs": "GET"})
def db_activity(target: Target, connect: Connections) -> DbActivityFacts:
    """Watch PostgreSQL's counters for a while, and look for what keeps the application from writing."""
    assert target.db is not None  # the gate saw it
    sql, tables = connect.sql(), target.db.business_tables
    access = sql.one(queries.ACCESS)
    if not access["may_read"]:
        role = access["role"]
        raise CannotLook(Reason.NO_ACCESS, f"role {role} sees no other sessions; GRANT pg_monitor TO {role}")
    app_role = target.db.app_role or str(sql.one(queries.APP_ROLE).get("role", ""))
    window_s, counters, moved, absent = _watch(target, connect, sql)
    lookback, lines = _log(target, connect)
    return DbActivityFacts(
        role=str(access["role"]),
        replica=bool(access["replica"]),
        window_s=round(window_s, 2),
        commits=counters["commits"],
        rollbacks=counters["rollbacks"],
        deadlocks=counters["deadlocks"],
        inserts=moved,
        absent=absent,
        app_role=app_role,
        grants=tuple(
            TableGrant(str(row["name"]), bool(row["reads"]), bool(row["inserts"]))
            for row in sql.rows(queries.GRANTS, (app_role, tables, tables))
        ),
        read_only=tuple(
            f"{row['role']} in {row['database']}" for row in sql.rows(queries.READ_ONLY, (app_role,))
        ),
        idle=tuple(
            IdleSession(str(row["role"]), str(row["application"]), round(float(row["idle_s"]), 1))
            for row in sql.rows(queries.IDLE)
        ),
        sequences=queries.used(sql),
        log_service=_log_service(target),
        log_s=lookback,
        log_errors=None if lines is None else len(lines),
        log_lines=tuple(line[:300] for line in (lines or ())[:5]),
    )


def _watch(
    target: Target, connect: Connections, sql: Sql
) -> tuple[float, dict[str, int], tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Watch until something was inserted, at least the shortest window and at most the whole one."""
    assert target.db is not None
    tables, limits = target.db.business_tables, target.limits
    first, rows = sql.one(queries.COUNTERS), queries.inserts(sql, tables)
    began = time.monotonic()
    while True:
        connect.sleep(_PAUSE_S)
        now = queries.inserts(sql, tables)
        elapsed = time.monotonic() - began
        moved = {name: now[name] - rows.get(name, 0) for name in now}
        enough = any(moved.values()) and elapsed >= limits.db_window_min_s
        if enough or elapsed >= limits.db_window_s:
            break
    last = sql.one(queries.COUNTERS)
    absent = tuple(name for name in tables if name.rpartition(".")[2] not in now)
    return elapsed, {name: int(last[name] - first[name]) for name in first}, tuple(moved.items()), absent


def _log_service(target: Target) -> str:
    """Return the database's name in the log backend: the configured one, or the one that sounds like it."""
    if target.logs is None or target.db is None:
        return ""
    alike = [
        name for name in target.logs.services if "postgres" in name.lower() or name.lower() in ("db", "pg")
    ]
    return target.db.log_service or (alike[0] if alike else "")


def _log(target: Target, connect: Connections) -> tuple[float, list[str] | None]:
    """Return how far back the database's log was read, and its lines of the grave classes."""
    service = _log_service(target)
    lookback, now = float(target.limits.db_log_lookback_s), connect.now()
    if target.release.deployed_at is not None:
        lookback = max(min(lookback, (now - target.release.deployed_at).total_seconds()), 1.0)
    if not service:
        return lookback, None
    try:
        logs = loki.client(target, connect)
        query = f'{logs.selector(service)} |~ "ERROR|FATAL|PANIC"'
        found = logs.lines(query, now.timestamp() - lookback, now.timestamp() + 1, limit=_LINES_MAX)
    except (Dead, CannotLook):
        return lookback, None  # the log backend has an item of its own
    return lookback, [line.text for line in found if queries.grave(line.text)]
