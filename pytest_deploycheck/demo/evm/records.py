"""Blocks, transactions and logs as they are kept, and as JSON-RPC shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_UNCLE_HASH
from eth_bloom.bloom import BloomFilter
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from pytest_deploycheck.demo.ether.keys import to_checksum
from pytest_deploycheck.demo.evm.machine import BASE_FEE_WEI, COINBASE, GAS_LIMIT, Outcome

Json = dict[str, Any]


@dataclass(frozen=True)
class Mined:
    """One transaction in a block."""

    transaction: Any  # py-evm's signed transaction
    hash: bytes
    sender: bytes
    outcome: Outcome
    cumulative_gas: int
    first_log: int  # index in the block of its first log

    @property
    def type(self) -> int:
        """The EIP-2718 type; 0 for a legacy transaction."""
        return self.transaction.type_id or 0

    @property
    def price_wei(self) -> int:
        """What the sender paid for one gas."""
        return int(
            min(self.transaction.max_fee_per_gas, self.transaction.max_priority_fee_per_gas + BASE_FEE_WEI)
        )

    @property
    def bloom(self) -> int:
        """The logs bloom of this transaction."""
        bloom = BloomFilter()
        for address, topics, _ in self.outcome.logs:
            bloom.extend((address, *(topic.to_bytes(32, "big") for topic in topics)))
        return int(bloom)

    def receipt_rlp(self) -> bytes:
        """Return the receipt as it enters the receipts root."""
        logs = [
            [address, [topic.to_bytes(32, "big") for topic in topics], data]
            for address, topics, data in self.outcome.logs
        ]
        status = b"\x01" if self.outcome.success else b""
        body: bytes = rlp.encode([status, _int(self.cumulative_gas), self.bloom.to_bytes(256, "big"), logs])
        return bytes([self.type]) + body if self.type else body


@dataclass(frozen=True)
class Block:
    """One block; its hash is that of the Shanghai header."""

    number: int
    timestamp: int
    parent_hash: bytes
    state_root: bytes
    mined: tuple[Mined, ...] = ()
    hash: bytes = field(init=False)
    transactions_root: bytes = field(init=False)
    receipts_root: bytes = field(init=False)
    bloom: int = field(init=False)

    def __post_init__(self) -> None:
        bloom = 0
        for one in self.mined:
            bloom |= one.bloom
        put = object.__setattr__
        put(self, "bloom", bloom)
        put(self, "transactions_root", _root([one.transaction.encode() for one in self.mined]))
        put(self, "receipts_root", _root([one.receipt_rlp() for one in self.mined]))
        put(self, "hash", keccak(rlp.encode(self._header())))

    @property
    def gas_used(self) -> int:
        """Gas of all its transactions."""
        return self.mined[-1].cumulative_gas if self.mined else 0

    def _header(self) -> list[bytes]:
        return [
            self.parent_hash,
            EMPTY_UNCLE_HASH,
            COINBASE,
            self.state_root,
            self.transactions_root,
            self.receipts_root,
            self.bloom.to_bytes(256, "big"),
            b"",  # difficulty
            _int(self.number),
            _int(GAS_LIMIT),
            _int(self.gas_used),
            _int(self.timestamp),
            b"",  # extra data
            bytes(32),  # mix hash
            bytes(8),  # nonce
            _int(BASE_FEE_WEI),
            BLANK_ROOT_HASH,  # withdrawals
        ]


def show_block(block: Block, full: bool) -> Json:
    """Return a block as eth_getBlockByNumber does, with transactions in full or as hashes."""
    return {
        "number": hex(block.number),
        "hash": show(block.hash),
        "parentHash": show(block.parent_hash),
        "sha3Uncles": show(EMPTY_UNCLE_HASH),
        "logsBloom": f"0x{block.bloom:0512x}",
        "transactionsRoot": show(block.transactions_root),
        "stateRoot": show(block.state_root),
        "receiptsRoot": show(block.receipts_root),
        "withdrawalsRoot": show(BLANK_ROOT_HASH),
        "withdrawals": [],
        "miner": show_address(COINBASE),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "mixHash": show(bytes(32)),
        "nonce": show(bytes(8)),
        "size": hex(len(rlp.encode(block._header())) + sum(len(m.transaction.encode()) for m in block.mined)),
        "gasLimit": hex(GAS_LIMIT),
        "gasUsed": hex(block.gas_used),
        "baseFeePerGas": hex(BASE_FEE_WEI),
        "timestamp": hex(block.timestamp),
        "uncles": [],
        "transactions": [
            show_transaction(one.transaction, one.hash, one.sender, block, index) if full else show(one.hash)
            for index, one in enumerate(block.mined)
        ],
    }


def show_transaction(
    transaction: Any, digest: bytes, sender: bytes, block: Block | None, index: int = 0
) -> Json:
    """Return a transaction as eth_getTransactionByHash does; without a block it is pending."""
    shown: Json = {
        "hash": show(digest),
        "type": hex(transaction.type_id or 0),
        "from": show_address(sender),
        "to": show_address(transaction.to) if transaction.to else None,
        "nonce": hex(transaction.nonce),
        "gas": hex(transaction.gas),
        "value": hex(transaction.value),
        "input": show(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
        "blockHash": show(block.hash) if block else None,
        "blockNumber": hex(block.number) if block else None,
        "transactionIndex": hex(index) if block else None,
    }
    tip, cap = transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas
    if transaction.type_id:
        shown |= {
            "chainId": hex(transaction.chain_id),
            "yParity": hex(transaction.y_parity),
            "v": hex(transaction.y_parity),
            "accessList": [
                {"address": show_address(address), "storageKeys": [f"0x{slot:064x}" for slot in slots]}
                for address, slots in transaction.access_list
            ],
        }
    else:
        shown["v"] = hex(transaction.v)
        if transaction.chain_id is not None:
            shown["chainId"] = hex(transaction.chain_id)
    if transaction.type_id == 2:
        shown |= {"maxFeePerGas": hex(cap), "maxPriorityFeePerGas": hex(tip)}
    shown["gasPrice"] = hex(min(cap, tip + BASE_FEE_WEI))
    return shown


def show_receipt(block: Block, index: int) -> Json:
    """Return a receipt as eth_getTransactionReceipt does."""
    one = block.mined[index]
    created = one.outcome.created
    return {
        "transactionHash": show(one.hash),
        "transactionIndex": hex(index),
        "blockHash": show(block.hash),
        "blockNumber": hex(block.number),
        "from": show_address(one.sender),
        "to": show_address(one.transaction.to) if one.transaction.to else None,
        "cumulativeGasUsed": hex(one.cumulative_gas),
        "gasUsed": hex(one.outcome.gas_used),
        "effectiveGasPrice": hex(one.price_wei),
        "contractAddress": show_address(created) if created and one.outcome.success else None,
        "logs": show_logs(block, index),
        "logsBloom": f"0x{one.bloom:0512x}",
        "type": hex(one.type),
        "status": hex(one.outcome.success),
    }


def show_logs(block: Block, index: int) -> list[Json]:
    """Return the logs of one transaction."""
    one = block.mined[index]
    return [
        {
            "address": show_address(address),
            "topics": [f"0x{topic:064x}" for topic in topics],
            "data": show(data),
            "blockNumber": hex(block.number),
            "blockHash": show(block.hash),
            "blockTimestamp": hex(block.timestamp),
            "transactionHash": show(one.hash),
            "transactionIndex": hex(index),
            "logIndex": hex(one.first_log + offset),
            "removed": False,
        }
        for offset, (address, topics, data) in enumerate(one.outcome.logs)
    ]


def show(data: bytes) -> str:
    """Return bytes as 0x and hex digits."""
    return "0x" + data.hex()


def show_address(address: bytes) -> str:
    """Return an address in its EIP-55 spelling."""
    return to_checksum(address.hex())


def _int(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _root(items: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(_int(index))] = item
    return bytes(trie.root_hash)
