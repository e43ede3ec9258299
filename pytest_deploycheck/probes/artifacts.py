"""The build that a deployment is compared with, out of the target file, and what its constructor would make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import abi_values, evm
from pytest_deploycheck.rules.artifact import Artifact, BadArtifact, parse
from pytest_deploycheck.rules.bytecode import values_in, word
from pytest_deploycheck.transports.rpc import Rpc, RpcError
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

_NOBODY = "0x000000000000000000000000000000000000dead"
_EARLIER = 32
"""Blocks before, where the time is another one even where a second has several blocks."""


@dataclass(frozen=True)
class Expected:
    """What immutables must be, by name and as hexadecimal, and why some may be anything.

    varying: immutables that another sender or block would have made different; nothing follows for those.
    why: why the constructor could not be tried out, empty when it could.
    """

    values: dict[str, str]
    varying: tuple[str, ...]
    why: str


def load(target: Target, file: str, name: str, key: str) -> Artifact:
    """Return the build that a key of the target file names; CannotLook says what is wrong with it."""
    if not file:
        raise CannotLook(Reason.NO_CONFIG, f"no {key} in {target.path.name}; name the build's output there")
    path = target.file(file)
    try:
        return parse(safe_json.loads(path.read_text(encoding="utf-8")), name)
    except OSError as error:
        raise CannotLook(Reason.NO_CONFIG, f"{key}: {path} cannot be read: {error.strerror}") from None
    except BadArtifact as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"{key}: {path.name} is no build of a contract: {error}"
        ) from None
    except ValueError:
        raise CannotLook(Reason.UNPARSEABLE, f"{key}: {path.name} is not JSON") from None


def own(target: Target) -> Artifact:
    """Return the build of `contract.artifact`."""
    return load(target, target.contract.artifact, target.contract.name, "contract.artifact")


def creation(made: Artifact, libraries: dict[str, str], values: Sequence[Any] | None) -> bytes | None:
    """Return creation code with libraries and arguments; None when either is not known."""
    if not made.creation:
        return None
    code = bytearray(made.creation)
    for link in made.links:
        address = libraries.get(link.name) or libraries.get(link.name.rpartition(":")[2])
        if link.creation and not address:
            return None
        for span in link.creation:
            code[span.start : span.start + 20] = bytes.fromhex((address or "")[2:])
    kinds = abi_values.types_of(made.abi, "", "constructor") or []
    if values is None:
        return bytes(code) if not kinds else None
    return bytes(code) + abi_values.encode(kinds, values, f"the constructor of {made.name}")


def expected(
    made: Artifact,
    declared: dict[str, Any],
    data: bytes | None,
    rpc: Rpc,
    *,
    address: str,
    deployer: str,
    nonce: int | None,
    value: str,
    block: int,
) -> Expected:
    """Return what immutables must be: as declared, else as the constructor makes them when it is tried out.

    It is tried out at the contract's own address, which follows from the deployer and its nonce, or else as
    anybody; then some blocks before, and as somebody else: what differs follows from more than the arguments.
    """
    kinds = {one.name: one.kind for one in made.immutables}
    unknown = sorted(declared.keys() - kinds.keys())
    if unknown:
        there = ", ".join(sorted(kinds)) or "none"
        raise CannotLook(
            Reason.NO_CONFIG, f"contract.immutables names {unknown[0]!r}; {made.name} has: {there}"
        )
    try:
        values = {name: word(value, kinds[name]) for name, value in declared.items()}
    except ValueError as error:
        raise CannotLook(Reason.NO_CONFIG, f"contract.immutables: {error}") from None
    if not made.immutables or values.keys() == kinds.keys():
        return Expected(values, (), "")
    if data is None:
        return Expected(values, (), "contract.constructor_args is not given")
    sender = deployer or _NOBODY
    call = {"from": sender, "data": "0x" + data.hex(), "value": value}
    # Nothing stands at the address yet when the constructor runs.
    lent: dict[str, dict[str, Any]] = {
        sender: {"balance": hex(10**24), "nonce": hex(nonce or 0)},
        address: {"code": "0x", "nonce": "0x0", "state": {}},
    }
    here, why = _tried(rpc, call, hex(block), lent) if nonce is not None else (None, "")
    exact = here is not None
    if here is None:
        lent = {}
        here, why = _tried(rpc, call, hex(block))
    if here is None:
        return Expected(values, (), f"its constructor cannot be tried out: {why}")
    more = [lent] if lent else []
    earlier, _ = _tried(rpc, call, hex(max(block - _EARLIER, 0)), *more)
    if earlier is None:
        earlier, _ = _tried(rpc, call, hex(max(block - 1, 0)), *more)
    other, _ = _tried(rpc, {**call, "from": _NOBODY, "value": "0x0"}, hex(block))
    made_here = values_in(made, here)
    varying = _differing(made_here, values_in(made, earlier or here))
    if not exact:
        varying |= _differing(made_here, values_in(made, other or here))
    values = {**{name: found for name, found in made_here.items() if name not in varying}, **values}
    return Expected(values, tuple(sorted(varying - declared.keys())), "")


def _differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one if one[name] != other.get(name)}


def _tried(rpc: Rpc, call: dict[str, Any], block: str, *lent: Any) -> tuple[bytes | None, str]:
    try:
        answer = rpc.call("eth_call", call, block, *lent)
    except RpcError as error:
        return None, error.message[:120]
    except (CannotLook, Dead) as why:
        return None, why.message
    return evm.raw(answer) or None, "it returns no code"
