"""What stands between the contract's address and its code: proxies, and whether they were set up for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import abi_values, evm
from pytest_deploycheck.probes.chain_reader import Reader, code, slot, view
from pytest_deploycheck.rules.proxies import (
    ADMIN_SLOT,
    BEACON_SLOT,
    IMPLEMENTATION_SLOT,
    INITIALIZABLE_SLOT,
    LOCKED,
    address_in,
    minimal_target,
)
from pytest_deploycheck.transports.rpc import Rpc, RpcError

if TYPE_CHECKING:
    from pytest_deploycheck.target.chain import ContractSection

_NOBODY = "0x000000000000000000000000000000000000dEaD"
_ELSEWHERE = "0x00000000000000000000000000000000DeC0de01"
_SAMPLES: dict[str, Any] = {"address": _NOBODY, "bool": True, "string": "x", "bytes": "0x01"}


@dataclass(frozen=True)
class Sealed:
    """Whether a contract can be initialised by anybody.

    version: what its marker of OpenZeppelin Contracts 5 says, 0 when there is none.  refused: the initializer,
    tried out as a stranger, reverts.  control: on the same code without any storage it does not, so that
    the refusal comes from the state; None where the node cannot try that out.
    """

    address: str
    version: int
    refused: bool | None = None
    control: bool | None = None

    @property
    def proven(self) -> bool | None:
        """True: nobody can. False: anybody can. None: it could not be found out."""
        if self.refused is False:
            return False
        if self.version > 0 or (self.refused and self.control):
            return True
        return None


@dataclass(frozen=True)
class Proxy:
    """A proxy as the chain has it, beside what the target file says; empty addresses where there is none.

    kind: the target file's word.  implementation, admin, beacon: the EIP-1967 slots.  minimal: the target of
    an EIP-1167 proxy.  beacon_implementation: what the beacon names.  effective: where calls end up.
    sealed: whether the proxy and its implementation are initialised for good.
    """

    kind: str
    implementation: str
    admin: str
    beacon: str
    minimal: str
    beacon_implementation: str
    effective: str
    expected_implementation: str
    expected_admin: str
    expected_beacon: str
    sealed: tuple[Sealed, ...]


def proxy(reader: Reader, rpc: Rpc, section: ContractSection, here: bytes) -> Proxy:
    """Read the slots of the standards, follow them, and try out whether anybody may initialise."""
    address = section.address
    slots = {"implementation": IMPLEMENTATION_SLOT, "admin": ADMIN_SLOT, "beacon": BEACON_SLOT}
    reader.ask(*(slot(address, place) for place in slots.values()))
    found = {
        name: address_in(reader.answer(slot(address, place)) or "0x") or "" for name, place in slots.items()
    }
    minimal = minimal_target(here) or ""
    named = ""
    if found["beacon"]:
        asked = view(found["beacon"], abi_values.call("implementation()"))
        named = address_in(reader.answer(asked) or "0x") or ""
    effective = found["implementation"] or named or minimal
    kind = section.proxy
    if kind != "none":
        effective = {"eip1967": found["implementation"], "beacon": named, "minimal": minimal}[kind]
    looked = (
        (address, effective) if kind in ("eip1967", "beacon") else (address,) if kind == "minimal" else ()
    )
    return Proxy(
        kind=kind,
        minimal=minimal,
        beacon_implementation=named,
        effective=effective,
        expected_implementation=section.implementation,
        expected_admin=section.proxy_admin,
        expected_beacon=section.beacon,
        sealed=tuple(
            _sealed(reader, rpc, section.initializer, one, effective) for one in looked if one and effective
        ),
        **found,
    )


def _sealed(reader: Reader, rpc: Rpc, initializer: str, address: str, implementation: str) -> Sealed:
    marker = reader.answer(slot(address, INITIALIZABLE_SLOT))
    version = int(marker, 16) & LOCKED if marker and len(marker) > 2 else 0
    if not initializer:
        return Sealed(address, version)
    data = abi_values.call(initializer, [_sample(kind) for kind in abi_values.arguments(initializer)])
    call = {"from": _NOBODY, "to": address, "data": data}
    lent = reader.answer(code(implementation)) or "0x"
    return Sealed(
        address,
        version,
        refused=_reverts(rpc, call),
        control=_not(_reverts(rpc, {**call, "to": _ELSEWHERE}, {_ELSEWHERE: {"code": lent}})),
    )


def _reverts(rpc: Rpc, call: dict[str, str], *lent: Any) -> bool | None:
    try:
        rpc.call("eth_call", call, "latest", *lent)
    except RpcError as error:
        return True if evm.reverted(error) else None
    except (CannotLook, Dead):
        return None
    return False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _sample(kind: str) -> Any:
    """Return a value that a careful initializer accepts: no zero, no empty text."""
    if kind.endswith("]"):
        size = kind[kind.rindex("[") + 1 : -1]
        return [_sample(kind[: kind.rindex("[")])] * (int(size) if size else 1)
    if kind.startswith("("):
        return [_sample(one) for one in abi_values.arguments(f"f{kind}")]
    if kind.startswith("bytes") and kind != "bytes":
        return "0x" + "01" * int(kind.removeprefix("bytes"))
    return _SAMPLES.get(kind, 1)
