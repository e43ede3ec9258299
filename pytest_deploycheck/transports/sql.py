"""SQL: PostgreSQL read-only three times over: the session's default, the transaction, and the statement."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

CONNECT_TIMEOUT_S = 3
ROWS_MAX = 20_000
CONNECTIONS_MAX = 3
"""Of one run at a time: the role for these checks should be allowed few, and monitoring may use it too."""
SESSION = (
    "-c default_transaction_read_only=on -c statement_timeout=5000 -c lock_timeout=500 "
    "-c idle_in_transaction_session_timeout=15000"
)
_READS = re.compile(r"^\s*(?:select|show|with|table|values)\b", re.IGNORECASE)
_ACTS = re.compile(
    r"\b(?:pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|set_config"
    r"|pg_stat_reset\w*|pg_stat_statements_reset|pg_create_\w+|pg_drop_\w+|pg_promote|lo_\w+|dblink\w*"
    r"|pg_read_\w*file|pg_ls_\w*|copy|pg_advisory_\w+|pg_sleep\w*)\s*\(",
    re.IGNORECASE,
)
_NOT_UP = ("57P01", "57P02", "57P03")


def refuse_writes(statement: str) -> None:
    """Raise unless the statement only reads and calls no function that acts."""
    acting = _ACTS.search(statement)
    if not _READS.match(statement) or acting:
        shown = acting[0] if acting else " ".join(statement.split())[:60]
        raise CannotLook(Reason.NOT_ALLOWED, f"SQL {shown!r} is not a read; only reads are sent to a target")


class Sql:
    """One read-only connection; opened at the first query."""

    def __init__(
        self,
        dsn: str,
        *,
        enter: Callable[[str], None],
        shown: str,
        remaining: Callable[[], float] = lambda: 60.0,
        slots: threading.Semaphore | None = None,
    ) -> None:
        self._dsn = dsn
        self._enter = enter
        self._shown = shown
        self._remaining = remaining
        self._slots = slots
        self._connection: Any = None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of one read as dictionaries; values as psycopg gives them."""
        import psycopg

        refuse_writes(statement)
        self._enter("read")
        connection = self._open()
        try:
            with connection.cursor() as cursor:
                # Parameters, even none, force the extended protocol, which takes a single statement.
                cursor.execute(statement, tuple(parameters), prepare=True)
                return cast(list[dict[str, Any]], cursor.fetchmany(ROWS_MAX))
        except psycopg.errors.InsufficientPrivilege as error:
            raise CannotLook(
                Reason.NO_ACCESS, f"{self._shown}: {_first(error)}; grant it to this role"
            ) from None
        except psycopg.errors.QueryCanceled as error:
            raise CannotLook(Reason.TIMEOUT, f"{self._shown}: {_first(error)}") from None
        except psycopg.OperationalError as error:
            self.close()
            raise Dead("db", f"{self._shown}: {_first(error)}") from None

    def one(self, statement: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the first row of one read, or an empty dictionary."""
        rows = self.rows(statement, parameters)
        return rows[0] if rows else {}

    def _open(self) -> Any:
        import psycopg
        from psycopg.rows import dict_row

        if self._connection is not None:
            return self._connection
        if self._slots is not None and not self._slots.acquire(timeout=self._remaining()):
            raise CannotLook(Reason.TIMEOUT, f"{self._shown}: other probes held all connections of this run")
        try:
            connection = psycopg.connect(
                self._dsn,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=SESSION,
                application_name="deploycheck",
                autocommit=True,
                row_factory=dict_row,
            )
            connection.read_only = True
        except BaseException as error:
            if self._slots is not None:
                self._slots.release()
            if isinstance(error, psycopg.ProgrammingError):
                message = f"{self._shown}: not a usable DSN ({_first(error)})"
                raise CannotLook(Reason.NO_CONFIG, message) from None
            if isinstance(error, psycopg.OperationalError):
                raise self._refusal(error) from None
            raise
        self._connection = connection
        return connection

    def _refusal(self, error: Exception) -> Exception:
        text = str(error)
        state = getattr(error, "sqlstate", None)
        words = f"{self._shown}: {_first(error)}"
        if "timeout" in text:
            return CannotLook(Reason.TIMEOUT, words)
        if state in _NOT_UP or "refused" in text or "No such file" in text or "could not translate" in text:
            return Dead("db", words)
        if "starting up" in text or "shutting down" in text or "closed the connection" in text:
            return Dead("db", words)
        return CannotLook(Reason.NO_ACCESS, words)

    def close(self) -> None:
        """Close the connection and let another probe have one; the next query opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            if self._slots is not None:
                self._slots.release()


def _first(error: Exception) -> str:
    """Return the telling line of a driver's message, bounded."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
