"""Private keys and the addresses they control; light enough to import anywhere."""

from __future__ import annotations

import hashlib
import hmac
import re

from cryptography.hazmat.primitives.asymmetric import ec
from eth_hash.auto import keccak

# Order of the group of secp256k1: a private key lies in 1 … ORDER - 1.
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ZERO_ADDRESS = "0x" + "0" * 40

__all__ = [
    "ZERO_ADDRESS",
    "address_of",
    "contract_address",
    "derive_address",
    "derive_key",
    "is_checksum_address",
    "keccak",
    "key_from_secret",
    "key_from_seed",
    "to_checksum",
]


def derive_key(signer_key: str, user_id: int) -> str:
    """Return the private key of a user's custodial wallet, as 0x and 64 hex digits.

    HMAC-SHA256 over the user's number under the signer key, reduced to the key range: whoever holds the
    signer key can rebuild every wallet, nobody else can.
    """
    return key_from_seed(bytes.fromhex(signer_key.removeprefix("0x")), f"wallet/{user_id}")


def derive_address(signer_key: str, user_id: int) -> str:
    """Return the EIP-55 address of a user's custodial wallet."""
    return address_of(derive_key(signer_key, user_id))


def key_from_secret(secret: str, purpose: str) -> str:
    """Return a private key made from a password-like secret, one for each purpose."""
    return key_from_seed(secret.encode(), purpose)


def key_from_seed(seed: bytes, purpose: str) -> str:
    """Return the private key, 0x and 64 hex digits, that HMAC-SHA256 of the purpose under the seed gives."""
    digest = int.from_bytes(hmac.new(seed, purpose.encode(), hashlib.sha256).digest(), "big")
    return f"0x{digest % (_ORDER - 1) + 1:064x}"


def address_of(key: str) -> str:
    """Return the EIP-55 address that a private key controls."""
    public = ec.derive_private_key(int(key, 16), ec.SECP256K1()).public_key().public_numbers()
    return to_checksum(keccak(public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big"))[12:].hex())


def contract_address(creator: str, nonce: int) -> str:
    """Return the EIP-55 address of the contract that an account creates in the transaction with this nonce.

    The last 20 bytes of keccak(rlp([creator, nonce])); ValueError for a nonce above 127, enough here.
    """
    if not 0 <= nonce < 128:
        raise ValueError(f"nonce {nonce} is outside 0-127")
    item = bytes([nonce or 0x80])
    return to_checksum(keccak(b"\xd6\x94" + bytes.fromhex(creator[2:]) + item)[12:].hex())


def to_checksum(address: str) -> str:
    """Return an address with the upper and lower case of its EIP-55 checksum; ValueError when it is none."""
    digits = address.removeprefix("0x").lower()
    if not _ADDRESS.fullmatch("0x" + digits):
        raise ValueError(f"{address[:50]!r} is not an address: 0x and 40 hex digits")
    digest = keccak(digits.encode()).hex()
    return "0x" + "".join(
        char.upper() if int(nibble, 16) >= 8 else char for char, nibble in zip(digits, digest, strict=False)
    )


def is_checksum_address(address: str) -> bool:
    """Whether a string is an address in its EIP-55 spelling."""
    return _ADDRESS.fullmatch(address) is not None and to_checksum(address) == address
