"""Faults of the first day's transactions: rows that the chain does not have, orders that hang or fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.functional import bug, execute
from tests.faults.functional_chain import changed, newest
from tests.faults.harness import fault
from tests.faults.tools import edited

ITEM = "post_go_live.first_day.transactions"
LOOK = ("window_transactions",)
NEEDS = ("people",)


@fault(ITEM, "a purchase is paid by no transaction", probes=LOOK, needs=NEEDS)
@contextmanager
def not_on_chain(demo: Deployment) -> Iterator[None]:
    """Say that a purchase is settled which the chain has never seen."""
    execute(
        demo,
        "INSERT INTO purchases (user_id, tokens, cost_wei, tx_hash, status, idempotency_key)"
        " VALUES (1, 5, 5, '0x' || repeat('ce', 32), 'confirmed', 'fault-first-day')",
    )
    try:
        yield
    finally:
        execute(demo, "DELETE FROM purchases WHERE idempotency_key = 'fault-first-day'")


@fault(ITEM, "another amount than was redeemed", probes=LOOK, needs=NEEDS)
@contextmanager
def other_amount(demo: Deployment) -> Iterator[None]:
    """Write down another number of tokens than were redeemed."""
    row = newest(demo, "redemptions")
    with changed(demo, "redemptions", "tokens = tokens + 1", "tokens = tokens - 1", row):
        yield


@fault(ITEM, "a failed purchase was carried out", probes=LOOK, needs=NEEDS)
@contextmanager
def failed_but_paid(demo: Deployment) -> Iterator[None]:
    """Call a purchase failed that the chain carried out."""
    with changed(demo, "purchases", "status = 'failed'", "status = 'confirmed'", newest(demo, "purchases")):
        yield


@fault(ITEM, "an event's row is lost", probes=LOOK, needs=NEEDS, limits={"books_max_lag_blocks": 0})
@contextmanager
def row_lost(demo: Deployment) -> Iterator[None]:
    """Let the row of an event have another transaction, as if its own had never been credited."""
    row = newest(demo, "purchases")
    name = execute(demo, f"SELECT tx_hash FROM purchases WHERE {row}")[0][0]
    lost = "tx_hash = '0x' || repeat('ee', 32), status = 'failed'"
    with changed(demo, "purchases", lost, f"tx_hash = '{name}', status = 'confirmed'", row):
        yield


@fault(ITEM, "work waits in a queue", probes=LOOK, needs=NEEDS, limits={"window_queue_lag_max_s": 2})
@fault(ITEM, "a purchase hangs", probes=LOOK, needs=NEEDS, limits={"token_pending_max_s": 2})
@contextmanager
def hangs(demo: Deployment) -> Iterator[None]:
    """Send transactions and never look at what became of them."""
    with bug(demo, queue_stuck=True):
        time.sleep(0.6)
        with changed(
            demo, "purchases", "status = 'pending'", "status = 'confirmed'", newest(demo, "purchases")
        ):
            execute(demo, "SELECT pg_sleep(2.1)")
            yield


@fault(ITEM, "many are disputed", probes=LOOK, needs=NEEDS)
@contextmanager
def disputed(demo: Deployment) -> Iterator[None]:
    """Keep disputes, a fifth as many as purchases, and list them in the target file."""
    execute(
        demo,
        "CREATE TABLE fault_disputes AS SELECT now() AS created_at FROM generate_series(1, "
        "(SELECT greatest(3, count(*) / 5) FROM purchases))",
    )
    try:
        execute(demo, "GRANT SELECT ON fault_disputes TO deploycheck")
        listed = 'refund_queries = { disputes = "SELECT created_at FROM fault_disputes" }'
        with edited(demo.target, ("[watch]\n", f"[watch]\n{listed}\n")):
            yield
    finally:
        execute(demo, "DROP TABLE fault_disputes")


@fault(ITEM, "one in twelve fails", probes=LOOK, needs=NEEDS)
@contextmanager
def many_fail(demo: Deployment) -> Iterator[None]:
    """Let orders fail without a transaction, as when the node refuses them."""
    execute(
        demo,
        "INSERT INTO purchases (user_id, tokens, cost_wei, status, idempotency_key)"
        " SELECT 1, 5, 5, 'failed', 'fault-failing-' || n FROM generate_series(1, "
        "(SELECT greatest(3, count(*) / 10) FROM purchases)) AS n",
    )
    try:
        yield
    finally:
        execute(demo, "DELETE FROM purchases WHERE idempotency_key LIKE 'fault-failing-%'")


@fault(
    ITEM,
    "transactions that nobody can read",
    probes=LOOK,
    also=(),
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def not_readable(demo: Deployment) -> Iterator[None]:
    """Take the right to read redemptions from the role that looks."""
    execute(demo, "REVOKE SELECT ON redemptions FROM deploycheck")
    try:
        yield
    finally:
        execute(demo, "GRANT SELECT ON redemptions TO deploycheck")
