"""The deployment of the contract: its transaction, its receipt, and what the constructor was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import abi_values, evm
from pytest_deploycheck.rules.metadata import arguments_of
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.rules.artifact import Artifact


@dataclass(frozen=True)
class Deployment:
    """The creation of a contract, None where the node does not tell.

    transaction: its hash, empty when the target file names none.  known: the node has its receipt.  succeeded:
    the receipt's status.  created: the address in it.  appeared: in that block there was code at the address
    for the first time, which shows what a factory made; None where the node keeps no such old state, and
    `mentioned`, that its logs come from the address or name it, has to do.  sender: who sent it.  canonical: its block is on the chain still.  created_by_build: what was
    sent is the build's creation code; `difference` says where not.  arguments: the constructor's, as text, and
    `arguments_expected` the target file's, None where it names none.
    """

    transaction: str
    known: bool = False
    succeeded: bool | None = None
    created: str = ""
    appeared: bool | None = None
    mentioned: bool = False
    sender: str = ""
    nonce: int | None = None
    value: str = "0x0"
    block: int | None = None
    canonical: bool | None = None
    created_by_build: bool | None = None
    difference: str = ""
    arguments: tuple[str, ...] | None = None
    arguments_expected: tuple[str, ...] | None = None
    arguments_agree: bool | None = None

    def of(self, address: str) -> bool:
        """Whether it created the contract at an address."""
        if self.created:
            return self.created.lower() == address.lower()
        return self.mentioned if self.appeared is None else self.appeared and self.mentioned


def deployment(
    rpc: Rpc, transaction: str, address: str, made: Artifact | None, expected: list[Any] | None
) -> Deployment:
    """Look at the transaction that created a contract."""
    if not transaction:
        return Deployment("")
    receipt, sent = rpc.batch(
        [("eth_getTransactionReceipt", transaction), ("eth_getTransactionByHash", transaction)]
    )
    if not isinstance(receipt, dict):
        return Deployment(transaction)
    block = evm.quantity(receipt.get("blockNumber"))
    given = receipt.get("logs")
    logs: list[Any] = given if isinstance(given, list) else []
    found = Deployment(
        transaction=transaction,
        known=True,
        succeeded=None if receipt.get("status") is None else evm.quantity(receipt["status"]) == 1,
        created=str(receipt.get("contractAddress") or ""),
        appeared=_appeared(rpc, address, block) if not receipt.get("contractAddress") else None,
        mentioned=any(address[2:].lower() in _words(log) for log in logs),
        sender=str(receipt.get("from", "")),
        block=block,
        canonical=_canonical(rpc, block, str(receipt.get("blockHash", ""))),
    )
    if not isinstance(sent, dict):
        return found
    fields = {
        **vars(found),
        "nonce": evm.quantity(sent.get("nonce")),
        "value": str(sent.get("value") or "0x0"),
    }
    if made is not None and found.created:
        fields |= _constructed(made, str(sent.get("input") or sent.get("data") or "0x"), expected)
    return Deployment(**fields)


def _constructed(made: Artifact, data: str, expected: list[Any] | None) -> dict[str, Any]:
    given, why = arguments_of(made, evm.raw(data) or b"")
    kinds = abi_values.types_of(made.abi, "", "constructor") or []
    found: dict[str, Any] = {
        "created_by_build": None if not made.creation else given is not None,
        "difference": why,
    }
    if given is not None:
        shown = abi_values.decode(kinds, given)
        found["arguments"] = None if shown is None else tuple(shown)
    if expected is not None:
        wanted = abi_values.encode(kinds, expected, f"the constructor of {made.name}")
        found["arguments_expected"] = tuple(abi_values.decode(kinds, wanted) or ())
        found["arguments_agree"] = None if given is None else given == wanted
    return found


def _appeared(rpc: Rpc, address: str, block: int | None) -> bool | None:
    """Whether a block brought the code at an address; None when the node does not know any more."""
    if not block:
        return None
    before, after = rpc.batch(
        [("eth_getCode", address, hex(block - 1)), ("eth_getCode", address, hex(block))]
    )
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    return before in ("0x", "0x0") and len(after) > 2


def _words(log: Any) -> str:
    """Return all that a log says: who it comes from, its topics and its data."""
    if not isinstance(log, dict):
        return ""
    return " ".join(map(str, (log.get("address"), *(log.get("topics") or ()), log.get("data")))).lower()


def _canonical(rpc: Rpc, number: int | None, digest: str) -> bool | None:
    if number is None or not digest:
        return None
    try:
        block = rpc.call("eth_getBlockByNumber", hex(number), False)
    except (RpcError, CannotLook, Dead):
        return None
    return isinstance(block, dict) and str(block.get("hash", "")).lower() == digest.lower()
