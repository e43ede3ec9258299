"""The part of Solidity's ABI that the demo's contracts use: static words, and dynamic bytes at the end."""

from __future__ import annotations

from pytest_deploycheck.demo.ether.keys import keccak, to_checksum

_ERROR = keccak(b"Error(string)")[:4]


def selector(signature: str) -> bytes:
    """Return the four bytes that select a function such as redeem(uint256)."""
    return keccak(signature.encode())[:4]


def topic(signature: str) -> str:
    """Return the first topic of an event such as Transfer(address,address,uint256), as 0x and hex digits."""
    return "0x" + keccak(signature.encode()).hex()


def encode(*values: int | str | bytes) -> bytes:
    """Encode integers and addresses as words, and a last argument of bytes as a dynamic one."""
    head, tail = b"", b""
    for value in values:
        if isinstance(value, bytes):
            head += (32 * len(values)).to_bytes(32, "big")
            tail = len(value).to_bytes(32, "big") + value + bytes(-len(value) % 32)
        else:
            head += (int(value, 16) if isinstance(value, str) else value).to_bytes(32, "big")
    return head + tail


def call(signature: str, *values: int | str | bytes) -> str:
    """Return the data of a call, as 0x and hex digits."""
    return "0x" + (selector(signature) + encode(*values)).hex()


def uint(data: str) -> int:
    """Decode one word; ValueError when the answer is empty, as from an address without code."""
    if len(data) < 66:
        raise ValueError("the contract answered nothing: is there code at its address?")
    return int(data[:66], 16)


def address(data: str) -> str:
    """Decode an address from one word or one indexed topic, in its EIP-55 spelling."""
    return to_checksum(f"{uint(data):064x}"[24:])


def text(data: str) -> str:
    """Decode one string."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    length = int.from_bytes(raw[32:64], "big")
    return raw[64 : 64 + length].decode(errors="replace")


def revert_reason(output: bytes) -> str:
    """Return the sentence of a Solidity require, or nothing when the revert carries none."""
    return text(output[4:].hex()) if output[:4] == _ERROR else ""
