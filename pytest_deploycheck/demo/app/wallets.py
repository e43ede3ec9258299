"""Custodial wallets: balances from the chain, history from the index, and what a withdrawal would cost."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from pytest_deploycheck.demo.app.db import one
from pytest_deploycheck.demo.app.guard import BEARER, Protected, caller
from pytest_deploycheck.demo.app.models import (
    History,
    Transaction,
    Transactions,
    Wallet,
    WalletEvent,
    WithdrawalQuote,
    WithdrawalRequest,
)
from pytest_deploycheck.demo.app.problems import Problem
from pytest_deploycheck.demo.app.services import Services, services
from pytest_deploycheck.demo.ether.keys import ZERO_ADDRESS, is_checksum_address
from pytest_deploycheck.demo.ether.signing import TRANSFER_GAS

router = APIRouter(tags=["wallets"], route_class=Protected, dependencies=[BEARER])
_NEWEST = 100


@router.get("/wallet")
def own_wallet(request: Request) -> Wallet:
    """Return the caller's wallet."""
    parts = services(request)
    return _show(parts, _find(parts, "user_id = %s", caller(request).id))


@router.get("/wallets/{wallet_id}")
def wallet(request: Request, wallet_id: int) -> Wallet:
    """Return a wallet of the caller."""
    parts = services(request)
    return _show(parts, _own(parts, request, wallet_id))


@router.get("/wallets/{wallet_id}/history")
def history(request: Request, wallet_id: int) -> History:
    """Return the newest events of a wallet of the caller."""
    parts = services(request)
    row = _own(parts, request, wallet_id)
    with parts.db.transaction() as connection:
        cursor: Any = one(connection, "SELECT block_number FROM indexer_cursor")
        events = connection.execute(
            "SELECT kind, tx_hash, log_index, block_number, tokens::text, wei::text FROM chain_events"
            " WHERE address = %s ORDER BY block_number DESC, log_index DESC LIMIT %s",
            (row["address"], _NEWEST),
        ).fetchall()
    return History(
        wallet_id=row["id"],
        address=row["address"],
        indexed_to=cursor["block_number"],
        events=[WalletEvent.model_validate(event) for event in events],
    )


@router.post("/wallets/{wallet_id}/withdrawal-quote")
def withdrawal_quote(request: Request, wallet_id: int, form: WithdrawalRequest) -> WithdrawalQuote:
    """Return what sending ether out of a wallet of the caller would cost; nothing is sent."""
    parts = services(request)
    row = _own(parts, request, wallet_id)
    amount = int(form.amount_wei)
    balances = parts.contract.balances(row["address"])
    fee = TRANSFER_GAS * int(parts.rpc.call("eth_gasPrice"), 16)
    if not parts.switches.on("accept_bad_address"):
        if not is_checksum_address(form.address):
            raise Problem(422, "The address is not in its EIP-55 spelling.")
        if form.address == ZERO_ADDRESS:
            raise Problem(422, "The zero address would burn the ether.")
        if amount == 0 or amount + fee > balances.native_wei:
            raise Problem(422, f"The wallet cannot pay {amount} wei and a fee of {fee} wei.")
    return WithdrawalQuote(
        address=form.address,
        amount_wei=str(amount),
        fee_wei=str(fee),
        total_wei=str(amount + fee),
        block_number=balances.block_number,
    )


@router.get("/transactions")
def transactions(request: Request) -> Transactions:
    """Return the newest purchases and redemptions of the caller."""
    parts = services(request)
    with parts.db.transaction() as connection:
        rows = connection.execute(
            "SELECT 'purchase' AS kind, * FROM purchases WHERE user_id = %(user)s"
            " UNION ALL SELECT 'redemption' AS kind, * FROM redemptions WHERE user_id = %(user)s"
            " ORDER BY created_at DESC LIMIT %(newest)s",
            {"user": caller(request).id, "newest": _NEWEST},
        ).fetchall()
    return Transactions(transactions=[show_transaction(row) for row in rows])


def show_transaction(row: Any) -> Transaction:
    """Return a row of purchases or redemptions as the API shows it."""
    return Transaction(
        id=row["id"],
        kind=row["kind"],
        tokens=str(row["tokens"]),
        cost_wei=str(row["cost_wei"]),
        tx_hash=row["tx_hash"],
        status=row["status"],
        created_at=row["created_at"].isoformat(),
        confirmed_at=row["confirmed_at"].isoformat() if row["confirmed_at"] else None,
    )


def _own(parts: Services, request: Request, wallet_id: int) -> Any:
    """Find a wallet of the caller; whose it is otherwise stays a secret, so that is 404 too."""
    if parts.switches.on("idor"):
        return _find(parts, "id = %s", wallet_id)
    return _find(parts, "id = %s AND user_id = %s", wallet_id, caller(request).id)


def _find(parts: Services, where: Any, *values: int) -> Any:
    with parts.db.transaction() as connection:
        row: Any = one(connection, "SELECT id, user_id, address FROM wallets WHERE " + where, *values)  # noqa: S608
        if row is None:
            raise Problem(404, "You have no such wallet.")
        if parts.switches.on("shared_address"):
            first: Any = one(connection, "SELECT address FROM wallets ORDER BY id LIMIT 1")
            row["address"] = first["address"]
    return row


def _show(parts: Services, row: Any) -> Wallet:
    balances = parts.contract.balances(row["address"])
    return Wallet(
        id=row["id"],
        address=row["address"],
        chain_id=balances.chain_id,
        native_balance_wei=str(balances.native_wei),
        token_balance=str(balances.tokens),
        block_number=balances.block_number,
    )
