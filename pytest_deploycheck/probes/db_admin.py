"""What a role that only reads may not see of PostgreSQL, and how it comes to be seen all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import db_server_queries as queries
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql


class Admin:
    """What needs more rights than reading: asked as our own role first, then as `db.admin_dsn`."""

    def __init__(self, target: Target, connect: Connections, sql: Sql, role: str) -> None:
        assert target.db is not None
        self._db, self._connect, self._sql, self._role = target.db, connect, sql, role
        self._file = target.path.name
        self._second: Sql | None = None

    @property
    def grant_hba(self) -> str:
        """What lets our own role see the rules of who may connect."""
        return (
            f"GRANT SELECT ON pg_hba_file_rules TO {self._role}; "
            f"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {self._role};"
        )

    @property
    def grant_stat(self) -> str:
        """What lets our own role see when the files of those rules were changed."""
        return f"GRANT pg_read_server_files TO {self._role}; GRANT EXECUTE ON FUNCTION pg_stat_file(text) TO {self._role};"

    def ask(self, query: str, values: tuple[Any, ...], grant: str) -> tuple[list[dict[str, Any]] | None, str]:
        """Return the rows, or None and what to do so that they can be seen."""
        try:
            return self._sql.rows(query, values), ""
        except CannotLook as why:
            if why.reason is not Reason.NO_ACCESS:
                raise
        try:
            return self._rows(query, values), ""
        except CannotLook as why:
            return None, f"{why.message}; or run: {grant}" if grant else why.message

    def changed(self, files: list[str]) -> tuple[float | None, str]:
        """Return the Unix time at which the newest of the server's files of rules was changed."""
        if not files:
            return None, f"no file is named; run: GRANT pg_monitor TO {self._role};"
        rows, why = self.ask(queries.CHANGED, (files,), self.grant_stat)
        return (float(rows[0]["at"]), "") if rows and rows[0]["at"] is not None else (None, why)

    def kinds(self) -> tuple[list[dict[str, Any]] | None, str]:
        """Return the kind of stored password of each role, from a view or as the administrator."""
        if self._db.password_kinds_query:
            return self._sql.rows(self._db.password_kinds_query), ""
        try:
            return self._rows(queries.KINDS, ()), ""
        except CannotLook as why:
            view = "a SELECT of role and kind from a view over pg_authid in db.password_kinds_query"
            return None, f"{why.message}; or give {view} (see docs/items/pre_deploy-security-data.md)"

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        if self._db.admin_dsn is None:
            message = f"role {self._role} may not see it, and no db.admin_dsn in {self._file}; add it"
            raise CannotLook(Reason.NO_ACCESS, message)
        if self._second is None:
            self._sql.close()  # a run holds few connections
            self._second = self._connect.sql("db_admin")
        try:
            return self._second.rows(query, values)
        except Dead as refusal:  # our own connection is alive: this is about the administrator's
            raise CannotLook(Reason.NO_ACCESS, f"db.admin_dsn: {refusal.message}") from None
        finally:
            self._second.close()
