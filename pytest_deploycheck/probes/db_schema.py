"""The db_schema probe: what the schema and the settings make slow, or wrong, once there are many rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, Reads, probe
from pytest_deploycheck.probes import db_schema_queries as queries
from pytest_deploycheck.probes.db_activity_queries import used

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_UNITS = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 2**20, "16MB": 2**24, "GB": 2**30}
_KEPT = 200
_POSTGRES = "ps -C postgres -o pid="
_MEMORY = "cat /proc/meminfo"


@dataclass(frozen=True)
class Table:
    """A table; inserted: rows since the statistics began.  business: the target file says it matters.

    has_key: a primary key or as good as one.  analyzed: the planner has statistics of it.
    """

    name: str
    rows: int
    inserted: int
    business: bool
    has_key: bool
    analyzed: bool
    autovacuum_off: bool

    def matters(self, min_rows: int) -> bool:
        """Whether it is big, grows, or is one that the business lives on."""
        return self.business or max(self.rows, self.inserted) >= min_rows


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key that no index serves."""

    table: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class DbSchemaFacts:
    """One database's schema and its server's settings.

    tables: those with a fault of their own, and those that foreign keys without an index are on; n_tables,
    n_foreign_keys: how many were examined.  broken: (index, table) that a failed build left.  duplicates:
    names of indexes that are exactly alike.  unvalidated: (table, constraint) whose old rows were never
    checked.  sequences: (name, share used).  preloaded, counts_statements: pg_stat_statements is loaded, and
    made in this database.  slow_statements_logged: by whichever setting.  memory_bytes: what the server may
    use, None where unknown; memory_from says whence.  xid_age, multixact_age: the oldest of any database.
    """

    database: str
    tables: tuple[Table, ...]
    n_tables: int
    unindexed: tuple[ForeignKey, ...]
    n_foreign_keys: int
    broken: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, ...], ...]
    unvalidated: tuple[tuple[str, str], ...]
    sequences: tuple[tuple[str, float], ...]
    allowlist: tuple[str, ...]
    role: str
    may_read_settings: bool
    preloaded: bool
    counts_statements: bool
    autovacuum: bool
    checksums: bool
    slow_statements_logged: bool
    shared_buffers_bytes: int
    work_mem_bytes: int
    max_connections: int
    memory_bytes: int | None
    memory_from: str
    xid_age: int
    xid_freeze_max_age: int
    multixact_age: int
    multixact_freeze_max_age: int

    def table(self, name: str) -> Table:
        """Return a table of `tables`."""
        return next(table for table in self.tables if table.name == name)

    def accepted(self, *names: str) -> bool:
        """Whether the target file says that one of these may stay as it is."""
        return any(name in self.allowlist for name in names)


def _reads(target: Target) -> Reads:
    known = target.db is None or target.db.memory_bytes
    return Reads(main=() if known else (_POSTGRES, _MEMORY))


