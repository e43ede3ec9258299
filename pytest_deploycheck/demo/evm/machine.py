"""Executes transactions and calls with py-evm on any state that is still kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import rlp
from eth.abc import ComputationAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.shanghai.state import ShanghaiState
from eth.vm.forks.shanghai.transactions import ShanghaiTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError

GAS_LIMIT = 30_000_000
# The protocol's rule would let the fee of an idle chain decay to 7 wei; held, so that estimates compare.
BASE_FEE_WEI = 10**9
TIP_WEI = 10**9
COINBASE = bytes(19) + b"\x01"


class Refused(Exception):
    """A transaction or call that cannot be executed at all: the sentence a client gets."""


@dataclass(frozen=True)
class Moment:
    """The block that an execution happens in."""

    number: int
    timestamp: int  # seconds, UTC
    ancestors: tuple[bytes, ...] = ()  # hashes, parent first


@dataclass(frozen=True)
class Outcome:
    """What an execution did."""

    success: bool
    gas_used: int  # what the sender pays for
    gas_needed: int  # before refunds, which come after the fact
    output: bytes
    logs: tuple[tuple[bytes, tuple[int, ...], bytes], ...] = ()  # address, topics, data
    created: bytes | None = None
    error: str = ""


@dataclass
class Override:
    """What eth_call pretends about one account."""

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: dict[int, int] = field(default_factory=dict)
    replace_storage: bool = False


class Machine:
    """Holds the state database; every execution starts from a state root and may end in another."""

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id
        self._nodes = MemoryDB()
        self._db = AtomicDB(self._nodes)

    @property
    def size(self) -> int:
        """Number of database entries."""
        return len(self._nodes.kv_store)

    def copy(self, other: Machine) -> None:
        """Take over another machine's database."""
        self._nodes.kv_store = dict(other._nodes.kv_store)

    def state(self, root: bytes, moment: Moment, base_fee: int = BASE_FEE_WEI) -> ShanghaiState:
        """Open a state; it changes nothing until persisted. Raises Refused when the root was pruned."""
        if root != BLANK_ROOT_HASH and root not in self._nodes.kv_store:
            raise Refused(f"missing trie node: the state of block {moment.number} is no longer kept")
        context = ExecutionContext(
            coinbase=COINBASE,  # type: ignore[arg-type]
            timestamp=moment.timestamp,
            block_number=moment.number,  # type: ignore[arg-type]
            difficulty=0,
            mix_hash=bytes(32),  # type: ignore[arg-type]
            gas_limit=GAS_LIMIT,
            prev_hashes=moment.ancestors,  # type: ignore[arg-type]
            chain_id=self.chain_id,
            base_fee_per_gas=base_fee,
        )
        return ShanghaiState(self._db, context, root)  # type: ignore[arg-type]

    def change(self, root: bytes, moment: Moment, accounts: Mapping[bytes, Override]) -> bytes:
        """Write accounts outside any transaction and return the new root: genesis, and tampering by tests."""
        state = self.state(root, moment)
        _apply(state, accounts)
        state.persist()
        return state.state_root

    def run(self, root: bytes, moment: Moment, transaction: Any) -> tuple[Outcome, bytes]:
        """Execute a signed transaction; returns its outcome and the new root, or raises Refused."""
        state = self.state(root, moment)
        try:
            computation = state.apply_transaction(transaction)
        except ValidationError as error:
            raise Refused(str(error)) from None
        outcome = _outcome(state, transaction, computation)
        state.persist()
        return outcome, state.state_root

    def simulate(
        self,
        root: bytes,
        moment: Moment,
        call: Mapping[str, Any],
        overrides: Mapping[bytes, Override] | None = None,
    ) -> Outcome:
        """Execute a call of the fields sender, to, value, data and gas without keeping anything.

        Gas is free, as it is for a real node when no gas price is named.
        """
        state = self.state(root, moment, base_fee=0)
        _apply(state, overrides or {})
        sender: bytes = call["sender"]
        unsigned = ShanghaiTransactionBuilder.new_unsigned_dynamic_fee_transaction(
            chain_id=self.chain_id,
            nonce=state.get_nonce(sender),  # type: ignore[arg-type]
            max_priority_fee_per_gas=0,
            max_fee_per_gas=0,
            gas=min(call.get("gas") or GAS_LIMIT, GAS_LIMIT),
            to=call.get("to") or b"",  # type: ignore[arg-type]
            value=call.get("value", 0),
            data=call.get("data", b""),
            access_list=(),
        )
        transaction: Any = SpoofTransaction(unsigned, from_=sender)
        if transaction.gas < transaction.intrinsic_gas:
            return Outcome(False, transaction.gas, transaction.gas, b"", error="intrinsic gas too low")
        try:
            computation = state.apply_transaction(transaction)
        except ValidationError as error:
            raise Refused(str(error)) from None
        return _outcome(state, transaction, computation)

    def prune(self, roots: Iterable[bytes]) -> None:
        """Forget every node that none of these roots reaches."""
        nodes = self._nodes.kv_store
        kept: set[bytes] = set()
        for root in roots:
            self._mark(root, kept, accounts=True)
        self._nodes.kv_store = {key: nodes[key] for key in kept}

    def _mark(self, root: bytes, kept: set[bytes], accounts: bool) -> None:
        pending: list[Any] = [root]
        while pending:
            item = pending.pop()
            if isinstance(item, bytes):
                if item in kept or item not in self._nodes.kv_store:
                    continue
                kept.add(item)
                item = rlp.decode(self._nodes.kv_store[item])
            if len(item) == 17:  # a branch: sixteen children and a value
                pending += [child for child in item[:16] if child]
            elif item[0][0] & 0x20:  # a leaf
                if accounts:
                    _, _, storage_root, code_hash = rlp.decode(item[1])
                    self._mark(storage_root, kept, accounts=False)
                    if code_hash != EMPTY_SHA3 and code_hash in self._nodes.kv_store:
                        kept.add(code_hash)
            else:  # an extension
                pending.append(item[1])


def _apply(state: ShanghaiState, accounts: Mapping[bytes, Override]) -> None:
    for raw, override in accounts.items():
        address: Any = raw
        if override.balance is not None:
            state.set_balance(address, override.balance)
        if override.nonce is not None:
            state.set_nonce(address, override.nonce)
        if override.code is not None:
            state.set_code(address, override.code)
        if override.replace_storage:
            state.delete_storage(address)
        for slot, value in override.storage.items():
            state.set_storage(address, slot, value)
    if accounts:
        state.lock_changes()


def _outcome(state: ShanghaiState, transaction: Any, computation: ComputationAPI) -> Outcome:
    needed = transaction.gas - computation.get_gas_remaining()
    executor: Any = state.get_transaction_executor()
    refund = executor.calculate_gas_refund(computation, needed)
    error = computation.error if computation.is_error else None
    return Outcome(
        success=error is None,
        gas_used=needed - refund,
        gas_needed=needed,
        output=computation.output,
        logs=tuple((address, tuple(topics), data) for address, topics, data in computation.get_log_entries()),
        created=computation.msg.storage_address if computation.msg.is_create else None,
        error=_reason(error) if error is not None else "",
    )


def _reason(error: VMError) -> str:
    return type(error).__name__ if not str(error) or isinstance(error.args[0], bytes) else str(error)
