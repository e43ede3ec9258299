"""A wallet's history: what the API lists must have happened, and what happened must be listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.probes import evm
from pytest_deploycheck.probes.fields import Fields, document, rows, same_amount
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.http import Http

LISTED_MAX = 20
"""Newest entries that are looked up on the chain."""


@dataclass(frozen=True)
class Owner:
    """Whose history it is; `decimals` are the token's."""

    address: str
    wallet_id: str
    decimals: int


@dataclass(frozen=True)
class HistoryFacts:
    """Entries of the API and logs of the contract, compared.

    listed: entries in the answer.  examined: of these, looked up on the chain.  wrong: (transaction, what
    is wrong with its entry).  happened: transactions of the wallet in the logs of blocks first_block to
    last_block, None when the node does not give them.  missing: those of them that are not listed.
    """

    status: int
    listed: int
    examined: int
    wrong: tuple[tuple[str, str], ...]
    happened: int | None
    missing: tuple[str, ...]
    first_block: int
    last_block: int


def history(target: Target, http: Http, rpc: Rpc, fields: Fields, owner: Owner) -> HistoryFacts | None:
    """Compare a wallet's history with the chain; None where the product has none."""
    if not target.api.wallet_history_path:
        return None
    head = rpc.number("eth_blockNumber")
    answer = http.get(target.api.wallet_history_path.replace("{id}", owner.wallet_id))
    entries = [(_hash(entry, fields), entry) for entry in rows(document(answer))]
    listed = [(name, entry) for name, entry in entries if name]
    receipts = rpc.batch([("eth_getTransactionReceipt", name) for name, _ in listed[:LISTED_MAX]])
    wrong = [
        (name, problem)
        for (name, entry), receipt in zip(listed, receipts, strict=False)
        if (problem := _problem(target, fields, owner, entry, receipt))
    ]
    last = max(head - target.limits.wallet_max_block_skew, 0)
    first = max(last - target.limits.wallet_history_blocks, 0)
    blocks = [number for _, entry in listed if (number := fields.integer(entry, "block")) is not None]
    if len(listed) >= LISTED_MAX and blocks:
        first = max(first, min(blocks) + 1)  # older ones may be on the next page
    happened = _happened(rpc, target, owner.address, first, last) if first <= last else set()
    known = {name for name, _ in listed}
    return HistoryFacts(
        status=answer.status,
        listed=len(listed),
        examined=len(receipts),
        wrong=tuple(wrong),
        happened=None if happened is None else len(happened),
        missing=tuple(sorted((happened or set()) - known)),
        first_block=first,
        last_block=last,
    )


def _hash(entry: Mapping[str, Any], fields: Fields) -> str:
    found = fields.text(entry, "tx_hash") or ""
    return found.lower() if found.startswith("0x") else ""


def _problem(target: Target, fields: Fields, owner: Owner, entry: Mapping[str, Any], receipt: Any) -> str:
    """Return what is wrong with an entry, nothing when the chain bears it out."""
    if not isinstance(receipt, dict):
        return "the chain has no such transaction"
    if receipt.get("status") != "0x1":
        return "it was reverted"
    if owner.address[2:].lower() not in str(receipt).lower():
        return "it has nothing to do with this wallet"
    contract, logs = target.contract, receipt.get("logs") or []
    moved = {
        event.tokens
        for signature in (contract.purchased, contract.redeemed)
        for event in evm.events(signature, logs, contract.address)
        if event.account == owner.address.lower()
    }
    shown = fields.text(entry, "token_balance")
    if moved and shown is not None and not any(same_amount(shown, one, owner.decimals) for one in moved):
        return f"{shown} tokens are listed, {', '.join(map(str, sorted(moved)))} were moved"
    return ""


def _happened(rpc: Rpc, target: Target, address: str, first: int, last: int) -> set[str] | None:
    """Return the transactions in the contract's logs that name an address in an indexed argument."""
    if not target.contract.address:
        return None
    name = "0x" + address[2:].lower().rjust(64, "0")
    query = {"address": target.contract.address, "fromBlock": hex(first), "toBlock": hex(last)}
    found: set[str] = set()
    try:
        for topics in ([None, name], [None, None, name]):
            logs = rpc.call("eth_getLogs", {**query, "topics": topics})
            found |= {str(log["transactionHash"]).lower() for log in logs if not _approval(log)}
    except (RpcError, TypeError, KeyError):
        return None
    return found


def _approval(log: Mapping[str, Any]) -> bool:
    """Whether a log moves nothing: an allowance is no part of a history."""
    return bool(log["topics"]) and log["topics"][0] == evm.topic("Approval(address,address,uint256)")
