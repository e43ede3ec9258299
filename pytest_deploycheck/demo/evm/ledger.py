"""The chain itself: blocks, the pool of waiting transactions, mining, and how much of the past is kept."""

from __future__ import annotations

import bisect
import copy
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from eth.constants import BLANK_ROOT_HASH
from eth.vm.forks.shanghai.transactions import ShanghaiTransactionBuilder
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from pytest_deploycheck.demo.ether.keys import keccak
from pytest_deploycheck.demo.evm.machine import Machine, Moment, Override, Refused
from pytest_deploycheck.demo.evm.records import Block, Mined

KEEP_BLOCKS = 20_000  # with their transactions and receipts: some three hours of the demo
KEEP_STATES = 1024  # of the newest blocks, for eth_call and balances in the past
_SWEEP_EVERY = 1024  # blocks with transactions between two sweeps of the state database
# As a chain with one slot in an epoch: safe is one block behind, finalized two.
_SAFE_DEPTH, _FINAL_DEPTH = 1, 2


class Ledger:
    """One chain in memory. Not thread-safe: the server runs in one event loop."""

    def __init__(
        self, chain_id: int, accounts: Mapping[bytes, Override], timestamp: int | None = None
    ) -> None:
        self.machine = Machine(chain_id)
        self.automine = True
        self.replicas: list[Replica] = []
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._creations: dict[int, Block] = {}  # blocks that created a contract outlive the others
        self._numbers: dict[bytes, int] = {}  # block hash -> number
        self._places: dict[bytes, tuple[int, int]] = {}  # transaction hash -> block number, index
        self._busy: list[int] = []  # numbers of blocks with transactions, ascending
        self._pool: dict[bytes, dict[int, Any]] = {}  # sender -> nonce -> transaction
        self._since_sweep = 0
        moment = Moment(0, int(time.time()) if timestamp is None else timestamp)
        root = self.machine.change(BLANK_ROOT_HASH, moment, accounts)
        self._append(Block(0, moment.timestamp, bytes(32), root))

    # Reading

    @property
    def head(self) -> Block:
        """The newest block."""
        return next(reversed(self._blocks.values()))

    def number_of(self, tag: str) -> int:
        """Resolve latest, pending, safe, finalized, earliest or a hexadecimal number; else ValueError."""
        head = self.head.number
        named = {
            "latest": head,
            "pending": head,
            "safe": max(head - _SAFE_DEPTH, 0),
            "finalized": max(head - _FINAL_DEPTH, 0),
            "earliest": 0,
        }
        return named[tag] if tag in named else int(tag, 16)

    def block(self, number: int) -> Block | None:
        """Return a block, or None when it does not exist yet or is no longer kept."""
        return self._blocks.get(number) or self._creations.get(number)

    def block_by_hash(self, digest: bytes) -> Block | None:
        """Return the block with this hash, or None."""
        number = self._numbers.get(digest)
        return None if number is None else self.block(number)

    def place(self, digest: bytes) -> tuple[Block, int] | None:
        """Find a mined transaction: its block and its index in it."""
        number, index = self._places.get(digest, (-1, 0))
        block = self.block(number)
        return None if block is None else (block, index)

    def busy_blocks(self, first: int, last: int) -> Iterator[Block]:
        """Yield the blocks of a range, both ends included, that hold transactions."""
        start = bisect.bisect_left(self._busy, first)
        for number in self._busy[start : bisect.bisect_right(self._busy, last)]:
            block = self.block(number)
            if block is not None:
                yield block

    def pooled(self, digest: bytes) -> tuple[Any, bytes] | None:
        """Find a waiting transaction by its hash: the transaction and its sender."""
        for sender, queue in self._pool.items():
            for transaction in queue.values():
                if keccak(transaction.encode()) == digest:
                    return transaction, sender
        return None

    def next_nonce(self, sender: bytes) -> int:
        """Return the nonce that follows the waiting transactions of an account."""
        nonce = self.nonce(sender)
        queue = self._pool.get(sender, {})
        while nonce in queue:
            nonce += 1
        return nonce

    def nonce(self, sender: bytes) -> int:
        """Return the number of mined transactions of an account."""
        return int(self._state().get_nonce(sender))

    # Writing

    def submit(self, raw: bytes) -> bytes:
        """Accept a signed transaction, mine it at once unless automine is off, and return its hash.

        Raises Refused with the words that Ethereum nodes use: nonce too low, insufficient funds, …
        """
        try:
            transaction: Any = ShanghaiTransactionBuilder.decode(raw)
            transaction.validate()
            sender: bytes = transaction.sender
        except (RLPException, ValidationError, ValueError, IndexError, TypeError) as error:
            raise Refused(f"invalid transaction: {error}") from None
        chain = transaction.chain_id
        if chain is not None and chain != self.machine.chain_id:
            raise Refused(f"invalid chain id {chain}, expected {self.machine.chain_id}")
        nonce = self.nonce(sender)
        if transaction.nonce < nonce:
            raise Refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        balance = self._state().get_balance(sender)
        if balance < cost:
            raise Refused(f"insufficient funds for gas * price + value: have {balance} want {cost}")
        digest = keccak(raw)
        queue = self._pool.setdefault(sender, {})
        queue[transaction.nonce] = transaction
        if self.automine and transaction.nonce == nonce:
            self.mine()
        return digest

    def mine(self) -> Block:
        """Append a block with every transaction that is ready; Refused if one of them cannot be executed."""
        moment = self._next_moment()
        root = self.head.state_root
        mined: list[Mined] = []
        gas = logs = 0
        refused: Refused | None = None
        for sender in list(self._pool):
            nonce = self.nonce(sender)
            while nonce in self._pool.get(sender, {}):
                transaction = self._pool[sender][nonce]
                self._drop(sender, nonce)
                nonce += 1
                try:
                    outcome, root = self.machine.run(root, moment, transaction)
                except Refused as error:
                    refused = error
                    break
                gas += outcome.gas_used
                digest = keccak(transaction.encode())
                mined.append(Mined(transaction, digest, sender, outcome, gas, logs))
                logs += len(outcome.logs)
        if refused is not None and not mined:
            raise refused
        return self._append(Block(moment.number, moment.timestamp, self.head.hash, root, tuple(mined)))

    def change(self, accounts: Mapping[bytes, Override]) -> None:
        """Alter accounts outside any transaction, in a block of its own; for tests that break things."""
        moment = self._next_moment()
        root = self.machine.change(self.head.state_root, moment, accounts)
        self._append(Block(moment.number, moment.timestamp, self.head.hash, root), accounts)

    def moment(self, block: Block) -> Moment:
        """Return the surroundings of a block for calls at it."""
        return Moment(block.number, block.timestamp, self._ancestors(block.number))

    def _state(self) -> Any:
        head = self.head
        return self.machine.state(head.state_root, Moment(head.number, head.timestamp))

    def _next_moment(self) -> Moment:
        head = self.head
        # Blocks of one second share a timestamp: counting up would let a busy chain run ahead of the clock.
        return Moment(
            head.number + 1, max(int(time.time()), head.timestamp), self._ancestors(head.number + 1)
        )

    def _ancestors(self, number: int) -> tuple[bytes, ...]:
        blocks = (self._blocks.get(n) for n in range(number - 1, max(number - 257, -1), -1))
        return tuple(block.hash for block in blocks if block is not None)

    def _drop(self, sender: bytes, nonce: int) -> None:
        queue = self._pool.get(sender, {})
        queue.pop(nonce, None)
        if not queue:
            self._pool.pop(sender, None)

    def _append(self, block: Block, changed: Mapping[bytes, Override] | None = None) -> Block:
        self._blocks[block.number] = block
        self._numbers[block.hash] = block.number
        for index, one in enumerate(block.mined):
            self._places[one.hash] = (block.number, index)
        if block.mined:
            self._busy.append(block.number)
            self._since_sweep += 1
        while len(self._blocks) > KEEP_BLOCKS:
            self._forget(self._blocks.popitem(last=False)[1])
        if self._since_sweep >= _SWEEP_EVERY:
            self._since_sweep = 0
            recent = range(max(block.number - KEEP_STATES + 1, 0), block.number + 1)
            self.machine.prune({self._blocks[n].state_root for n in recent if n in self._blocks})
        for replica in self.replicas:
            replica.adopt(block, changed or {})
        return block

    def _forget(self, block: Block) -> None:
        if any(one.outcome.created for one in block.mined):
            self._creations[block.number] = block
            return
        self._numbers.pop(block.hash, None)
        for one in block.mined:
            self._places.pop(one.hash, None)
        if block.mined:
            self._busy.remove(block.number)


