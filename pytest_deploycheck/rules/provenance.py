"""DSSE envelopes around in-toto statements: unpacking, and verifying a signature by a public key.

A signature is over DSSE's pre-authentication encoding (v1 of the protocol), never over the payload alone. What a
keyless signer's certificate says is not looked at: for that, a key that stands in the target file has to sign too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pytest_deploycheck import safe_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def unwrap(document: Any, key: bytes | None) -> tuple[Any, bool | None]:
    """Return the statement inside, and whether `key` (PEM) signed it; None where there is no key to say so.

    Takes a bare statement (never signed), a DSSE envelope, and a bundle that holds one.
    """
    envelope = document
    if isinstance(document, Mapping) and isinstance(document.get("dsseEnvelope"), Mapping):
        envelope = document["dsseEnvelope"]
    if not isinstance(envelope, Mapping) or "payload" not in envelope:
        return document, False if key is not None else None
    try:
        payload = base64.b64decode(str(envelope["payload"]), validate=True)
        statement = safe_json.loads(payload)
    except (ValueError, RecursionError, binascii.Error):
        return None, False
    if key is None:
        return statement, None
    kind = str(envelope.get("payloadType") or "")
    return statement, kind == PAYLOAD_TYPE and _signed(
        envelope.get("signatures"), encoded(kind, payload), key
    )


def encoded(kind: str, payload: bytes) -> bytes:
    """Return the bytes that a signature is over: DSSEv1, both lengths, both contents."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def _signed(signatures: Any, message: bytes, key: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    public = load_pem_public_key(key)
    for one in signatures if isinstance(signatures, list) else ():
        try:
            value = base64.b64decode(str(one["sig"]), validate=True)
            if isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(value, message)
            elif isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(value, message, ec.ECDSA(hashes.SHA256()))
            elif isinstance(public, rsa.RSAPublicKey):
                public.verify(value, message, padding.PKCS1v15(), hashes.SHA256())
            else:
                continue
        except (InvalidSignature, KeyError, TypeError, ValueError):
            continue
        return True
    return False