@probe(
    facts=DbSchemaFacts,
    deadline=60,
    needs=("db_gate",),
    after=("ssh_gate",),
    uses={"db": "read", "host": "read"},
    reads=_reads,
)
def db_schema(target: Target, connect: Connections) -> DbSchemaFacts:
    """Read tables, keys, indexes, constraints, sequences and settings out of PostgreSQL's catalogue."""
    assert target.db is not None  # the gate saw it
    sql = connect.sql()
    server = sql.one(queries.SERVER)
    settings = {str(row["name"]): row for row in sql.rows(queries.SETTINGS)}
    tables = [_table(row, target.db.business_tables) for row in sql.rows(queries.TABLES)]
    keys = sql.rows(queries.FOREIGN_KEYS)
    unindexed = tuple(_unindexed(keys))
    of_keys = {key.table for key in unindexed}
    found = DbSchemaFacts(
        database=str(server["database"]),
        tables=tuple(table for table in tables if _faulty(table) or table.name in of_keys)[:_KEPT],
        n_tables=len(tables),
        unindexed=unindexed[:_KEPT],
        n_foreign_keys=len(keys),
        broken=_pairs(sql.rows(queries.BROKEN)),
        duplicates=tuple(tuple(map(str, row["names"])) for row in sql.rows(queries.DUPLICATES)),
        unvalidated=_pairs(sql.rows(queries.unvalidated(int(server["version_num"])))),
        sequences=used(sql),
        allowlist=tuple(target.db.index_allowlist),
        role=str(server["role"]),
        may_read_settings=bool(server["may_read_settings"]),
        preloaded="pg_stat_statements" in _text(settings, "shared_preload_libraries"),
        counts_statements=bool(server["counts_statements"]),
        autovacuum=_text(settings, "autovacuum") == "on" and _text(settings, "track_counts") == "on",
        checksums=_text(settings, "data_checksums") == "on",
        slow_statements_logged=any(
            float(_text(settings, name) or -1) >= 0
            for name in (
                "log_min_duration_statement",
                "log_min_duration_sample",
                "auto_explain.log_min_duration",
            )
        ),
        shared_buffers_bytes=_bytes(settings["shared_buffers"]),
        work_mem_bytes=_bytes(settings["work_mem"]),
        max_connections=int(_text(settings, "max_connections")),
        memory_bytes=target.db.memory_bytes or None,
        memory_from="db.memory_bytes",
        xid_age=int(server["xid_age"]),
        xid_freeze_max_age=int(_text(settings, "autovacuum_freeze_max_age")),
        multixact_age=int(server["multixact_age"]),
        multixact_freeze_max_age=int(_text(settings, "autovacuum_multixact_freeze_max_age")),
    )
    sql.close()
    return found if found.memory_bytes else _with_memory(found, connect)


def _with_memory(facts: DbSchemaFacts, connect: Connections) -> DbSchemaFacts:
    """Take the main server's memory for the database's, if its processes run there."""
    memory, why = None, "PostgreSQL does not run on the main server"
    try:
        if connect.read(_POSTGRES).stdout.strip():
            found = re.search(r"MemTotal:\s+(\d+) kB", connect.read(_MEMORY).stdout)
            memory, why = (int(found[1]) * 1024 if found else None), "the main server"
    except (CannotLook, Dead) as error:
        why = error.message
    return replace(facts, memory_bytes=memory, memory_from=why)


def _table(row: dict[str, Any], business: Iterable[str]) -> Table:
    names = {str(row["bare"]), f"{row['schema']}.{row['bare']}"}
    return Table(
        name=str(row["name"]),
        rows=int(row["rows"]),
        inserted=int(row["inserted"]),
        business=not names.isdisjoint(business),
        has_key=bool(row["has_key"]),
        # Of a partitioned table only its pieces are looked after by autovacuum.
        analyzed=bool(row["analyzed"]) or bool(row["partitioned"]),
        autovacuum_off=bool(row["autovacuum_off"]),
    )


def _faulty(table: Table) -> bool:
    return not (table.has_key and table.analyzed) or table.autovacuum_off


def _unindexed(rows: Iterable[dict[str, Any]]) -> Iterator[ForeignKey]:
    for row in rows:
        columns = tuple(str(column) for column in row["columns"])
        if not any(_serves(str(predicate), columns) for predicate in row["indexes"]):
            yield ForeignKey(str(row["table"]), str(row["name"]), columns)


def _serves(predicate: str, columns: tuple[str, ...]) -> bool:
    """Whether an index with this condition finds every row by the columns' values."""
    parts = re.split(r"\s+AND\s+", predicate.replace("(", "").replace(")", "")) if predicate else []
    allowed = {f"{column} IS NOT NULL" for column in columns}
    return all(part.strip() in allowed for part in parts)


def _pairs(rows: Iterable[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return (name, table) or (table, name), as the query puts them."""
    pairs = [tuple(str(value) for value in row.values()) for row in rows]
    return tuple((first, second) for first, second in pairs)[:_KEPT]


def _text(settings: dict[str, dict[str, Any]], name: str) -> str:
    return str(settings[name]["value"] or "") if name in settings else ""


def _bytes(row: dict[str, Any]) -> int:
    return int(row["value"]) * _UNITS[str(row["unit"] or "B")]
