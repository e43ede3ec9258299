"""Code that is not a contract's own: proxies, minimal proxies and delegated accounts, by their standards."""

from __future__ import annotations

import re

# EIP-1967: keccak256("eip1967.proxy.implementation") - 1, and so on.
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
BEACON_SLOT = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
# ERC-7201 "openzeppelin.storage.Initializable" of OpenZeppelin Contracts 5.
INITIALIZABLE_SLOT = "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
# What a locked implementation holds there: type(uint64).max, by _disableInitializers().
LOCKED = 2**64 - 1

# EIP-1167, and the same with PUSH0 as newer factories write it; immutable arguments may follow.
_MINIMAL = (
    re.compile(
        rb"\x36\x3d\x3d\x37\x3d\x3d\x3d\x36\x3d\x73(.{20})\x5a\xf4\x3d\x82\x80\x3e\x90\x3d\x91\x60\x2b\x57\xfd\x5b\xf3",
        re.DOTALL,
    ),
    re.compile(
        rb"\x36\x5f\x5f\x37\x5f\x5f\x36\x5f\x73(.{20})\x5a\xf4\x3d\x5f\x5f\x3e\x5f\x3d\x91\x60\x2a\x57\xfd\x5b\xf3",
        re.DOTALL,
    ),
)
# EIP-7702: the code of an account that another contract acts for.
_DELEGATION = b"\xef\x01\x00"


def minimal_target(code: bytes) -> str | None:
    """Return the implementation of a minimal proxy (EIP-1167), None for any other code."""
    for shape in _MINIMAL:
        if found := shape.match(code):
            return "0x" + found[1].hex()
    return None


def delegate(code: bytes) -> str | None:
    """Return the contract that an account is delegated to (EIP-7702), None for any other code."""
    return "0x" + code[3:].hex() if len(code) == 23 and code[:3] == _DELEGATION else None


def address_in(slot: str) -> str | None:
    """Return the address in a storage word, None when the word is zero or no address."""
    digits = slot.removeprefix("0x").rjust(64, "0")
    if not re.fullmatch(r"0{24}[0-9a-fA-F]{40}", digits) or not int(digits, 16):
        return None
    return "0x" + digits[24:].lower()
