"""SQL connections: a run takes few at a time, and gives back what it does not get."""

from __future__ import annotations

import threading

import pytest

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.sql import Sql
from pytest_deploycheck.verdict import Reason


def refused(slots: threading.Semaphore) -> Sql:
    """Return a client of a port on which nobody listens."""
    dsn = "postgresql://reader@127.0.0.1:1/shop"
    return Sql(dsn, enter=lambda action: None, shown="PostgreSQL", remaining=lambda: 0.05, slots=slots)


def test_a_refused_connection_takes_no_slot() -> None:
    """After each refusal the next probe may try."""
    slots = threading.Semaphore(1)
    for _ in range(3):
        with pytest.raises(Dead, match="refused"):
            refused(slots).one("SELECT 1")
    assert slots.acquire(blocking=False)


def test_nobody_waits_for_ever() -> None:
    """While others hold all connections of the run, a probe waits until its own time is up."""
    slots = threading.Semaphore(0)
    with pytest.raises(CannotLook, match="other probes held all connections") as why:
        refused(slots).one("SELECT 1")
    assert why.value.reason is Reason.TIMEOUT
