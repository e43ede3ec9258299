"""What a drill sees of the database: by reads, on a connection for each, since in a drill databases come and go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.migrations import TABLES

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")


class Data:
    """The database's side of a drill's eyes; without a database there is nothing in it."""

    target: Target
    connect: Connections

    def value(self, statement: str) -> Any:
        """Return the first value of a query of the target file, as text or a number; None without one."""
        if not statement:
            return None
        row = self.one_row(statement)
        if not row:
            return None
        found = next(iter(row.values()))
        if isinstance(found, datetime):
            return found.isoformat()
        return float(found) if isinstance(found, int | float) or hasattr(found, "as_tuple") else str(found)

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each business table."""
        return {name: int(self.one_row(f"SELECT count(*) AS n FROM {name}")["n"]) for name in self.tables()}  # noqa: S608 - checked

    def tables(self) -> list[str]:
        """Return the business tables of the target file whose names are names."""
        return [
            name
            for name in (self.target.db.business_tables if self.target.db else [])
            if NAME.fullmatch(name)
        ]

    def lsn(self) -> str | None:
        """Return the position in the write-ahead log; None where nothing is written to it."""
        found = self.one_row(
            "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END::text AS lsn"
        ).get("lsn")
        return None if found is None else str(found)

    def schema_version(self) -> str | None:
        """Return the newest migration that the database says was applied."""
        section = self.target.migrations
        if section.tool is None:
            return None
        table = section.table or TABLES[section.tool]
        column = {
            "alembic": "version_num",
            "django": "name",
            "flyway": "version",
            "prisma": "migration_name",
            "goose": "version_id",
        }.get(section.tool, "version")
        if not NAME.fullmatch(table):
            return None
        row = self.one_row(f"SELECT max({column}) AS v FROM {table}")  # noqa: S608 - checked
        return None if row.get("v") is None else str(row["v"])

    def sequences(self) -> list[dict[str, Any]]:
        """Return each sequence of a business table with its last value and the column's highest."""
        found = []
        for table in self.tables():
            for column in self.all_rows(
                "SELECT a.attname AS name, pg_get_serial_sequence(%s, a.attname) AS sequence FROM pg_attribute a"
                " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
                " AND pg_get_serial_sequence(%s, a.attname) IS NOT NULL",
                (table, table, table),
            ):
                name, sequence = str(column["name"]), str(column["sequence"])
                top = self.one_row(f'SELECT max("{name}") AS top FROM {table}')  # noqa: S608 - of the catalogue
                try:
                    last = self.one_row(
                        "SELECT pg_sequence_last_value(%s::regclass) AS last", (sequence,), admin=True
                    )
                except CannotLook:
                    last = {}
                found.append({"sequence": sequence, "last": last.get("last"), "max": top["top"]})
        return found

    def grants(self) -> list[str] | None:
        """Return what the application's role may not do with the business tables; None where no role is named."""
        role = self.target.db.app_role if self.target.db else ""
        if not role:
            return None
        missing = []
        for table in self.tables():
            row = self.one_row(
                "SELECT has_table_privilege(%s, %s, 'SELECT') AND has_table_privilege(%s, %s, 'INSERT') AS may",
                (role, table, role, table),
            )
            if not row["may"]:
                missing.append(f"{role} may not use {table}")
        return missing

    def extensions(self) -> list[str]:
        """Return the extensions of the database."""
        return [str(row["n"]) for row in self.all_rows("SELECT extname AS n FROM pg_extension ORDER BY 1")]

    def one_row(self, statement: str, values: Sequence[Any] = (), *, admin: bool = False) -> dict[str, Any]:
        """Return the first row of a read, empty where there is none; see `all_rows`."""
        rows = self.all_rows(statement, values, admin=admin)
        return rows[0] if rows else {}

    def all_rows(
        self, statement: str, values: Sequence[Any] = (), *, admin: bool = False
    ) -> list[dict[str, Any]]:
        """Ask the database on a connection of its own: in a drill databases come and go.

        admin: as the role that may see more, where the target file names one.  Without a database there are no rows.
        """
        if self.target.db is None:
            return []
        more = admin and self.target.db.admin_dsn is not None
        client = self.connect.sql("db_admin" if more else "db")
        try:
            return client.rows(statement, values)
        finally:
            client.close()
