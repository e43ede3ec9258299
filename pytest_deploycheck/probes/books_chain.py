"""The books from the chain's side: what the contract logged for a wallet of the product must have a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import evm
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.sql import Sql


def uncredited(
    target: Target, sql: Sql, rpc: Rpc, queries: Mapping[str, str], first: int, last: int
) -> tuple[int | None, tuple[str, ...]]:
    """Return how many events of the product's wallets there were, and the transactions that have no row.

    A public contract serves strangers too: events of addresses that the product does not know are left
    out. None when the wallets cannot be read, or the node does not give the logs.
    """
    contract = target.contract
    kinds = {"purchase": contract.purchased, "redemption": contract.redeemed}
    query = {
        "address": contract.address,
        "fromBlock": hex(first),
        "toBlock": hex(last),
        "topics": [[evm.topic(signature) for signature in kinds.values()]],
    }
    try:
        logs = rpc.call("eth_getLogs", query)
        found = {kind: evm.events(signature, logs, contract.address) for kind, signature in kinds.items()}
        known = _known(target, sql, {event.account for events in found.values() for event in events})
    except (RpcError, CannotLook):
        return None, ()
    missing: list[str] = []
    count = 0
    for kind, events in found.items():
        ours = {event.transaction for event in events if event.account in known}
        count += len(ours)
        missing += sorted(ours - _credited(sql, queries[kind], ours))
    return count, tuple(missing)


def _known(target: Target, sql: Sql, accounts: set[str]) -> set[str]:
    """Return which addresses are wallets of the product."""
    table = target.db.wallets_table if target.db else ""
    if not re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?", table):
        return set()
    rows = sql.rows(
        f"SELECT lower(address) AS address FROM {table} WHERE lower(address) = ANY(%s)",  # noqa: S608 - checked
        (sorted(accounts),),
    )
    return {str(row["address"]) for row in rows}


def transaction_of(alias: str) -> str:
    """Return the SQL for a record's transaction hash as 0x and lower-case digits, be it text or bytea."""
    return rf"replace(lower({alias}.tx_hash::text), '\x', '0x')"


def _credited(sql: Sql, query: str, transactions: set[str]) -> set[str]:
    column = transaction_of("q")
    rows = sql.rows(
        f"SELECT {column} AS name FROM ({query}) AS q WHERE {column} = ANY(%s)",  # noqa: S608 - the target's own
        (sorted(transactions),),
    )
    return {str(row["name"]) for row in rows}


def balance_moved(target: Target, rpc: Rpc, kind: str, receipt: Any) -> bool | None:
    """Return whether a transaction's block changed its account's balance by what its events say.

    None when the node no longer knows the balances of that time, or one event stands for both directions.
    """
    if not isinstance(receipt, dict) or target.contract.purchased == target.contract.redeemed:
        return None
    contract, block = target.contract, int(str(receipt["blockNumber"]), 16)
    signature = contract.purchased if kind == "purchase" else contract.redeemed
    events = evm.events(signature, receipt.get("logs") or [], contract.address)
    if not events:
        return None
    account = events[0].account
    try:
        logs = rpc.call(
            "eth_getLogs", {"address": contract.address, "fromBlock": hex(block), "toBlock": hex(block)}
        )
    except RpcError:
        return None
    moved = _sum(contract.purchased, logs, contract.address, account)
    moved -= _sum(contract.redeemed, logs, contract.address, account)
    before, after = (
        evm.read(rpc, contract.address, "balanceOf(address)", account, block=hex(number))
        for number in (block - 1, block)
    )
    return None if before is None or after is None else after - before == moved


def _sum(signature: str, logs: Any, address: str, account: str) -> int:
    return sum(event.tokens for event in evm.events(signature, logs, address) if event.account == account)
