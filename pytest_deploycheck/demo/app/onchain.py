"""The chain as the service sees it: the token contract's state, balances and events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pytest_deploycheck.demo.app.metrics import Metrics
from pytest_deploycheck.demo.app.switches import Switches
from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.ether.keys import to_checksum
from pytest_deploycheck.demo.ether.rpc import Rpc, RpcRefused, RpcUnavailable

PURCHASED = abi.topic("Purchased(address,uint256,uint256)")
REDEEMED = abi.topic("Redeemed(address,uint256,uint256)")
_KINDS = {PURCHASED: "purchase", REDEEMED: "redemption"}
# How far back the stale_balance switch looks: the demo's busy accounts move within that many blocks.
_STALE_BLOCKS = 200
_T = TypeVar("_T")


@dataclass(frozen=True)
class ContractState:
    """The token at one block."""

    chain_id: int
    block_number: int
    head_at: int  # seconds, UTC: the time of that block
    price_wei: int
    total_supply: int
    paused: bool
    symbol: str
    decimals: int


@dataclass(frozen=True)
class Balances:
    """One account at one block."""

    chain_id: int
    block_number: int
    native_wei: int
    tokens: int


@dataclass(frozen=True)
class Event:
    """A purchase or redemption that the contract logged."""

    kind: str  # "purchase" or "redemption"
    tx_hash: str
    log_index: int
    address: str
    tokens: int
    wei: int
    block_number: int


class TokenContract:
    """Reads the token contract; RpcUnavailable or RpcRefused when the node does not answer."""

    def __init__(self, rpc: Rpc, address: str, switches: Switches, metrics: Metrics) -> None:
        self._rpc, self._switches, self._metrics = rpc, switches, metrics
        self.address = to_checksum(address)
        self._kept: dict[str, Any] = {}
        self._constants: tuple[str, int] | None = None  # symbol and decimals, which the code fixes
        self._lock = threading.Lock()

    def state(self) -> ContractState:
        """Return chain id and every public value of the contract, all of the newest block."""
        return self._cached("state", self._state)

    def price(self) -> tuple[int, int]:
        """Return the newest block's number and the price of a token at it, in wei."""
        return self._cached("price", self._price)

    def balances(self, address: str) -> Balances:
        """Return an account's ether and tokens at the newest block."""
        return self._cached(f"balances/{address}", lambda: self._balances(address))

    def head(self) -> int:
        """Return the number of the newest block."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def events(self, first: int, last: int) -> list[Event]:
        """Return the purchases and redemptions of a range of blocks, both ends included."""
        query = {
            "address": self.address,
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [[PURCHASED, REDEEMED]],
        }
        return [
            Event(
                kind=_KINDS[log["topics"][0]],
                tx_hash=log["transactionHash"],
                log_index=int(log["logIndex"], 16),
                address=abi.address(log["topics"][1]),
                tokens=int(log["data"][2:66], 16),
                wei=int(log["data"][66:130], 16),
                block_number=int(log["blockNumber"], 16),
            )
            for log in self._rpc.call("eth_getLogs", query)
        ]

    def read(self, signature: str, block: str) -> tuple[Any, ...]:
        """Return the call that reads one of the contract's values, for a batch."""
        return ("eth_call", {"to": self.address, "data": abi.call(signature)}, block)

    def _state(self) -> ContractState:
        chain_id, block = self._rpc.batch([("eth_chainId",), ("eth_getBlockByNumber", "latest", False)])
        number = block["number"]
        price, supply, paused = self._rpc.batch(
            [self.read(f"{name}()", number) for name in ("price", "totalSupply", "paused")]
        )
        if self._constants is None:
            symbol, decimals = self._rpc.batch(
                [self.read(f"{name}()", number) for name in ("symbol", "decimals")]
            )
            self._constants = (abi.text(symbol), abi.uint(decimals))
        state = ContractState(
            chain_id=int(chain_id, 16),
            block_number=int(number, 16),
            head_at=int(block["timestamp"], 16),
            price_wei=abi.uint(price),
            total_supply=abi.uint(supply),
            paused=bool(abi.uint(paused)),
            symbol=self._constants[0],
            decimals=self._constants[1],
        )
        self._metrics.head_block.set(state.block_number)
        self._metrics.head_at.set(state.head_at)
        return state

    def _price(self) -> tuple[int, int]:
        number = self._rpc.call("eth_blockNumber")
        method, call, block = self.read("price()", number)
        return int(number, 16), abi.uint(self._rpc.call(method, call, block))

    def _balances(self, address: str) -> Balances:
        chain_id, head = self._rpc.batch([("eth_chainId",), ("eth_blockNumber",)])
        at = head
        if self._switches.on("stale_balance"):
            at = hex(max(int(head, 16) - _STALE_BLOCKS, 1))
        balance_of = {"to": self.address, "data": abi.call("balanceOf(address)", address)}
        native, tokens = self._rpc.batch([("eth_getBalance", address, at), ("eth_call", balance_of, at)])
        # Before the contract existed there was nothing to answer.
        held = 0 if tokens == "0x" and at != head else abi.uint(tokens)
        return Balances(int(chain_id, 16), int(head, 16), int(native, 16), held)

    def _cached(self, name: str, read: Callable[[], _T]) -> _T:
        """Read, and remember the answer for the switch that serves old ones."""
        with self._lock:
            kept = self._kept.get(name)
        if self._switches.on("chain_cached") and kept is not None:
            return cast(_T, kept)
        try:
            value = read()
        except ValueError as error:
            raise RpcUnavailable(str(error)) from None
        with self._lock:
            self._kept[name] = value
        return value


__all__ = ["Balances", "ContractState", "Event", "RpcRefused", "RpcUnavailable", "TokenContract"]
