"""Whether a password is the one behind a stored verifier of PostgreSQL (RFC 5802, RFC 7677; or its MD5)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")


def matches(verifier: str, user: str, password: str) -> bool | None:
    """Return whether they belong together, None for a verifier of another kind.

    Passwords beyond ASCII are taken as they are, without SASLprep.
    """
    if re.fullmatch(r"md5[0-9a-f]{32}", verifier):
        digest = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
        return hmac.compare_digest(verifier[3:], digest)
    found = _SCRAM.fullmatch(verifier)
    if found is None:
        return None
    try:
        salt, stored = base64.b64decode(found[2], validate=True), base64.b64decode(found[3], validate=True)
    except binascii.Error:
        return None
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(found[1]))
    client = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client).digest(), stored)
