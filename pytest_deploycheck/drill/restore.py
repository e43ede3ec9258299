"""Restoring a backup for real: into a PostgreSQL of its own, compared with what was noted when it was made.

    restored = restore(dump, programs=bin_dir, folder=scratch, production="7412…", noted=Noted(...))
    restored.facts()                  # the facts of a record of operations.backup.restore, but where it came from

`note(connection, tables)` is called when the backup is made, in the very snapshot that is dumped: rows and checksum of
each sentinel table, and the head of the migrations. `restore` makes a new cluster in a folder of its own, reachable
only through a socket in it, restores the dump, takes the same values again, checks every B-tree with amcheck, and
throws the cluster away. It refuses a cluster that has the system identifier of production.

As a command, for a dump that was fetched from the repository off the host (`restic -r … dump LABEL FILE > dump`):

    python -m pytest_deploycheck.drill.restore dump noted.json --production 7412… --label ab12cd34 --repo offsite

prints the facts as JSON; sign them with `deploycheck attest operations.backup.restore --facts FILE`. The command
`… restore --note DSN TABLE…` prints what is to be noted.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.drill.scratch import RestoreError, cluster, run

if TYPE_CHECKING:
    import psycopg

DATABASE = "restored"
# How values are written as text depends on the session's settings.
_WRITTEN = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_HEADS = {
    "schema_migrations": "version::text",
    "alembic_version": "version_num",
    "django_migrations": "app || '.' || name",
    "flyway_schema_history": "version",
    "goose_db_version": "version_id::text",
    "_prisma_migrations": "migration_name",
}


@dataclass(frozen=True)
class Noted:
    """What was noted when a backup was made.

    tables: (name, (rows, checksum)).  head: the newest migration, empty where there is no table of them.
    """

    tables: Mapping[str, tuple[int, str]]
    head: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        tables = {
            name: {"rows": rows, "checksum": checksum} for name, (rows, checksum) in self.tables.items()
        }
        return {"tables": tables, "head": self.head}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Noted:
        """Read it again."""
        tables = {name: (int(one["rows"]), str(one["checksum"])) for name, one in values["tables"].items()}
        return cls(tables, str(values.get("head", "")))


@dataclass(frozen=True)
class Restored:
    """A restored backup beside what was noted of it.

    identifier: of the scratch cluster.  amcheck: "clean", "damaged", or "unavailable".  took_s: from the start of
    the restore until the values were compared.
    """

    identifier: str
    version: str
    started_at: datetime
    took_s: float
    amcheck: str
    noted: Noted
    found: Noted
    smoke: Mapping[str, bool] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return what a record of a restore says of it."""
        return {
            "scratch_identifier": self.identifier,
            "scratch_host": socket.gethostname(),
            "pg_version": self.version,
            "started_at": self.started_at.isoformat(),
            "ended_at": (self.started_at + timedelta(seconds=self.took_s)).isoformat(),
            "duration_s": round(self.took_s, 2),
            "amcheck": self.amcheck,
            "head": self.found.head,
            "head_at_backup": self.noted.head,
            "tables": {
                name: {"rows": rows, "checksum": sum_} for name, (rows, sum_) in self.found.tables.items()
            },
            "tables_at_backup": self.noted.to_json()["tables"],
            "smoke": dict(self.smoke),
        }


def note(connection: psycopg.Connection[Any], tables: Iterable[str]) -> Noted:
    """Count and hash tables in one snapshot; rows are hashed one by one and added up, so that order is no matter."""
    from psycopg import sql

    found: dict[str, tuple[int, str]] = {}
    for name, value in _WRITTEN.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    for table in tables:
        statement = sql.SQL(
            "SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint::numeric), 0)::text"
            " FROM {} t"
        ).format(sql.Identifier(*table.split(".")))
        row = connection.execute(statement).fetchone()
        assert row is not None
        found[table] = (int(row[0]), str(row[1]))
    return Noted(found, _head(connection))


def _head(connection: psycopg.Connection[Any]) -> str:
    from psycopg import sql

    for table, column in _HEADS.items():
        known = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
        if known and known[0]:
            statement = "SELECT coalesce(max(({column}) COLLATE \"C\"), '') FROM {table}".replace(
                "{column}", column
            )
            row = connection.execute(sql.SQL(statement).format(table=sql.Identifier(table))).fetchone()
            return str(row[0]) if row else ""
    return ""


