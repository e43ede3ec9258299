"""The books probe: the newest purchases and redemptions, each followed from its row to the chain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.books_chain import balance_moved, transaction_of, uncredited
from pytest_deploycheck.probes.fields import integer
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

DONE = frozenset(
    "confirmed complete completed success successful succeeded settled credited done paid mined".split()
)
PENDING = frozenset("pending processing submitted sent new created queued waiting open".split())
TABLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")


__all__ = ["DONE", "PENDING", "BooksFacts", "Ledger", "books", "problem_of", "query_of", "transaction_of"]


@dataclass(frozen=True)
class Ledger:
    """One kind of record against the chain.

    rows: examined, the newest ones.  settled: of these, those that say they are done.  wrong: (row, what is
    wrong with it).  overdue: pending for longer than the limit.  oldest_s: age of the oldest examined row.
    balance_moved: whether the newest settled row moved its owner's balance by as much; None when the node
    no longer knows, or nothing is settled.
    """

    kind: str
    rows: int
    settled: int
    wrong: tuple[tuple[str, str], ...]
    overdue: tuple[str, ...]
    oldest_s: float
    balance_moved: bool | None


@dataclass(frozen=True)
class BooksFacts:
    """Both directions.

    events: purchases and redemptions that the contract logged in blocks first_block to last_block for
    wallets of the product, None when that cannot be known; uncredited: transactions of those without a row.
    """

    purchases: Ledger
    redemptions: Ledger
    events: int | None
    uncredited: tuple[str, ...]
    first_block: int
    last_block: int


@probe(facts=BooksFacts, deadline=60, needs=("db_gate", "contract_gate"), uses={"db": "read", "rpc": "POST"})
def books(target: Target, connect: Connections) -> BooksFacts:
    """Compare the newest purchases and redemptions in the database with receipts and events on the chain."""
    sql, rpc = connect.sql(), connect.rpc()
    queries = {kind: query_of(target, kind) for kind in ("purchase", "redemption")}
    ledgers = {}
    for kind, query in queries.items():
        rows = _rows(sql, query, target.limits.token_records)
        hashes = list(dict.fromkeys(name for row in rows if (name := _hash(row))))
        receipts = rpc.batch([("eth_getTransactionReceipt", name) for name in hashes])
        by_hash = dict(zip(hashes, receipts, strict=True))
        ledgers[kind] = _ledger(target, connect.now(), kind, rows, by_hash, rpc)
    head = rpc.number("eth_blockNumber")
    last = max(head - target.limits.books_max_lag_blocks, 0)
    first = max(last - target.limits.wallet_history_blocks, 0)
    events, without = uncredited(target, sql, rpc, queries, first, last)
    return BooksFacts(ledgers["purchase"], ledgers["redemption"], events, without, first, last)


def query_of(target: Target, kind: str) -> str:
    """Return the SELECT that gives the records of a kind: the target's own, or one over the usual columns."""
    if target.db is None:
        raise CannotLook(Reason.NO_CONFIG, f"no [db] in {target.path.name}; add dsn")
    bought = kind == "purchase"
    if own := target.db.purchases_query if bought else target.db.redemptions_query:
        return own
    table = target.db.purchases_table if bought else target.db.redemptions_table
    if not TABLE.fullmatch(table):
        raise CannotLook(Reason.NO_CONFIG, f"{table!r} is no table name; correct it in [db]")
    return f"SELECT id, tx_hash, status, tokens, cost_wei, created_at FROM {table}"  # noqa: S608 - checked above


def _rows(sql: Sql, query: str, count: int) -> list[dict[str, Any]]:
    return sql.rows(f"SELECT * FROM ({query}) AS q ORDER BY created_at DESC LIMIT %s", (count,))  # noqa: S608


def _hash(row: Mapping[str, Any]) -> str:
    """Return a row's transaction, however the column stores it; empty when it has none."""
    value = row.get("tx_hash")
    if isinstance(value, bytes | memoryview):
        return "0x" + bytes(value).hex()
    text = str(value or "").lower()
    return text if text.startswith("0x") or not text else f"0x{text}"


def _ledger(
    target: Target,
    now: datetime,
    kind: str,
    rows: Sequence[Mapping[str, Any]],
    receipts: Mapping[str, Any],
    rpc: Any,
) -> Ledger:
    used = Counter(filter(None, map(_hash, rows)))
    wrong, overdue, settled, ages = [], [], [], [0.0]
    for row in rows:
        state, name, age = str(row.get("status", "")).lower(), _hash(row), _age(row, now)
        problem = problem_of(target, kind, row, state, receipts.get(name))
        if used[name] > 1:
            problem = "its transaction is that of another row as well"
        if problem:
            wrong.append((f"{kind} {row.get('id')}", problem))
        if state in PENDING and age > target.limits.token_pending_max_s:
            overdue.append(f"{kind} {row.get('id')}")
        if state in DONE:
            settled.append(receipts.get(name))
        ages.append(age)
    return Ledger(
        kind=kind,
        rows=len(rows),
        settled=len(settled),
        wrong=tuple(wrong),
        overdue=tuple(overdue),
        oldest_s=round(max(ages), 1),
        balance_moved=balance_moved(target, rpc, kind, settled[0]) if settled else None,
    )


def problem_of(target: Target, kind: str, row: Mapping[str, Any], state: str, receipt: Any) -> str:
    """Return what is wrong with a row in the light of its receipt; nothing when they agree."""
    found = isinstance(receipt, dict)
    succeeded = found and receipt.get("status") == "0x1"
    signature = target.contract.purchased if kind == "purchase" else target.contract.redeemed
    events = evm.events(signature, receipt.get("logs") or [], target.contract.address) if found else []
    if state in PENDING:
        return ""
    if state not in DONE:
        return f"it says {state!r}, but the chain carried it out" if succeeded and events else ""
    if not _hash(row):
        return "it is settled without a transaction"
    if not found:
        return "the chain has no such transaction"
    if not succeeded:
        return "it is settled, but the transaction was reverted"
    if not events:
        return f"it is settled, but the transaction logged no {signature.partition('(')[0]}"
    tokens, cost = integer(row.get("tokens")), integer(row.get("cost_wei"))
    if tokens is not None and tokens not in {event.tokens for event in events}:
        return f"it says {tokens} tokens, the chain {', '.join(str(event.tokens) for event in events)}"
    paid = {event.wei for event in events if event.wei is not None}
    if cost is not None and paid and cost not in paid:
        return f"it says {cost} wei, the chain {', '.join(map(str, paid))}"
    return ""


def _age(row: Mapping[str, Any], now: datetime) -> float:
    created = row.get("created_at")
    if not isinstance(created, datetime):
        return 0.0
    return (now - (created if created.tzinfo else created.replace(tzinfo=UTC))).total_seconds()
