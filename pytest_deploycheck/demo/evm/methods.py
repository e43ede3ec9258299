"""The JSON-RPC methods: what Ethereum nodes answer, and anvil's few that tests use to break things."""
# ruff: noqa: D102, N802 - the methods are named and described by the protocol

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from pytest_deploycheck.demo.ether import abi
from pytest_deploycheck.demo.evm import records
from pytest_deploycheck.demo.evm.ledger import Ledger, Replica
from pytest_deploycheck.demo.evm.machine import BASE_FEE_WEI, GAS_LIMIT, TIP_WEI, Override, Refused
from pytest_deploycheck.demo.evm.params import matches, to_address, to_bytes, to_call, to_overrides
from pytest_deploycheck.demo.evm.records import Block, Json, show

INVALID_PARAMS = -32602
SERVER_ERROR = -32000
REVERTED = 3  # as geth: the revert data is in the error's data
_FEE_HISTORY_MAX = 1024


class RpcError(Exception):
    """What goes into the error member of an answer."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


class Methods:
    """Answers one call at a time for one ledger; the method names are those of the protocol."""

    def __init__(self, ledger: Ledger, set_interval: Callable[[float], None]) -> None:
        self._ledger = ledger
        self._set_interval = set_interval
        self._table: dict[str, Callable[..., Any]] = {
            name: getattr(self, name) for name in dir(self) if name.split("_")[0] in _NAMESPACES
        }

    def call(self, method: str, params: list[Any]) -> Any:
        """Answer one call; LookupError for an unknown method, RpcError for anything refused."""
        answer = self._table[method]
        try:
            return answer(*params)
        except Refused as error:
            raise RpcError(SERVER_ERROR, str(error)) from None
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RpcError(INVALID_PARAMS, f"invalid params of {method}: {error}"[:300]) from None

    # About the chain

    def web3_clientVersion(self) -> str:
        return f"deploycheck-demo/py-evm-{version('py-evm')}"

    def net_version(self) -> str:
        return str(self._ledger.machine.chain_id)

    def net_listening(self) -> bool:
        return True

    def eth_chainId(self) -> str:
        return hex(self._ledger.machine.chain_id)

    def eth_syncing(self) -> bool:
        return False

    def eth_accounts(self) -> list[str]:
        return []

    def eth_blockNumber(self) -> str:
        return hex(self._ledger.head.number)

    def eth_gasPrice(self) -> str:
        return hex(BASE_FEE_WEI + TIP_WEI)

    def eth_maxPriorityFeePerGas(self) -> str:
        return hex(TIP_WEI)

    def eth_feeHistory(self, count: str | int, newest: str, percentiles: list[float] | None = None) -> Json:
        last = self._block(newest).number
        wanted = count if isinstance(count, int) else int(count, 16)
        first = max(last - min(wanted, _FEE_HISTORY_MAX) + 1, 0)
        blocks = [block for n in range(first, last + 1) if (block := self._ledger.block(n)) is not None]
        history: Json = {
            "oldestBlock": hex(blocks[0].number if blocks else last),
            "baseFeePerGas": [hex(BASE_FEE_WEI)] * (len(blocks) + 1),
            "gasUsedRatio": [block.gas_used / GAS_LIMIT for block in blocks],
        }
        if percentiles is not None:
            history["reward"] = [_rewards(block, percentiles) for block in blocks]
        return history

    # Blocks and transactions

    def eth_getBlockByNumber(self, tag: str, full: bool = False) -> Json | None:
        block = self._ledger.block(self._ledger.number_of(tag))
        return None if block is None else records.show_block(block, full)

    def eth_getBlockByHash(self, digest: str, full: bool = False) -> Json | None:
        block = self._ledger.block_by_hash(to_bytes(digest))
        return None if block is None else records.show_block(block, full)

    def eth_getTransactionByHash(self, digest: str) -> Json | None:
        place = self._ledger.place(to_bytes(digest))
        if place is not None:
            block, index = place
            one = block.mined[index]
            return records.show_transaction(one.transaction, one.hash, one.sender, block, index)
        waiting = self._ledger.pooled(to_bytes(digest))
        if waiting is None:
            return None
        return records.show_transaction(waiting[0], to_bytes(digest), waiting[1], None)

    def eth_getTransactionReceipt(self, digest: str) -> Json | None:
        place = self._ledger.place(to_bytes(digest))
        return None if place is None else records.show_receipt(*place)

    def eth_getLogs(self, query: Json) -> list[Json]:
        if "blockHash" in query:
            block = self._ledger.block_by_hash(to_bytes(query["blockHash"]))
            if block is None:
                raise Refused("unknown block")
            blocks = [block]
        else:
            first = self._ledger.number_of(query.get("fromBlock", "latest"))
            last = self._ledger.number_of(query.get("toBlock", "latest"))
            blocks = list(self._ledger.busy_blocks(first, last))
        return [
            log
            for block in blocks
            for index in range(len(block.mined))
            for log in records.show_logs(block, index)
            if matches(log, query)
        ]

    def eth_sendRawTransaction(self, raw: str) -> str:
        return show(self._ledger.submit(to_bytes(raw)))

    # State

    def eth_getBalance(self, address: str, tag: Any = "latest") -> str:
        return hex(self._state(tag).get_balance(to_address(address)))

    def eth_getCode(self, address: str, tag: Any = "latest") -> str:
        return show(self._state(tag).get_code(to_address(address)))

    def eth_getStorageAt(self, address: str, slot: str, tag: Any = "latest") -> str:
        return f"0x{self._state(tag).get_storage(to_address(address), int(slot, 16)):064x}"

    def eth_getTransactionCount(self, address: str, tag: Any = "latest") -> str:
        if tag == "pending":
            return hex(self._ledger.next_nonce(to_address(address)))
        return hex(self._state(tag).get_nonce(to_address(address)))

    def eth_call(self, call: Json, tag: Any = "latest", overrides: Json | None = None) -> str:
        block = self._block(tag)
        outcome = self._ledger.machine.simulate(
            block.state_root, self._ledger.moment(block), to_call(call), to_overrides(overrides or {})
        )
        if not outcome.success:
            raise _failure(outcome.output, outcome.error)
        return show(outcome.output)

    def eth_estimateGas(self, call: Json, tag: Any = "latest", overrides: Json | None = None) -> str:
        block, fields, changed = self._block(tag), to_call(call), to_overrides(overrides or {})

        def run(gas: int) -> Any:
            moment = self._ledger.moment(block)
            return self._ledger.machine.simulate(block.state_root, moment, {**fields, "gas": gas}, changed)

        outcome = run(fields.get("gas") or GAS_LIMIT)
        if not outcome.success:
            raise _failure(outcome.output, outcome.error)
        # What was needed mostly suffices; a call keeps 1/64 back, which can make it too little.
        gas = outcome.gas_needed
        while not run(gas).success:
            gas = min(gas * 64 // 63 + 1, GAS_LIMIT)
        return hex(gas)

    # Development methods, as anvil names them, and one of a replica

    def evm_mine(self) -> str:
        self._ledger.mine()
        return "0x0"

    def evm_setAutomine(self, on: bool) -> None:
        self._ledger.automine = bool(on)

    def evm_setIntervalMining(self, seconds: float) -> None:
        self._set_interval(float(seconds))

    def deploycheck_follow(self, on: bool) -> None:
        if not isinstance(self._ledger, Replica):
            raise Refused("this node is no replica")
        self._ledger.follow(bool(on))

    def anvil_setBalance(self, address: str, wei: str) -> None:
        self._change(address, Override(balance=int(wei, 16)))

    def anvil_setNonce(self, address: str, nonce: str) -> None:
        self._change(address, Override(nonce=int(nonce, 16)))

    def anvil_setCode(self, address: str, code: str) -> None:
        self._change(address, Override(code=to_bytes(code)))

    def anvil_setStorageAt(self, address: str, slot: str, value: str) -> bool:
        self._change(address, Override(storage={int(slot, 16): int(value, 16)}))
        return True

    def _change(self, address: str, override: Override) -> None:
        self._ledger.change({to_address(address): override})

    def _block(self, tag: Any) -> Block:
        if isinstance(tag, dict):  # EIP-1898
            if "blockHash" in tag:
                found = self._ledger.block_by_hash(to_bytes(tag["blockHash"]))
            else:
                found = self._ledger.block(self._ledger.number_of(tag["blockNumber"]))
        else:
            found = self._ledger.block(self._ledger.number_of(tag))
        if found is None:
            raise Refused("header not found")
        return found

    def _state(self, tag: Any) -> Any:
        block = self._block(tag)
        return self._ledger.machine.state(block.state_root, self._ledger.moment(block))


_NAMESPACES = {"eth", "net", "web3", "evm", "anvil", "deploycheck"}


def _failure(output: bytes, error: str) -> RpcError:
    if error != "Revert":
        return RpcError(SERVER_ERROR, error)
    reason = abi.revert_reason(output)
    return RpcError(REVERTED, f"execution reverted{': ' + reason if reason else ''}", show(output))


def _rewards(block: Block, percentiles: list[float]) -> list[str]:
    """Return the tips at these percentiles of the block's gas, as eth_feeHistory defines them."""
    paid = sorted((one.price_wei - BASE_FEE_WEI, one.outcome.gas_used) for one in block.mined)
    rewards = []
    for percentile in percentiles:
        threshold, total, tip = block.gas_used * percentile / 100, 0, 0
        for tip, gas in paid:  # noqa: B007 - the tip that crosses the threshold is the answer
            total += gas
            if total >= threshold:
                break
        rewards.append(hex(tip))
    return rewards
