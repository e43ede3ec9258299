"""The signer probe: the account that pays for the product's transactions, and the key that the product has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import abi_values, contract_state, env, estimates, evm
from pytest_deploycheck.probes.chain_reader import moment
from pytest_deploycheck.probes.estimates import Estimate, Fee
from pytest_deploycheck.rules.dev_accounts import ADDRESSES
from pytest_deploycheck.rules.proxies import delegate
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_DAY_S = 86_400
_GUESSED = 2**64
"""Smaller keys are tried out by thieves one after another."""
_POLL_S = 0.5


@dataclass(frozen=True)
class Key:
    """The private key in the product's environment, of which only the address is told.

    name: the variable.  address: what the key controls, empty when it is no key.  well_known: the tool whose
    mnemonic gives it, or "counting" for a small number.  why: why no key was seen.
    """

    name: str
    address: str = ""
    well_known: str = ""
    why: str = ""


@dataclass(frozen=True)
class HeldRole:
    """A role of the contract that the signer needs, and whether it holds it; None when nobody can tell."""

    name: str
    holds: bool | None


@dataclass(frozen=True)
class SignerFacts:
    """The account.

    declared: `signer.address`, else what the key controls.  key: None with `signer.kms`.  nonce, pending: its
    transactions in blocks, and with those that wait; `waited_s` how long it was watched while some waited, and
    `moved` whether any got into a block meanwhile.  code_bytes, delegated_to: what stands at an account that is
    not plain (EIP-7702).  observed_tx: transactions within `observed_days`, None when the node does not
    keep the past.  owns: it is the contract's owner.  administers: it holds the administrators' role.  deployed:
    it deployed the contract; each None when that could not be told.
    """

    declared: str
    address: str
    key: Key | None
    balance_wei: int
    nonce: int
    pending: int
    waited_s: float
    moved: bool
    code_bytes: int
    delegated_to: str
    allowed_delegates: tuple[str, ...]
    fee: Fee
    estimates: tuple[Estimate, ...]
    observed_tx: int | None
    observed_days: float
    roles: tuple[HeldRole, ...]
    owns: bool | None
    administers: bool | None
    deployed: bool | None

    @property
    def transaction_wei(self) -> int | None:
        """What the dearest of the calls costs at most; None when none could be estimated."""
        known = [one.gas for one in self.estimates if one.gas is not None]
        return max(known) * self.fee.max_fee_wei if known else None


@probe(
    facts=SignerFacts,
    deadline=40,
    needs=("contract_gate",),
    after=("ssh_gate",),
    uses={"rpc": "POST", "host": "read"},
    reads=env.reads,
)
def signer(target: Target, connect: Connections) -> SignerFacts:
    """Derive the signer's address in memory, and ask the chain for its money, its nonce, its code and its roles."""
    rpc, section = connect.rpc(), target.signer
    key = None if section.kms else _key(target, connect)
    address = section.address or (key.address if key else "")
    if not address:
        why = f", and {key.why}" if key and key.why else ""
        raise CannotLook(Reason.NO_CONFIG, f"no signer.address in {target.path.name}{why}; add it")
    balance, code, nonce = rpc.batch(
        [
            ("eth_getBalance", address, "latest"),
            ("eth_getCode", address, "latest"),
            ("eth_getTransactionCount", address, "latest"),
        ]
    )
    there, wei, first = evm.raw(code), evm.quantity(balance), evm.quantity(nonce)
    if there is None or wei is None or first is None:
        raise CannotLook(
            Reason.NO_ACCESS, f"{rpc.place} does not answer for {address}: {balance}, {nonce}"[:200]
        )
    pending, waited, moved, newest = _settled(connect, rpc, address, first)
    observed, days = _observed(connect, rpc, address, newest)
    return SignerFacts(
        declared=section.address,
        address=address,
        key=key,
        balance_wei=wei,
        nonce=newest,
        pending=pending,
        waited_s=waited,
        moved=moved,
        code_bytes=len(there),
        delegated_to=delegate(there) or "",
        allowed_delegates=tuple(one.lower() for one in section.allowed_delegates),
        fee=estimates.fee(rpc),
        estimates=estimates.calls(target, rpc, address),
        observed_tx=observed,
        observed_days=days,
        roles=tuple(HeldRole(name, _holds(target, rpc, name, address)) for name in section.roles),
        owns=_owns(target, rpc, address),
        administers=_holds(target, rpc, contract_state.ADMIN_ROLE, address),
        deployed=_deployed(target, rpc, address),
    )


