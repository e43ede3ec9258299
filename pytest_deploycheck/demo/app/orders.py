"""Purchases and redemptions: a row, then a transaction by the user's wallet, then its hash in the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from pytest_deploycheck.demo.app.db import one
from pytest_deploycheck.demo.app.problems import Problem
from pytest_deploycheck.demo.app.services import Services
from pytest_deploycheck.demo.ether import abi, signing
from pytest_deploycheck.demo.ether.keys import address_of, derive_key
from pytest_deploycheck.demo.ether.rpc import RpcRefused, RpcUnavailable

Kind = Literal["purchase", "redemption"]
_TABLE = {"purchase": "purchases", "redemption": "redemptions"}
# One transaction of a wallet at a time, whichever instance sends it: its nonce is read from the node.
_LOCK = "SELECT pg_advisory_xact_lock(31337, %s)"
_SIGNER_LOCK = 0
# Below the first the service's own account tops a wallet up by the second.
_LOW_WATER_WEI, _TOP_UP_WEI = 10**17, 10**18


@dataclass(frozen=True)
class OrderRequest:
    """What a user asked for."""

    kind: Kind
    user_id: int
    tokens: int
    idempotency_key: str
    run_tag: str | None


def place(parts: Services, order: OrderRequest) -> tuple[Any, bool]:
    """Carry out an order once; returns its row, and whether it is a new one.

    Problem 409 when the key belongs to another order or the contract refuses, 503 when the node is away.
    """
    state = parts.contract.state()
    cost = order.tokens * state.price_wei
    row, new = _record(parts, order, cost)
    if not new:
        return row, False
    try:
        with parts.db.transaction() as connection:
            connection.execute(_LOCK, (order.user_id,))
            digest = _send(parts, order, cost)
            done: Any = one(
                connection,
                f"UPDATE {_TABLE[order.kind]} SET tx_hash = %s WHERE id = %s"  # noqa: S608 - our own names
                " RETURNING *, %s AS kind",
                digest,
                row["id"],
                order.kind,
            )
    except (RpcRefused, RpcUnavailable) as error:
        with parts.db.transaction() as connection:
            connection.execute(
                f"UPDATE {_TABLE[order.kind]} SET status = 'failed' WHERE id = %s",  # noqa: S608
                (row["id"],),
            )
        if isinstance(error, RpcUnavailable):
            raise
        parts.metrics.reverted.inc()
        raise Problem(409, f"The contract refuses this {order.kind}: {error.reason}.") from None
    parts.metrics.sent.labels(order.kind).inc()
    parts.log.write("info", f"{order.kind}_sent", user=order.user_id, tx_hash=digest)
    return done, True


def _record(parts: Services, order: OrderRequest, cost: int) -> tuple[Any, bool]:
    """Insert the order's row, or find the one that its key already has."""
    table = _TABLE[order.kind]
    with parts.db.transaction() as connection:
        try:
            with connection.transaction():
                row = one(
                    connection,
                    f"INSERT INTO {table} (user_id, tokens, cost_wei, idempotency_key, run_tag)"  # noqa: S608
                    " VALUES (%s, %s, %s, %s, %s) RETURNING *, %s AS kind",
                    order.user_id,
                    order.tokens,
                    cost,
                    order.idempotency_key,
                    order.run_tag,
                    order.kind,
                )
        except psycopg.errors.UniqueViolation:
            if parts.switches.on("conflict_500"):
                raise
        else:
            return row, True
        earlier: Any = one(
            connection,
            f"SELECT *, %s AS kind FROM {table} WHERE idempotency_key = %s",  # noqa: S608
            order.kind,
            order.idempotency_key,
        )
    if earlier["user_id"] != order.user_id or int(earlier["tokens"]) != order.tokens:
        raise Problem(409, "The idempotency key belongs to another order.")
    return earlier, False


def _send(parts: Services, order: OrderRequest, cost: int) -> str:
    key = derive_key(parts.settings.signer_key, order.user_id)
    wallet = address_of(key)
    value = cost if order.kind == "purchase" else 0
    if int(parts.rpc.call("eth_getBalance", wallet, "latest"), 16) < value + _LOW_WATER_WEI:
        _top_up(parts, wallet, value)
    data = abi.call("buy()") if order.kind == "purchase" else abi.call("redeem(uint256)", order.tokens)
    return signing.send(parts.rpc, key, to=parts.contract.address, value=value, data=data)


def _top_up(parts: Services, wallet: str, value: int) -> None:
    """Give a wallet ether from the service's own account."""
    with parts.db.transaction() as connection:
        connection.execute(_LOCK, (_SIGNER_LOCK,))
        digest = signing.send(parts.rpc, parts.settings.signer_key, to=wallet, value=value + _TOP_UP_WEI)
        signing.wait(parts.rpc, digest)
    parts.metrics.sent.labels("top_up").inc()
    parts.log.write("info", "wallet_topped_up", wallet=wallet, tx_hash=digest)
