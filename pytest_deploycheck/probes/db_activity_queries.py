"""What the db_activity probe asks PostgreSQL (11 and later) as a member of pg_monitor, and its log lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.sql import Sql

ACCESS = """
SELECT current_user AS role, pg_is_in_recovery() AS replica,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_read
"""
COUNTERS = """
SELECT xact_commit AS commits, xact_rollback AS rollbacks, deadlocks
  FROM pg_stat_database WHERE datname = current_database()
"""
INSERTS = """
SELECT relname AS name, sum(n_tup_ins)::bigint AS inserts FROM pg_stat_user_tables
 WHERE relname = ANY(%s) OR schemaname || '.' || relname = ANY(%s) GROUP BY relname
"""
IDLE = """
SELECT coalesce(usename, '') AS role, coalesce(application_name, '') AS application,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS idle_s
  FROM pg_stat_activity
 WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
 ORDER BY idle_s DESC LIMIT 20
"""
# The application's role is the one with most sessions of those that may write to any table.
APP_ROLE = """
SELECT r.rolname AS role, count(*) AS sessions
  FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.usename <> current_user
   AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema)'
                  AND has_table_privilege(r.oid, c.oid, 'INSERT'))
 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1
"""
GRANTS = """
SELECT c.relname AS name, has_table_privilege(r.oid, c.oid, 'SELECT') AS reads,
       has_table_privilege(r.oid, c.oid, 'INSERT') AS inserts
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
 WHERE c.relkind IN ('r', 'p') AND r.rolname = %s
   AND (c.relname = ANY(%s) OR n.nspname || '.' || c.relname = ANY(%s)) AND n.nspname !~ '^pg_'
 ORDER BY 1
"""
READ_ONLY = """
SELECT coalesce(r.rolname, 'every role') AS role, coalesce(d.datname, 'every database') AS database
  FROM pg_db_role_setting s
  LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
       unnest(s.setconfig) AS setting
 WHERE setting ~* '^default_transaction_read_only=(on|true|yes|1)$'
   AND (s.setrole = 0 OR r.rolname = %s) AND (s.setdatabase = 0 OR d.datname = current_database())
"""
SEQUENCES = """
SELECT n.nspname || '.' || s.relname AS name,
       least(q.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                       ELSE 9223372036854775807 END)::numeric AS largest,
       p.last_value, quote_ident(tn.nspname) || '.' || quote_ident(t.relname) AS owner,
       quote_ident(a.attname) AS owner_column,
       coalesce(has_column_privilege(t.oid, a.attnum, 'SELECT'), false) AS readable
  FROM pg_sequence q
  JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace n ON n.oid = s.relnamespace
  LEFT JOIN pg_sequences p ON p.schemaname = n.nspname AND p.sequencename = s.relname
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
  LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE NOT q.seqcycle AND q.seqincrement > 0
 ORDER BY 1 LIMIT 200
"""

# SQLSTATE classes 40 transaction rollback, 53 insufficient resources, 57 operator intervention, 58 system
# error; of these not 40001, 57014, 57P01, 57P03 and 57P05: a serialization failure that is tried again,
# timeouts that were set on purpose and a planned restart are the database doing what it was told.
_STATE = re.compile(
    r"\b(?!40001|57014|57P01|57P03|57P05)(?:40|53|57|58)[0-9A-Z]{3}\b(?=.*\b(?:ERROR|FATAL|PANIC)\b)"
)
_WORDS = re.compile(
    r"(?:ERROR|FATAL|PANIC):\s+(?:deadlock detected|out of memory|could not extend file|disk full"
    r"|remaining connection slots|sorry, too many clients|too many connections"
    r"|terminating connection because of crash|the database system is in recovery mode"
    r"|.*: (?:No space left on device|Input/output error))"
)


def grave(line: str) -> bool:
    """Whether a line of PostgreSQL's log is an error of these classes, by its SQLSTATE or its words."""
    return bool(_STATE.search(line) or _WORDS.search(line))


def used(sql: Sql) -> tuple[tuple[str, float], ...]:
    """Return the sequences that can be seen, each with the share of its values that is used up.

    Seen by its last value, which takes SELECT on the sequence, or by the largest value of its column.
    """
    found = []
    for row in sql.rows(SEQUENCES):
        last = row["last_value"]
        if last is None and row["readable"]:
            last = _largest(sql, str(row["owner"]), str(row["owner_column"]))
        if last is not None:
            found.append((str(row["name"]), round(float(last) / float(row["largest"]), 6)))
    return tuple(found)


def _largest(sql: Sql, owner: str, column: str) -> Any:
    try:
        # Both were quoted by the server.
        return sql.one(f"SELECT max({column}) AS largest FROM {owner}").get("largest")  # noqa: S608
    except CannotLook as why:
        if why.reason in (Reason.NO_ACCESS, Reason.TIMEOUT):
            return None
        raise


def inserts(sql: Sql, tables: Sequence[str]) -> dict[str, int]:
    """Return how many rows each of some tables, named with or without schema, has had inserted."""
    names = list(tables)
    return {str(row["name"]): int(row["inserts"]) for row in sql.rows(INSERTS, (names, names))}
