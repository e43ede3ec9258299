"""Who rules the contract, and whether its state is the declared one, at one final block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.probes import abi_values, evm
from pytest_deploycheck.probes.chain_reader import At, Reader, view
from pytest_deploycheck.probes.logs_range import logs
from pytest_deploycheck.rules.proxies import address_in, delegate

if TYPE_CHECKING:
    from pytest_deploycheck.target.chain import ContractSection
    from pytest_deploycheck.transports.rpc import Rpc

ADMIN_ROLE = "DEFAULT_ADMIN_ROLE"
_GRANTED = "RoleGranted(bytes32,address,address)"


@dataclass(frozen=True)
class Owner:
    """Who the contract names as its owner, and whether that is a contract; empty when there is no such function.

    delegated: the owner is an account that acts by another's code (EIP-7702), which is still one key.
    pending: who may take over (Ownable2Step).
    """

    call: str
    address: str
    expected: str
    code_bytes: int
    delegated: bool
    pending: str


@dataclass(frozen=True)
class Role:
    """Holders of a role of AccessControl, as the contract's events and itself tell.

    granted: every account that ever got it, None where the node gives no such logs.  holders: those of them,
    and of the declared ones, that hold it now.  expected: the target file's, None when it names none.
    """

    name: str
    granted: tuple[str, ...] | None
    holders: tuple[str, ...]
    expected: tuple[str, ...] | None


@dataclass(frozen=True)
class StateValue:
    """A reading function's answer as text, None when the contract refuses, beside the declared value."""

    call: str
    value: str | None
    expected: str
    agrees: bool


def owner(reader: Reader, section: ContractSection) -> Owner:
    """Return the owner and whoever may become it."""
    address = section.address
    calls = [view(address, abi_values.call(name)) for name in (section.owner_call, "pendingOwner()")]
    reader.ask(*calls)
    found, pending = (address_in(_first_word(reader.answer(one))) or "" for one in calls)
    there = (reader.code(found) or b"") if found else b""
    return Owner(
        call=section.owner_call,
        address=found,
        expected=section.owner,
        code_bytes=len(there),
        delegated=delegate(there) is not None,
        pending=pending,
    )


def paused(reader: Reader, section: ContractSection) -> bool | None:
    """Whether the contract says that it is paused; None when it has no such function."""
    if not section.paused:
        return None
    answer = reader.answer(view(section.address, abi_values.call(section.paused)))
    number = evm.word(answer)
    return None if number is None else bool(number)


def state(
    reader: Reader, section: ContractSection, abi: Sequence[Mapping[str, Any]]
) -> tuple[StateValue, ...]:
    """Return every declared value beside what the contract answers."""
    calls = {
        one.call: view(section.address, abi_values.call(one.call, one.args)) for one in section.expected_state
    }
    reader.ask(*calls.values())
    found = []
    for one in section.expected_state:
        kinds = abi_values.returns(one.call) or abi_values.types_of(abi, one.call) or ["uint256"]
        answer = reader.answer(calls[one.call])
        values = abi_values.decode(kinds, bytes.fromhex(answer[2:])) if answer and len(answer) > 2 else None
        shown = None if values is None else values[0] if len(values) == 1 else f"[{', '.join(values)}]"
        agrees = shown is not None and abi_values.same(shown, one.equals)
        found.append(StateValue(one.call, shown, abi_values.text(one.equals), agrees))
    return tuple(found)


def roles(
    reader: Reader, rpc: Rpc, at: At, section: ContractSection, since: int | None, deployer: str
) -> tuple[Role, ...]:
    """Return the holders of the declared roles, and of the administrators' role in any case."""
    names = {ADMIN_ROLE: role_hash(ADMIN_ROLE), **{name: role_hash(name) for name in section.roles}}
    first = reader.answer(
        _has(section.address, names[ADMIN_ROLE], section.owner or deployer or evm.ZERO_ADDRESS)
    )
    if evm.word(first) is None:
        return ()
    found = []
    for name, role in names.items():
        granted = _granted(rpc, section.address, role, since, at.number)
        declared = section.roles.get(name)
        asked = {one.lower() for one in (*(granted or ()), *(declared or ()), deployer) if one}
        reader.ask(*(_has(section.address, role, one) for one in asked))
        holders = tuple(
            sorted(one for one in asked if evm.word(reader.answer(_has(section.address, role, one))))
        )
        expected = None if declared is None else tuple(sorted(one.lower() for one in declared))
        found.append(Role(name, granted, holders, expected))
    return tuple(found)


def _has(address: str, role: str, account: str) -> tuple[str, ...]:
    return view(address, evm.encode("hasRole(bytes32,address)", int(role, 16), account))


def role_hash(name: str) -> str:
    """Return the identifier of a role by its name: Keccak-256 of it, zero for the administrators'."""
    if name.startswith("0x"):
        return name
    return "0x" + ("0" * 64 if name == ADMIN_ROLE else evm.keccak(name.encode()).hex())


def _granted(rpc: Rpc, address: str, role: str, since: int | None, until: int) -> tuple[str, ...] | None:
    """Return every account that a role was ever granted to; None when the node gives no such logs."""
    found = logs(rpc, address, [evm.topic(_GRANTED), role], since or 0, until)
    if found is None:
        return None
    granted = {"0x" + str(log["topics"][2])[-40:].lower() for log in found if len(log.get("topics", ())) > 2}
    return tuple(sorted(granted))


def _first_word(answer: str | None) -> str:
    return answer[:66] if answer else "0x"
