"""The database: a small pool that notices at once when the server is gone, and when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

Connection = psycopg.Connection[DictRow]


class DatabaseBusy(RuntimeError):
    """No connection became free in time."""


class Database:
    """Up to `limit` connections, opened when needed and kept.

    Not psycopg_pool: that one waits ever longer between attempts while the server is away, and a
    deployment that was repaired should work again in the same second.
    """

    def __init__(self, url: str, name: str, limit: int = 8, wait_s: float = 1.0) -> None:
        self._url, self._name, self.limit, self._wait_s = url, name, limit, wait_s
        self._free = threading.Condition()
        self._idle: list[Connection] = []
        self.size = 0
        self.waiting = 0

    @property
    def idle(self) -> int:
        """Number of open connections not in use."""
        return len(self._idle)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection for one transaction: committed at the end, rolled back on an error.

        psycopg.OperationalError when the server is out of reach, DatabaseBusy when every connection is taken.
        """
        connection = self._take()
        try:
            with connection.transaction():
                yield connection
        finally:
            self._give(connection)

    def connect(self) -> Connection:
        """Open a connection outside the pool, for a caller that keeps it."""
        return psycopg.connect(
            self._url,
            row_factory=dict_row,
            autocommit=True,
            connect_timeout=2,
            application_name=self._name,
            keepalives_idle=5,
            tcp_user_timeout=3000,
        )

    def close(self) -> None:
        """Close the idle connections."""
        with self._free:
            while self._idle:
                self._idle.pop().close()
                self.size -= 1

    def _take(self) -> Connection:
        deadline = time.monotonic() + self._wait_s
        with self._free:
            while not self._idle and self.size >= self.limit:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DatabaseBusy(
                        f"all {self.limit} database connections were taken for {self._wait_s:g} s"
                    )
                self.waiting += 1
                self._free.wait(left)
                self.waiting -= 1
            connection = self._idle.pop() if self._idle else None
            if connection is None:
                self.size += 1
        try:
            if connection is not None and _alive(connection):
                return connection
            if connection is not None:
                connection.close()
            return self.connect()
        except BaseException:
            self._lost()
            raise

    def _give(self, connection: Connection) -> None:
        if connection.closed:
            self._lost()
            return
        with self._free:
            self._idle.append(connection)
            self._free.notify()

    def _lost(self) -> None:
        with self._free:
            self.size -= 1
            self._free.notify()


def _alive(connection: Connection) -> bool:
    """Whether the server still answers on a connection; an empty query costs a tenth of a millisecond."""
    try:
        connection.execute("")
    except psycopg.OperationalError:
        return False
    return True


def one(connection: Connection, query: Any, *values: Any) -> DictRow | None:
    """Return the first row of a query, or None."""
    return connection.execute(query, values).fetchone()
