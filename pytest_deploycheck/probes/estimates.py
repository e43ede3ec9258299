"""What the product's calls cost now: gas by the node's own estimate, and the fee to offer for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import abi_values, evm
from pytest_deploycheck.target.chain import GasCall
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

_HISTORY = 20
"""Blocks whose tips are looked at."""


@dataclass(frozen=True)
class Estimate:
    """One call: gas as the node estimates it, None where the call reverts, which `reason` tells."""

    function: str
    sender: str
    gas: int | None
    reason: str


@dataclass(frozen=True)
class Fee:
    """Wei for one unit of gas: the newest base fee, the median tip of the last blocks, and what to offer.

    max_fee_wei is twice the base fee and the tip: six full blocks in a row may raise the base fee that far
    (EIP-1559: at most an eighth a block).
    """

    base_wei: int
    tip_wei: int

    @property
    def max_fee_wei(self) -> int:
        """What to offer, so that the transaction is still mined after some busy blocks."""
        return 2 * self.base_wei + self.tip_wei


def fee(rpc: Rpc) -> Fee:
    """Return the fee by the node's history; CannotLook when the node does not tell its base fee."""
    try:
        history = rpc.call("eth_feeHistory", hex(_HISTORY), "latest", [50])
        base = int(history["baseFeePerGas"][-1], 16)
        tips = sorted(int(one[0], 16) for one in history.get("reward") or () if one)
    except (RpcError, TypeError, KeyError, IndexError, ValueError) as error:
        raise CannotLook(Reason.NO_ACCESS, f"{rpc.place} gives no eth_feeHistory: {error}"[:200]) from None
    # Empty blocks report a tip of zero, for which nobody would be served.
    paid = [tip for tip in tips if tip]
    return Fee(base, paid[len(paid) // 2] if paid else _suggested(rpc))


def _suggested(rpc: Rpc) -> int:
    try:
        return rpc.number("eth_maxPriorityFeePerGas")
    except RpcError:
        return 0


def calls(target: Target, rpc: Rpc, payer: str) -> tuple[Estimate, ...]:
    """Return estimates of `gas.calls`; without any, of buying one token as the payer."""
    wanted = target.gas.calls or _purchase(target, rpc)
    return tuple(_estimate(target, rpc, one, one.sender or payer) for one in wanted)


def _purchase(target: Target, rpc: Rpc) -> list[GasCall]:
    contract = target.contract
    price = evm.read(rpc, contract.address, contract.price) if contract.price else None
    if not price or abi_values.arguments(contract.buy):
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no gas.calls in {target.path.name}; add the product's calls, with their senders",
        )
    return [GasCall(function=contract.buy, value=price)]


def _estimate(target: Target, rpc: Rpc, wanted: GasCall, sender: str) -> Estimate:
    call: dict[str, Any] = {
        "from": sender,
        "to": wanted.to or target.contract.address,
        "data": abi_values.call(wanted.function, wanted.args),
        "value": hex(wanted.value),
    }
    return estimate(rpc, wanted.function, call)


def estimate(rpc: Rpc, name: str, call: dict[str, Any]) -> Estimate:
    """Estimate one transaction as the node would carry it out now."""
    try:
        return Estimate(name, str(call["from"]), rpc.number("eth_estimateGas", call), "")
    except RpcError as error:
        return Estimate(name, str(call["from"]), None, evm.reason(error))
