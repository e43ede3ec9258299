"""The first day's purchases and redemptions: how many there were, how they ended, and whether the chain agrees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes.books import DONE, PENDING, problem_of, query_of
from pytest_deploycheck.probes.books_chain import transaction_of, uncredited
from pytest_deploycheck.probes.window_queues import Queue, Refunds, queues, refunds
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.rpc import Rpc
    from pytest_deploycheck.transports.sql import Sql

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Orders:
    """One kind of transaction since go-live.

    settled, pending, failed: by what their rows say; overdue: of the pending, those for longer than the limit.
    examined: the newest of the window, followed to the chain; wrong: (row, what is wrong with it).
    """

    kind: str
    settled: int
    pending: int
    overdue: int
    failed: int
    examined: int
    wrong: tuple[tuple[str, str], ...]

    @property
    def ended(self) -> int:
        """Those that are settled or failed."""
        return self.settled + self.failed


@dataclass(frozen=True)
class WindowTransactionsFacts:
    """Purchases and redemptions from `go_live_at` until `until` or the end of the day, `closes`.

    signups: new users meanwhile, None where `watch.signups_query` is not given.  events: purchases and redemptions
    of the product's wallets that the contract logged in blocks first_block to last_block, which are the newest of the
    window; None when that cannot be known.  refunds, queues: by the queries of `[watch]`, where there are any.   uncredited: transactions of those without a row.
    """

    go_live_at: str
    until: str
    closes: str
    orders: tuple[Orders, ...]
    signups: int | None
    events: int | None
    uncredited: tuple[str, ...]
    first_block: int
    last_block: int
    refunds: tuple[Refunds, ...] = ()
    queues: tuple[Queue, ...] = ()


@probe(
    facts=WindowTransactionsFacts,
    deadline=60,
    needs=("db_gate", "contract_gate"),
    uses={"db": "read", "rpc": "POST"},
)
def window_transactions(target: Target, connect: Connections) -> WindowTransactionsFacts:
    """Count the first day's purchases and redemptions, and follow the newest of them to the chain."""
    start = target.release.go_live_at
    if start is None:
        raise CannotLook(Reason.NO_CONFIG, f"no release.go_live_at in {target.path.name}; add it")
    now = connect.now()
    end = max(start, min(now, start + DAY))
    sql, rpc = connect.sql(), connect.rpc()
    first, last = _blocks(target, rpc, start, end)
    events: int | None = None
    lost: tuple[str, ...] = ()
    if first <= last:
        queries = {kind: query_of(target, kind) for kind in ("purchase", "redemption")}
        events, lost = uncredited(target, sql, rpc, queries, first, last)
    orders = [_orders(target, sql, rpc, kind, start, end, now) for kind in ("purchase", "redemption")]
    return WindowTransactionsFacts(
        go_live_at=_iso(start),
        until=_iso(end),
        closes=_iso(start + DAY),
        orders=tuple(orders),
        signups=_signups(target, sql, start, end),
        events=events,
        uncredited=lost,
        first_block=first,
        last_block=last,
        refunds=refunds(sql, target.watch.refund_queries, start, end),
        queues=queues(sql, target.watch.queue_queries, end, now),
    )


def _blocks(target: Target, rpc: Rpc, start: datetime, end: datetime) -> tuple[int, int]:
    """Return the newest blocks of a stretch of time, as many as a node gives logs of at once; none as (1, 0).

    The very newest are left out, since the index may not have them yet.
    """
    head = rpc.number("eth_blockNumber") - target.limits.books_max_lag_blocks
    if head < 0 or _block_time(rpc, head) < start.timestamp():
        return 1, 0
    last = head if _block_time(rpc, head) < end.timestamp() else _before(rpc, head, end.timestamp())
    oldest = max(0, last - target.limits.wallet_history_blocks)
    if _block_time(rpc, oldest) >= start.timestamp():
        return oldest, last
    return _before(rpc, last, start.timestamp()) + 1, last


def _before(rpc: Rpc, high: int, moment: float) -> int:
    """Return the last block before a Unix time, by halving; -1 where there is none."""
    low = -1
    while low < high:
        middle = (low + high + 1) // 2
        if _block_time(rpc, middle) < moment:
            low = middle
        else:
            high = middle - 1
    return low


def _block_time(rpc: Rpc, number: int) -> int:
    block = rpc.call("eth_getBlockByNumber", hex(number), False)
    if not isinstance(block, dict) or "timestamp" not in block:
        raise CannotLook(Reason.UNPARSEABLE, f"the node gives no block {number}")
    return int(str(block["timestamp"]), 16)


def _orders(
    target: Target, sql: Sql, rpc: Rpc, kind: str, start: datetime, end: datetime, now: datetime
) -> Orders:
    source = f"FROM ({query_of(target, kind)}) AS q WHERE q.created_at >= %s AND q.created_at < %s"
    counted = sql.rows(
        f"SELECT lower(q.status::text) AS state, count(*) AS n, "
        f"count(*) FILTER (WHERE q.created_at < %s) AS old {source} GROUP BY 1",
        (now - timedelta(seconds=target.limits.token_pending_max_s), start, end),
    )
    rows = sql.rows(
        f"SELECT q.*, {transaction_of('q')} AS transaction {source} ORDER BY q.created_at DESC LIMIT %s",
        (start, end, target.limits.token_records),
    )
    names = list(dict.fromkeys(str(row["transaction"]) for row in rows if row["transaction"]))
    receipts: dict[str, Any] = dict(
        zip(names, rpc.batch([("eth_getTransactionReceipt", name) for name in names]), strict=True)
    )
    wrong = []
    for row in rows:
        state, name = str(row.get("status", "")).lower(), str(row["transaction"] or "")
        if problem := problem_of(target, kind, row, state, receipts.get(name)):
            wrong.append((f"{kind} {row.get('id')}", problem))
    by_state = {str(row["state"]): row for row in counted}
    settled = sum(int(row["n"]) for state, row in by_state.items() if state in DONE)
    pending = [row for state, row in by_state.items() if state in PENDING]
    waiting = sum(int(row["n"]) for row in pending)
    return Orders(
        kind=kind,
        settled=settled,
        pending=waiting,
        overdue=sum(int(row["old"]) for row in pending),
        failed=sum(int(row["n"]) for row in counted) - settled - waiting,
        examined=len(rows),
        wrong=tuple(wrong),
    )


def _signups(target: Target, sql: Sql, start: datetime, end: datetime) -> int | None:
    query = target.watch.signups_query
    if not query:
        return None
    rows = sql.rows(
        f"SELECT count(*) AS n FROM ({query}) AS q "  # noqa: S608 - the target's own query
        "WHERE q.created_at >= %s AND q.created_at < %s",
        (start, end),
    )
    return int(rows[0]["n"])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
