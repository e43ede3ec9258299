"""The catalogue queries of the db_stats probe: PostgreSQL 13 and later, as a member of pg_monitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.sql import Sql

_DUMPS = ("pg_dump", "pg_dumpall", "pg_basebackup", "pgbackrest", "barman", "wal-g")
"""Programs that hold a transaction open for as long as a dump takes, by the start of application_name."""
TABLES_MAX = 200
"""So many tables are read, the biggest first."""

_ACCESS = """
SELECT current_user AS role,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_read,
       current_setting('server_version_num')::int AS version_num,
       (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements') AS statements_schema,
       position('pg_stat_statements' IN current_setting('shared_preload_libraries')) > 0 AS preloaded
"""
_STATEMENTS = """
SELECT s.queryid, s.userid, pg_get_userbyid(s.userid) AS role, left(s.query, 400) AS text, s.calls,
       s.total_exec_time / 1000 AS total_s, s.mean_exec_time / 1000 AS mean_s,
       s.stddev_exec_time / 1000 AS stddev_s, s.max_exec_time / 1000 AS max_s
  FROM {schema}.pg_stat_statements s
  LEFT JOIN pg_roles r ON r.oid = s.userid
 WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND s.queryid IS NOT NULL AND s.calls > 0
   -- Monitoring is not the application; a superuser is a member of everything and may well be it.
   AND s.userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
   AND (r.rolsuper OR r.oid IS NULL OR NOT pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'))
"""
_SERVER = """
SELECT current_database() AS database, current_setting('server_version') AS server_version,
       extract(epoch FROM clock_timestamp())::float8 AS at,
       extract(epoch FROM d.stats_reset)::float8 AS reset_at,
       extract(epoch FROM pg_postmaster_start_time())::float8 AS started_at,
       d.blks_hit, d.blks_read, d.deadlocks, d.temp_bytes,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           AS connections_max,
       CASE WHEN current_setting('archive_mode') = 'off' THEN NULL
            ELSE coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false)
       END AS archiver_failing
  FROM pg_stat_database d CROSS JOIN pg_stat_archiver a
 WHERE d.datname = current_database()
"""
_OPEN = """
SELECT extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
       concat_ws(' ', a.usename, nullif(a.application_name, ''), a.state) AS by
  FROM pg_stat_activity a
 WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
   AND NOT starts_with_any
 ORDER BY a.xact_start LIMIT 1
""".replace(
    "NOT starts_with_any",
    " AND ".join(f"a.application_name NOT ILIKE '{name}%%'" for name in _DUMPS),
)
_WAITING = """
SELECT extract(epoch FROM clock_timestamp() - coalesce({since}, a.query_start))::float8 AS seconds,
       concat_ws(' ', l.mode, coalesce(l.relation::regclass::text, l.locktype)) AS what
  FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 -- Whoever stands by to become the leader waits for an advisory lock all day, and rightly so.
 WHERE NOT l.granted AND l.locktype <> 'advisory'
   AND coalesce(l.database, a.datid) = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1 DESC LIMIT 1
"""
_TABLES = f"""
SELECT quote_ident(s.schemaname) || '.' || quote_ident(s.relname) AS name,
       greatest(s.n_live_tup, c.reltuples::bigint, 0) AS rows, s.n_dead_tup AS dead, s.seq_scan,
       to_char(greatest(s.last_autovacuum, s.last_vacuum) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
           AS last_vacuum
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
 ORDER BY greatest(s.n_live_tup, c.reltuples::bigint) DESC LIMIT {TABLES_MAX}
"""  # noqa: S608 - a constant of this module
_REPLICAS = """
SELECT coalesce(nullif(application_name, ''), client_addr::text, '?') AS name, coalesce(state, '') AS state,
       extract(epoch FROM replay_lag)::float8 AS lag_s
  FROM pg_stat_replication ORDER BY 1
"""
_UNUSED = """
SELECT s.indexrelid::regclass::text AS name
  FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
 WHERE s.idx_scan = 0 AND NOT i.indisunique AND pg_relation_size(s.indexrelid) > 1048576
 ORDER BY pg_relation_size(s.indexrelid) DESC LIMIT 20
"""


@dataclass(frozen=True)
class Access:
    """What the server and the role allow: the version number, and the extension's schema."""

    version_num: int
    schema: str


@dataclass(frozen=True)
class Snapshot:
    """One look; times are Unix times by the server's clock, pairs are (seconds, of whom or what)."""

    at: float
    database: str
    server_version: str
    stats_since: float
    statements: dict[tuple[int, int], dict[str, Any]]
    counters: dict[str, int]
    tables: dict[str, dict[str, Any]]
    open_tx: tuple[float, str]
    lock_wait: tuple[float, str]
    connections: int
    connections_max: int
    replicas: tuple[tuple[str, str, float | None], ...]
    archiver_failing: bool | None


def access(sql: Sql) -> Access:
    """Say what is missing, and the statement that mends it, unless the statistics can be read."""
    row = sql.one(_ACCESS)
    if not row["may_read"]:
        raise CannotLook(
            Reason.NO_ACCESS,
            f"role {row['role']} may not read all statistics; run: GRANT pg_monitor TO {row['role']};",
        )
    if row["statements_schema"] is None:
        raise CannotLook(
            Reason.NO_EVIDENCE,
            "nobody counts statements in this database; run: CREATE EXTENSION pg_stat_statements; (with "
            "shared_preload_libraries = 'pg_stat_statements' and a restart)",
        )
    if not row["preloaded"]:
        raise CannotLook(
            Reason.NO_EVIDENCE,
            "nobody counts statements: the server does not load the extension; run: ALTER SYSTEM SET "
            "shared_preload_libraries = 'pg_stat_statements'; and restart it",
        )
    if row["version_num"] < 130000:
        raise CannotLook(Reason.NO_EVIDENCE, f"PostgreSQL {row['version_num'] // 10000} is older than 13")
    return Access(row["version_num"], row["statements_schema"])


def snapshot(sql: Sql, may: Access) -> Snapshot:
    """Read everything once."""
    server = sql.one(_SERVER)
    since = [value for value in (server["reset_at"], _statements_since(sql, may)) if value is not None]
    waiting = _WAITING.format(since="l.waitstart" if may.version_num >= 140000 else "NULL::timestamptz")
    return Snapshot(
        at=server["at"],
        database=server["database"],
        server_version=server["server_version"],
        # Statistics that were never reset do not say when they began: at the server's start at the latest.
        stats_since=max(since, default=server["started_at"]),
        statements={
            (row["queryid"], row["userid"]): row for row in sql.rows(_STATEMENTS.format(schema=may.schema))
        },
        counters={name: int(server[name]) for name in ("blks_hit", "blks_read", "deadlocks", "temp_bytes")},
        tables={row["name"]: row for row in sql.rows(_TABLES)},
        open_tx=_longest(sql.one(_OPEN), "by"),
        lock_wait=_longest(sql.one(waiting), "what"),
        connections=server["connections"],
        connections_max=server["connections_max"],
        replicas=tuple((row["name"], row["state"], row["lag_s"]) for row in sql.rows(_REPLICAS)),
        archiver_failing=server["archiver_failing"],
    )


def unused_indexes(sql: Sql) -> tuple[str, ...]:
    """Return indexes that no query has used since the statistics began, the biggest first."""
    return tuple(str(row["name"]) for row in sql.rows(_UNUSED))


def _statements_since(sql: Sql, may: Access) -> float | None:
    if may.version_num < 140000:
        return None
    query = f"SELECT extract(epoch FROM stats_reset)::float8 AS at FROM {may.schema}.pg_stat_statements_info"  # noqa: S608
    value = sql.one(query).get("at")
    return None if value is None else float(value)


def _longest(row: dict[str, Any], name: str) -> tuple[float, str]:
    return (float(row["seconds"] or 0.0), str(row[name])) if row else (0.0, "")
