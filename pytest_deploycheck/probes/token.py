"""The token probe: what a purchase would cost, and whether buying and redeeming would work; none is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.fields import Fields, document
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

TOKENS = 3
"""Tokens in a quote and a simulated purchase: more than one, so that a price for one is no answer."""
_FUNDS_WEI = 10**24
_HOLDERS_TRIED = 10


@dataclass(frozen=True)
class Simulation:
    """A contract call that was only tried out (eth_call); `sound`: whether it should succeed.

    sender: whose call it would be.  reverted: whether the contract refuses it, `reason` in which words.
    """

    says: str
    sound: bool
    sender: str
    reverted: bool
    reason: str


@dataclass(frozen=True)
class TokenFacts:
    """The offer and the contract behind it, read at the same block.

    quote_status, quoted_wei, shown_price_wei: the API's answer for `tokens` tokens; None where it does not
    say.  shown_paused: what the API says of the contract.  named_block: which block it says its quote is
    of.  head: the reference node's newest block right before.  price_wei, paused: the contract's own at
    `block`, None where it has no such function.  buy, redeem, over: None when nobody was found who holds
    tokens or ether, or the node could not try.
    """

    quote_path: str
    tokens: int
    quote_status: int
    quoted_wei: int | None
    shown_price_wei: int | None
    shown_paused: bool | None
    named_block: int | None
    head: int
    block: int
    price_wei: int | None
    paused: bool | None
    buy: Simulation | None
    redeem: Simulation | None
    over: Simulation | None


@probe(
    facts=TokenFacts,
    deadline=30,
    needs=("acct", "contract_gate"),
    uses={"api": "GET", "rpc": "POST", "login": "POST"},
)
def token(target: Target, connect: Connections) -> TokenFacts:
    """Compare the quote with the contract's price, and try buying and redeeming out without sending."""
    http, rpc, fields = connect.api(), connect.rpc(), Fields(target.api.fields)
    contract = target.contract
    before = rpc.number("eth_blockNumber")
    answer = http.get(target.api.quote_path, params={"tokens": TOKENS})
    quote = document(answer)
    info = document(http.get(target.api.token_path)) if target.api.token_path else None
    shown = fields.get(info, "paused")
    head = rpc.number("eth_blockNumber")
    named = fields.integer(quote, "block")
    # An old block's price would prove nothing of a purchase that is made now.
    block = head
    if named is not None and before - target.limits.chain_max_lag_blocks <= named <= head:
        block = named
    price = evm.read(rpc, contract.address, contract.price, block=hex(block))
    paused = evm.read(rpc, contract.address, contract.paused, block=hex(block))
    holder, balance = _holder(
        target, rpc, fields.text(document(http.get(target.api.wallet_path)), "address"), head
    )
    return TokenFacts(
        quote_path=target.api.quote_path,
        tokens=TOKENS,
        quote_status=answer.status,
        quoted_wei=fields.integer(quote, "cost"),
        shown_price_wei=fields.integer(quote, "price"),
        shown_paused=shown if isinstance(shown, bool) else None,
        named_block=named,
        head=before,
        block=block,
        price_wei=price,
        paused=None if paused is None else bool(paused),
        buy=_buy(target, rpc, holder, price),
        redeem=_redeem(target, rpc, "redeeming one token", True, holder, 1) if balance else None,
        over=_redeem(target, rpc, "redeeming more than is held", False, holder, balance + 1)
        if holder
        else None,
    )


def _holder(target: Target, rpc: Rpc, own: str | None, head: int) -> tuple[str, int]:
    """Return somebody who holds tokens, and how many: the test account, or whoever bought of late."""
    contract = target.contract
    candidates = [own] if own and evm.ADDRESS.fullmatch(own) else []
    query = {
        "address": contract.address,
        "fromBlock": hex(max(head - target.limits.wallet_history_blocks, 0)),
        "toBlock": hex(head),
        "topics": [evm.topic(contract.purchased)],
    }
    for candidate in candidates:
        if balance := evm.read(rpc, contract.address, "balanceOf(address)", candidate):
            return candidate, balance
    try:
        logs = rpc.call("eth_getLogs", query)
    except RpcError:
        logs = []
    buyers = [event.account for event in evm.events(contract.purchased, logs, contract.address)]
    for buyer in list(dict.fromkeys(reversed(buyers)))[:_HOLDERS_TRIED]:
        if balance := evm.read(rpc, contract.address, "balanceOf(address)", buyer):
            return buyer, balance
    return (candidates or [""])[0], 0


def _buy(target: Target, rpc: Rpc, sender: str, price: int | None) -> Simulation | None:
    signature = target.contract.buy
    arguments = _arguments(signature, TOKENS, sender)
    if not sender or price is None or arguments is None:
        return None
    call = {
        "from": sender,
        "to": target.contract.address,
        "value": hex(price * TOKENS),
        "data": evm.encode(signature, *arguments),
    }
    says = f"buying {TOKENS} tokens"
    # With ether lent for this call alone, where the node can do that; else with the sender's own.
    lent = _simulate(rpc, says, True, call, {sender: {"balance": hex(_FUNDS_WEI)}})
    return lent or _simulate(rpc, says, True, call)


def _redeem(target: Target, rpc: Rpc, says: str, sound: bool, sender: str, tokens: int) -> Simulation | None:
    signature = target.contract.redeem
    arguments = _arguments(signature, tokens, sender)
    if arguments is None:
        return None
    call = {"from": sender, "to": target.contract.address, "data": evm.encode(signature, *arguments)}
    return _simulate(rpc, says, sound, call)


def _simulate(rpc: Rpc, says: str, sound: bool, call: dict[str, Any], *lent: Any) -> Simulation | None:
    """Try a call out; None when the node refuses to try, which says nothing of the contract."""
    try:
        rpc.call("eth_call", call, "latest", *lent)
    except RpcError as error:
        return Simulation(says, sound, call["from"], True, evm.reason(error)) if evm.reverted(error) else None
    return Simulation(says, sound, call["from"], False, "")


def _arguments(signature: str, tokens: int, account: str) -> list[int | str] | None:
    """Return what to call a function with: amounts are tokens, addresses the caller; None for other types."""
    values: list[int | str] = []
    for kind in evm.types(signature):
        if kind.startswith("uint"):
            values.append(tokens)
        elif kind == "address":
            values.append(account)
        else:
            return None
    return values