def _key(target: Target, connect: Connections) -> Key:
    name = target.env.signer_key
    try:
        value = env.values(target, connect).get(name, "").strip()
    except (CannotLook, Dead) as why:
        return Key(name, why=why.message)
    if not value:
        return Key(name, why=f"{name} is not in the application's environment")
    connect.learn_secret(value)
    digits = value.removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        return Key(name, why=f"{name} is no private key of 64 hex digits")
    connect.learn_secret(digits)
    address = _address(digits)
    known = ADDRESSES.get(address.lower(), "")
    return Key(name, address, known or ("counting" if int(digits, 16) < _GUESSED else ""))


def _address(digits: str) -> str:
    """Return the address that a key controls; empty when the number is no key of the curve."""
    try:
        from eth_keys.datatypes import PrivateKey
    except ImportError:
        raise CannotLook(Reason.NO_ACCESS, "no eth-keys here; install pytest-deploycheck[web3]") from None
    try:
        return str(PrivateKey(bytes.fromhex(digits)).public_key.to_checksum_address())
    except (
        Exception
    ):  # zero, or beyond the curve's order: the library names the value, which must not be seen
        return ""


def _settled(connect: Connections, rpc: Rpc, address: str, nonce: int) -> tuple[int, float, bool, int]:
    """Watch waiting transactions for a while; pending count, seconds, whether any was mined, newest nonce."""
    first, waited = nonce, 0.0
    pending = _count(rpc, address, "pending")
    while pending > nonce and waited < connect.limits.signer_settle_s:
        connect.sleep(_POLL_S)
        waited += _POLL_S
        nonce = _count(rpc, address, "latest")
        if nonce > first:
            break
        pending = _count(rpc, address, "pending")
    return pending, waited, nonce > first, nonce


def _count(rpc: Rpc, address: str, block: str) -> int:
    return rpc.number("eth_getTransactionCount", address, block)


def _observed(connect: Connections, rpc: Rpc, address: str, nonce: int) -> tuple[int | None, float]:
    """Return how many transactions it sent in the last days, as far as the chain and the node go back."""
    days = connect.limits.signer_runway_days
    try:
        head, now = moment(rpc.call("eth_getBlockByNumber", "latest", False))
        if head is None or now is None:
            return None, 0.0
        back = min(1000, head)
        _, then_at = moment(rpc.call("eth_getBlockByNumber", hex(head - back), False))
        pace_s = (now - then_at) / back if back and then_at else 12.0
        first = max(0, head - int(days * _DAY_S / max(pace_s, 0.05)))
        then = rpc.number("eth_getTransactionCount", address, hex(first))
        span = (head - first) * pace_s / _DAY_S
    except (RpcError, CannotLook):
        return None, 0.0
    return max(nonce - then, 0), round(span, 3)


def _holds(target: Target, rpc: Rpc, role: str, account: str) -> bool | None:
    number = int(contract_state.role_hash(role), 16)
    found = evm.read(rpc, target.contract.address, "hasRole(bytes32,address)", number, account)
    return None if found is None else bool(found)


def _owns(target: Target, rpc: Rpc, account: str) -> bool | None:
    call = target.contract.owner_call
    found = evm.read(rpc, target.contract.address, abi_values.bare(call)) if call else None
    return None if found is None else found == int(account, 16)


def _deployed(target: Target, rpc: Rpc, account: str) -> bool | None:
    sender = target.contract.deployer
    if not sender and target.contract.deploy_tx:
        try:
            receipt = rpc.call("eth_getTransactionReceipt", target.contract.deploy_tx)
        except RpcError:
            return None
        sender = str(receipt.get("from", "")) if isinstance(receipt, dict) else ""
    return sender.lower() == account.lower() if sender else None