class Replica(Ledger):
    """A second node of the same chain: it carries out every block of the first one itself.

    While it does not follow it stays behind, or mines blocks of its own, which is a fork.
    """

    def __init__(self, origin: Ledger, accounts: Mapping[bytes, Override]) -> None:
        super().__init__(origin.machine.chain_id, accounts, origin.head.timestamp)
        self._origin = origin
        self._following = True
        origin.replicas.append(self)

    def adopt(self, block: Block, changed: Mapping[bytes, Override]) -> None:
        """Carry out a block of the first node, unless its parent is none of ours."""
        if not self._following or block.parent_hash != self.head.hash:
            return
        moment = Moment(block.number, block.timestamp, self._ancestors(block.number))
        root = self.machine.change(self.head.state_root, moment, changed) if changed else self.head.state_root
        mined = []
        for one in block.mined:
            outcome, root = self.machine.run(root, moment, one.transaction)
            mined.append(
                Mined(one.transaction, one.hash, one.sender, outcome, one.cumulative_gas, one.first_log)
            )
        self._append(Block(block.number, block.timestamp, block.parent_hash, root, tuple(mined)))

    def follow(self, on: bool) -> None:
        """Stop following, or give up all that is our own and follow again."""
        self._following = on
        if on:
            origin = self._origin
            self.machine.copy(origin.machine)
            for name in ("_blocks", "_creations", "_numbers", "_places", "_busy"):
                setattr(self, name, copy.copy(getattr(origin, name)))
