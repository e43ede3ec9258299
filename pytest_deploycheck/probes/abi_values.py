"""Values of any type of the Ethereum ABI: calls written as text, arguments as JSON has them, answers as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.evm import keccak
from pytest_deploycheck.verdict import Reason


def arguments(signature: str) -> list[str]:
    """Return the argument types of `f(uint256,(address,bool)[])`; only commas outside brackets part them."""
    return _split(signature[signature.find("(") + 1 : _closing(signature)])


def returns(signature: str) -> list[str]:
    """Return the return types of `f(uint256)(bool)`, empty where none are written."""
    rest = signature[_closing(signature) + 1 :].strip()
    return _split(rest[1:-1]) if rest.startswith("(") else []


def bare(signature: str) -> str:
    """Return a signature without its return types and spaces."""
    return signature[: _closing(signature) + 1].replace(" ", "")


def call(signature: str, values: Sequence[Any] = ()) -> str:
    """Return the data of a call; CannotLook names an argument that does not fit."""
    kinds = arguments(signature)
    return "0x" + keccak(bare(signature).encode())[:4].hex() + encode(kinds, values, signature).hex()


def encode(kinds: Sequence[str], values: Sequence[Any], where: str) -> bytes:
    """Return values as the ABI encodes them; CannotLook names the place when one does not fit its type."""
    from eth_abi.abi import encode as encoder

    if len(kinds) != len(values):
        raise CannotLook(Reason.NO_CONFIG, f"{where} takes {len(kinds)} arguments, {len(values)} are given")
    try:
        return bytes(encoder(list(kinds), [_value(k, v) for k, v in zip(kinds, values, strict=True)]))
    except Exception as error:
        raise CannotLook(
            Reason.NO_CONFIG, f"the arguments of {where} do not fit {', '.join(kinds)}: {error}"[:300]
        ) from None


def decode(kinds: Sequence[str], data: bytes) -> list[str] | None:
    """Return encoded values as text, None when they are not of these types."""
    from eth_abi.abi import decode as decoder

    try:
        return [text(value) for value in decoder(list(kinds), data)]
    except Exception:  # the library has a dozen of its own for malformed data
        return None


def text(value: Any) -> str:
    """Return a value as the evidence shows it: numbers in full, bytes and addresses as 0x and hex digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text(entry) for entry in value) + "]"
    return str(value)


def same(shown: str, expected: Any) -> bool:
    """Whether a decoded value is what the target file says, whatever the spelling of numbers and hex digits."""
    if isinstance(expected, bool | list | tuple):
        return shown.lower() == text(expected).lower()
    wanted = str(expected).strip()
    if shown.startswith("0x") or wanted.startswith("0x"):
        return shown.lower() == wanted.lower() or _number(shown) == _number(wanted) is not None
    return shown == wanted


def types_of(abi: Sequence[Mapping[str, Any]], name: str, kind: str = "function") -> list[str] | None:
    """Return the input types of an ABI's constructor, or the output types of a function `name(types)`."""
    for entry in abi:
        if entry.get("type") != kind:
            continue
        inputs = [_canonical(one) for one in entry.get("inputs", ())]
        if kind == "constructor":
            return inputs
        if f"{entry.get('name')}({','.join(inputs)})" == bare(name):
            return [_canonical(one) for one in entry.get("outputs", ())]
    return None


def _canonical(entry: Mapping[str, Any]) -> str:
    kind = str(entry.get("type", ""))
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_canonical(one) for one in entry.get('components', ()))}){kind.removeprefix('tuple')}"


def _value(kind: str, value: Any) -> Any:
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return [_value(inner, entry) for entry in value]
    if kind.startswith("("):
        return tuple(_value(k, v) for k, v in zip(_split(kind[1:-1]), value, strict=True))
    if kind.startswith(("uint", "int")) and isinstance(value, str):
        return int(value, 0)
    if kind.startswith("bytes") and isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    if kind == "bool" and isinstance(value, str):
        return {"true": True, "false": False}[value.lower()]
    return value


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None


def _closing(signature: str) -> int:
    depth, start = 0, signature.find("(")
    for at in range(start if start > 0 else len(signature), len(signature)):
        depth += {"(": 1, ")": -1}.get(signature[at], 0)
        if depth == 0:
            return at
    raise CannotLook(Reason.NO_CONFIG, f"{signature!r} is no signature such as redeem(uint256)")


def _split(inner: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, char in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
    parts.append(inner[start:])
    return [part.strip() for part in parts if part.strip()]
