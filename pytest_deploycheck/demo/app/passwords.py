"""Password hashes; standard library only, so that seeding a database needs nothing of the app."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets

# RFC 7914's interactive parameters: 16 MiB and some 30 ms, which two small instances can still serve.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1


def hash_password(password: str) -> str:
    """Return scrypt$cost$block$parallel$salt$hash with a fresh 16-byte salt, both parts in base64."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL)
    return "$".join(
        (
            "scrypt",
            str(_COST),
            str(_BLOCK),
            str(_PARALLEL),
            *(base64.b64encode(x).decode() for x in (salt, digest)),
        )
    )


def verify_password(password: str, stored: str) -> bool:
    """Whether a password belongs to a stored hash; ValueError when the stored text is not such a hash."""
    kind, *numbers, salt, digest = stored.split("$")
    if kind != "scrypt" or len(numbers) != 3:
        raise ValueError("stored password hash is not of the form scrypt$cost$block$parallel$salt$hash")
    cost, block, parallel = map(int, numbers)
    return hmac.compare_digest(
        _scrypt(password, base64.b64decode(salt), cost, block, parallel), base64.b64decode(digest)
    )


@functools.cache
def nobodys_hash() -> str:
    """Return a hash to check against when a user does not exist, so that the answer takes just as long."""
    return hash_password(secrets.token_urlsafe(16))


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel)
