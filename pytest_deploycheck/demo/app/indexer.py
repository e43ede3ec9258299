"""Copies the contract's events into the database and settles the orders that they belong to."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg

from pytest_deploycheck.demo.app.db import Connection, DatabaseBusy, one
from pytest_deploycheck.demo.app.services import Services
from pytest_deploycheck.demo.app.token import queue_depth
from pytest_deploycheck.demo.ether.keys import address_of
from pytest_deploycheck.demo.ether.rpc import RpcRefused, RpcUnavailable

_EVERY_S = 0.5
_MAX_RANGE = 2000  # blocks in one eth_getLogs, as hosted nodes cap it
_LOCK = "SELECT pg_try_advisory_lock(31337, -1) AS won"
_SIGNER_EVERY_S = 5.0
# An order without a transaction, or with one that the chain does not know, is given up after this time.
_GIVE_UP_S = 30

_INSERT = """
INSERT INTO chain_events (tx_hash, log_index, kind, address, tokens, wei, block_number)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_MOVE = "UPDATE indexer_cursor SET block_number = %s, updated_at = now() WHERE block_number = %s"
# Joined with all events rather than the new ones: a transaction can be mined before its row has its hash.
_SETTLE = (
    """
UPDATE purchases p SET status = 'confirmed', confirmed_at = now() FROM chain_events e
WHERE p.status = 'pending' AND e.tx_hash = p.tx_hash AND e.kind = 'purchase' AND e.tokens = p.tokens
""",
    """
UPDATE redemptions r SET status = 'confirmed', confirmed_at = now() FROM chain_events e
WHERE r.status = 'pending' AND e.tx_hash = r.tx_hash AND e.kind = 'redemption' AND e.tokens = r.tokens
""",
)
_GIVE_UP = (
    "UPDATE purchases SET status = 'failed'"
    " WHERE status = 'pending' AND tx_hash IS NULL AND created_at < now() - %s * interval '1 s'",
    "UPDATE redemptions SET status = 'failed'"
    " WHERE status = 'pending' AND tx_hash IS NULL AND created_at < now() - %s * interval '1 s'",
)
_OVERDUE = """
SELECT 'purchases' AS kind, id, tx_hash FROM purchases
WHERE status = 'pending' AND tx_hash IS NOT NULL AND created_at < now() - interval '5 s'
UNION ALL SELECT 'redemptions', id, tx_hash FROM redemptions
WHERE status = 'pending' AND tx_hash IS NOT NULL AND created_at < now() - interval '5 s' LIMIT 20
"""


class Indexer(threading.Thread):
    """Runs on every instance; the one that holds an advisory lock does the work, all publish its progress."""

    def __init__(self, parts: Services) -> None:
        super().__init__(name="indexer", daemon=True)
        self._parts = parts
        self._ended = threading.Event()
        self._session: Connection | None = None
        self._trouble = ""
        self._signer = address_of(parts.settings.signer_key)
        self._signer_at = 0.0

    def run(self) -> None:
        """Work until stopped; whatever is away now is tried again half a second later."""
        while not self._ended.wait(_EVERY_S):
            try:
                self._publish()
                if self._parts.switches.on("indexer_paused"):
                    continue
                session = self._lead()
                self._parts.metrics.leader.set(session is not None)
                if session is not None:
                    self._advance(session)
                self._trouble = ""
            except (psycopg.Error, DatabaseBusy, RpcRefused, RpcUnavailable) as error:
                self._note(type(error).__name__)
                if isinstance(error, psycopg.Error):
                    self._resign()

    def stop(self) -> None:
        """Stop, and let another instance take over."""
        self._ended.set()
        self.join(timeout=2)
        self._resign()

    def _lead(self) -> Connection | None:
        """Return the session that holds the lock, or None while another instance has it."""
        if self._session is None or self._session.closed:
            session = self._parts.db.connect()
            won: Any = one(session, _LOCK)
            if not won["won"]:
                session.close()
                return None
            self._session = session
            self._parts.log.write("info", "indexer_leads")
        return self._session

    def _resign(self) -> None:
        self._parts.metrics.leader.set(0)
        if self._session is not None:
            self._session.close()
            self._session = None

    def _advance(self, session: Connection) -> None:
        contract = self._parts.contract
        row: Any = one(session, "SELECT block_number FROM indexer_cursor")
        newest, code = self._parts.rpc.batch(
            [("eth_blockNumber",), ("eth_getCode", contract.address, "latest")]
        )
        cursor, head = int(row["block_number"]), int(newest, 16)
        if head < cursor or code == "0x":
            self._note("another chain")
            return
        last = min(head, cursor + _MAX_RANGE)
        events = contract.events(cursor + 1, last) if last > cursor else []
        with session.transaction():
            for event in events:
                session.execute(
                    _INSERT,
                    (
                        event.tx_hash,
                        event.log_index,
                        event.kind,
                        event.address,
                        event.tokens,
                        event.wei,
                        event.block_number,
                    ),
                )
            # Where the index was emptied meanwhile, it begins anew; else what lies before would be missing for ever.
            moved = session.execute(_MOVE, (last, cursor))
            if moved.rowcount == 0:
                raise psycopg.Rollback
            if not self._parts.switches.on("queue_stuck"):
                self._settle(session)

    def _settle(self, session: Connection) -> None:
        for statement in _SETTLE:
            session.execute(statement)
        for statement in _GIVE_UP:
            session.execute(statement, (_GIVE_UP_S,))
        for row in session.execute(_OVERDUE).fetchall():
            receipt = self._parts.rpc.call("eth_getTransactionReceipt", row["tx_hash"])
            if receipt is not None and int(receipt["status"], 16) == 0:
                table = row["kind"]
                session.execute(f"UPDATE {table} SET status = 'failed' WHERE id = %s", (row["id"],))  # noqa: S608
                self._parts.metrics.reverted.inc()

    def _publish(self) -> None:
        metrics = self._parts.metrics
        with self._parts.db.transaction() as connection:
            row: Any = one(connection, "SELECT block_number FROM indexer_cursor")
            metrics.queue_depth.set(queue_depth(connection))
        metrics.indexer_block.set(row["block_number"])
        block = self._parts.rpc.call("eth_getBlockByNumber", "latest", False)
        metrics.head_block.set(int(block["number"], 16))
        metrics.head_at.set(int(block["timestamp"], 16))
        if time.monotonic() - self._signer_at > _SIGNER_EVERY_S:
            balance = self._parts.rpc.call("eth_getBalance", self._signer, "latest")
            metrics.signer_balance.set(int(balance, 16))
            self._signer_at = time.monotonic()

    def _note(self, trouble: str) -> None:
        """Log a trouble once, not twice a second."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._parts.log.write("error", "indexer_waits", reason=trouble)