def restore(
    dump: Path,
    *,
    programs: Path,
    folder: Path,
    production: str,
    noted: Noted,
    roles: Sequence[str] = (),
    smoke: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    user: str | None = None,
) -> Restored:
    """Restore a dump of pg_dump's custom format into a new cluster below a folder, and compare.

    production: the system identifier that the scratch cluster must not have.  roles: that own things in the dump.
    smoke: SELECTs of one truth value each, by name: what the application would ask first.  prefix, user: how to run
    PostgreSQL's programs as an account that is not root.  RestoreError where a step fails.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    with cluster(programs, folder, prefix, user) as (dsn, identifier):
        if identifier == production:
            raise RestoreError(f"the scratch cluster has production's system identifier {production}")
        import psycopg
        from psycopg import sql

        with psycopg.connect(f"{dsn} dbname=postgres", autocommit=True) as server:
            for role in roles:
                server.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(DATABASE)))
        run(
            "pg_restore", [programs / "pg_restore", "--exit-on-error", "-d", f"{dsn} dbname={DATABASE}", dump]
        )
        with psycopg.connect(f"{dsn} dbname={DATABASE}") as database:
            found = note(database, noted.tables)
            answers = {name: _true(database, statement) for name, statement in (smoke or {}).items()}
            row = database.execute("SHOW server_version").fetchone()
            sound = _amcheck(database)
        took = time.monotonic() - begun
    return Restored(identifier, str(row[0] if row else ""), started, took, sound, noted, found, answers)


def _true(database: psycopg.Connection[Any], statement: str) -> bool:
    row = database.execute(statement.encode()).fetchone()
    return bool(row and row[0] is True)


def _amcheck(database: psycopg.Connection[Any]) -> str:
    import psycopg

    try:
        database.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        database.execute(
            "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE a.amname = 'btree' AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_toast%'"
        )
    except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
        return "unavailable"
    except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted):
        return "damaged"
    finally:
        database.rollback()
    return "clean"


def main(arguments: Sequence[str]) -> int:
    """Restore a dump, or note what is to be compared later; print JSON."""
    import argparse

    import psycopg

    parser = argparse.ArgumentParser(prog="python -m pytest_deploycheck.drill.restore")
    parser.add_argument("dump", help="a dump of pg_dump -Fc, or with --note the database's address")
    parser.add_argument("noted", nargs="+", help="the file of what was noted, or with --note the tables")
    parser.add_argument("--note", action="store_true", help="note rows and checksums of tables")
    parser.add_argument("--production", default="", help="production's system identifier")
    parser.add_argument("--label", default="", help="the backup's label in the catalogue")
    parser.add_argument("--repo", default="", help="the repository's name in the target file")
    parser.add_argument("--role", action="append", default=[], help="a role that owns things in the dump")
    parser.add_argument(
        "--smoke", action="append", default=[], metavar="NAME=SELECT", help="one truth value each"
    )
    given = parser.parse_args(arguments)
    if given.note:
        with psycopg.connect(given.dump) as database:
            print(json.dumps(note(database, given.noted).to_json()))
        return 0
    if not given.production:
        parser.error("--production is needed: SELECT system_identifier FROM pg_control_system()")
    found = shutil.which("postgres")
    if found is None:
        parser.error("postgres is not on PATH; add the folder of initdb, postgres and pg_restore to it")
    noted = Noted.of_json(json.loads(Path(given.noted[0]).read_text()))
    with tempfile.TemporaryDirectory(prefix="restore-") as scratch:
        try:
            restored = restore(
                Path(given.dump),
                programs=Path(found).resolve().parent,
                folder=Path(scratch),
                production=given.production,
                noted=noted,
                roles=given.role,
                smoke=dict(one.split("=", 1) for one in given.smoke),
            )
        except RestoreError as error:
            print(error, file=sys.stderr)
            return 1
    facts = {"label": given.label, "repo": given.repo, "operator": os.environ.get("USER", "")}
    print(json.dumps({**facts, **restored.facts()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
