"""Signs transactions of type 2 (EIP-1559) and sends them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import rlp
from eth_keys.datatypes import PrivateKey

from pytest_deploycheck.demo.ether.keys import address_of, keccak
from pytest_deploycheck.demo.ether.rpc import Rpc

_TYPE = b"\x02"
TRANSFER_GAS = 21_000


class Reverted(RuntimeError):
    """A transaction was mined and failed."""


@dataclass(frozen=True)
class Fees:
    """What a sender offers for one gas."""

    tip_wei: int
    cap_wei: int

    @classmethod
    def suggested(cls, rpc: Rpc) -> Fees:
        """Ask the node: its tip, and twice the base fee of the newest block on top."""
        tip, block = rpc.batch([("eth_maxPriorityFeePerGas",), ("eth_getBlockByNumber", "latest", False)])
        return cls(int(tip, 16), 2 * int(block["baseFeePerGas"], 16) + int(tip, 16))


def sign(
    key: str, *, chain_id: int, nonce: int, gas: int, fees: Fees, to: str | None, value: int, data: str
) -> str:
    """Return a signed raw transaction, 0x and hex digits; without `to` it creates a contract."""
    fields: list[Any] = [
        *(_word(one) for one in (chain_id, nonce, fees.tip_wei, fees.cap_wei, gas)),
        bytes.fromhex(to[2:]) if to else b"",
        _word(value),
        bytes.fromhex(data.removeprefix("0x")),
        [],
    ]
    digest = keccak(_TYPE + rlp.encode(fields))
    signature = PrivateKey(bytes.fromhex(key[2:])).sign_msg_hash(digest)
    fields += [_word(signature.v), _word(signature.r), _word(signature.s)]
    raw: bytes = _TYPE + rlp.encode(fields)
    return "0x" + raw.hex()


def send(rpc: Rpc, key: str, *, to: str | None, value: int = 0, data: str = "0x") -> str:
    """Estimate, sign and send a transaction; returns its hash.

    RpcRefused carries the reason when it would revert. The nonce is read from the node, so one key must not
    send from two places at once.
    """
    sender = address_of(key)
    call = {"from": sender, "value": hex(value), "data": data, **({"to": to} if to else {})}
    chain_id, nonce, gas = rpc.batch(
        [("eth_chainId",), ("eth_getTransactionCount", sender, "pending"), ("eth_estimateGas", call)]
    )
    raw = sign(
        key,
        chain_id=int(chain_id, 16),
        nonce=int(nonce, 16),
        gas=int(gas, 16) * 5 // 4,
        fees=Fees.suggested(rpc),
        to=to,
        value=value,
        data=data,
    )
    digest: str = rpc.call("eth_sendRawTransaction", raw)
    return digest


def wait(rpc: Rpc, digest: str, timeout_s: float = 10.0) -> dict[str, Any]:
    """Return the receipt of a transaction; Reverted when it failed, TimeoutError when it is not mined."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        receipt: dict[str, Any] | None = rpc.call("eth_getTransactionReceipt", digest)
        if receipt is not None:
            if int(receipt["status"], 16) != 1:
                raise Reverted(f"transaction {digest} failed in block {int(receipt['blockNumber'], 16)}")
            return receipt
        time.sleep(0.05)
    raise TimeoutError(f"transaction {digest} was not mined within {timeout_s:g} s")


def _word(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
