"""The round trip probe: the canary account buys tokens and redeems them, where ether has no price."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.books import DONE, query_of, transaction_of
from pytest_deploycheck.probes.fields import Fields, document, rows

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http
    from pytest_deploycheck.transports.rpc import Rpc

TESTNETS = frozenset({1337, 31337, 11155111, 17000, 560048, 84532, 421614, 11155420, 80002, 97, 43113})
"""Development chains, Sepolia, Holesky, Hoodi, and the test networks of the larger other chains."""
_POLL_S = 0.25


@dataclass(frozen=True)
class Order:
    """One order through the API, and what became of it on the chain and in the books.

    status: the API's answer.  transaction: its hash, empty when none came of it.  mined: its receipt says
    success; None without a receipt.  event_tokens: what the contract logged for it.  moved: by how many
    tokens the account's balance changed.  row_status: the database's word for it, None when there is no
    row, or no [db] to look in (`in_books` tells).  listed: whether the API lists it afterwards, None where
    the product has no list.  settled_s: seconds until the database called it done.
    """

    status: int
    transaction: str
    mined: bool | None
    event_tokens: int | None
    moved: int
    in_books: bool
    row_status: str | None
    listed: bool | None
    settled_s: float | None


@dataclass(frozen=True)
class RoundTripFacts:
    """A purchase and its redemption; `why` says why none was made.

    repeat_status, repeat_same: the purchase sent again under the same key, and whether that gave the same
    transaction.  conflict_status: another purchase under that key.  kept: tokens left over in the end.
    """

    attempted: bool
    why: str
    tokens: int
    purchase: Order | None = None
    repeat_status: int | None = None
    repeat_same: bool = False
    conflict_status: int | None = None
    redemption: Order | None = None
    kept: int = 0


@probe(
    facts=RoundTripFacts,
    deadline=150,
    needs=("api",),
    uses={"api": "GET POST", "login": "POST", "rpc": "POST", "db": "read"},
    safety="S3",
)
def round_trip(target: Target, connect: Connections) -> RoundTripFacts:
    """Buy and redeem a token as the canary account; only with --allow canary, never for real money."""
    if why := _refusal(target, connect):
        return RoundTripFacts(False, why, 0)
    return _Trip(target, connect).make()


def _refusal(target: Target, connect: Connections) -> str:
    if not connect.allowed("canary"):
        return "--allow canary was not given"
    if target.auth.canary_account is None:
        return "the target file names no auth.canary_account"
    if target.target.environment == "production" or target.contract.chain_id not in TESTNETS:
        return (
            f"chain {target.contract.chain_id} in {target.target.environment} is no place to spend on trial"
        )
    if not (target.rpc and target.contract.address):
        return "the target file names no rpc.url or no contract.address to prove it by"
    return ""


class _Trip:
    """The steps, and what they share."""

    def __init__(self, target: Target, connect: Connections) -> None:
        self._target, self._connect = target, connect
        self._http: Http = connect.api("canary_account")
        self._rpc: Rpc = connect.rpc()
        self._fields = Fields(target.api.fields)
        wallet = document(self._http.get(target.api.wallet_path))
        self._account = self._fields.text(wallet, "address") or evm.ZERO_ADDRESS

    def make(self) -> RoundTripFacts:
        """Buy, send the same again, send another under the same key, redeem all that was bought."""
        before = self._balance()
        purchase = self._order("purchase", 1)
        repeat = self._send("purchase", 1)
        same = self._fields.text(document(repeat), "tx_hash") or ""
        conflict = self._send("purchase", 2)
        # Where a key does not protect, the repeats have bought as well: those are redeemed too.
        bought = max(self._balance() - before, 1)
        redemption = self._order("redemption", bought) if purchase.mined else None
        return RoundTripFacts(
            attempted=True,
            why="",
            tokens=1,
            purchase=purchase,
            repeat_status=repeat.status,
            repeat_same=bool(purchase.transaction) and same.lower() == purchase.transaction,
            conflict_status=conflict.status,
            redemption=redemption,
            kept=self._balance() - before,
        )

    def _balance(self) -> int:
        return evm.read(self._rpc, self._target.contract.address, "balanceOf(address)", self._account) or 0

    def _send(self, kind: str, tokens: int) -> Any:
        section = self._target.api
        path = section.purchase_path if kind == "purchase" else section.redeem_path
        key = {section.idempotency_header: f"{self._connect.run_id}-{kind}"}
        return self._http.post(path, json={section.order_field: tokens}, headers=key)

    def _order(self, kind: str, tokens: int) -> Order:
        before = self._balance()
        answer = self._send(kind, tokens)
        name = (self._fields.text(document(answer), "tx_hash") or "").lower()
        receipt = self._mined(name) if name else None
        contract = self._target.contract
        signature = contract.purchased if kind == "purchase" else contract.redeemed
        logs = receipt.get("logs") or [] if receipt else []
        events = [
            event
            for event in evm.events(signature, logs, contract.address)
            if event.account == self._account.lower()
        ]
        moved = self._balance() - before
        row, settled_s = self._row(kind, name) if receipt else (None, None)
        return Order(
            status=answer.status,
            transaction=name,
            mined=None if receipt is None else receipt.get("status") == "0x1",
            event_tokens=sum(event.tokens for event in events) if events else None,
            moved=moved,
            in_books=self._target.db is not None,
            row_status=row,
            listed=self._listed(name) if name else None,
            settled_s=settled_s,
        )

    def _mined(self, name: str) -> dict[str, Any] | None:
        until = time.monotonic() + self._target.limits.round_trip_mined_s
        while True:
            receipt = self._rpc.call("eth_getTransactionReceipt", name)
            if isinstance(receipt, dict):
                return receipt
            if time.monotonic() > until:
                return None
            self._connect.sleep(_POLL_S)

    def _row(self, kind: str, name: str) -> tuple[str | None, float | None]:
        """Return the row's word for the order, and how long it took until that was one for done."""
        if self._target.db is None:
            return None, None
        query = query_of(self._target, kind)
        sql, began = self._connect.sql(), time.monotonic()
        while True:
            row = sql.one(
                f"SELECT q.status FROM ({query}) AS q WHERE {transaction_of('q')} = %s",  # noqa: S608
                (name,),
            )
            status = str(row["status"]) if row else None
            took = round(time.monotonic() - began, 2)
            if status and status.lower() in DONE:
                return status, took
            if took > self._target.limits.round_trip_settled_s:
                return status, None
            self._connect.sleep(_POLL_S)

    def _listed(self, name: str) -> bool | None:
        path = self._target.api.transactions_path
        if not path:
            return None
        answer = self._http.get(path)
        if answer.status in (404, 405):
            return None
        listed = rows(document(answer))
        return any((self._fields.text(entry, "tx_hash") or "").lower() == name for entry in listed)
