"""Public-key signatures of tokens (RFC 7518, RFC 8037): which keys there are, how large, and whether they signed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}


def jwks(document: Any) -> list[tuple[str, Any]]:
    """Return (kid, key) of every signing key in a JWKS document; what cannot be read is left out."""
    entries = document.get("keys") if isinstance(document, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig":
            try:
                found.append((str(entry.get("kid", "")), _public(entry)))
            except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
                continue
    return found


def describe(key: Any) -> tuple[str, int]:
    """Return a public key's kind ("RSA", "EC P-256", "Ed25519") and its size in bits."""
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        names = {type(curve): name for name, curve in _CURVES.items()}
        return f"EC {names.get(type(key.curve), key.curve.name)}", key.curve.key_size
    return ("Ed25519", 256) if isinstance(key, ed25519.Ed25519PublicKey) else ("Ed448", 448)


def private(text: str) -> Any:
    r"""Return the private key that a PEM text holds (its line breaks may be written as \\n), or None."""
    if "PRIVATE KEY" not in text:
        return None
    try:
        return serialization.load_pem_private_key(text.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError):
        return None


def verifies(alg: str, key: Any, signed: bytes, signature: bytes) -> bool:
    """Whether a public key made a signature by an algorithm; False where they do not fit each other."""
    try:
        if alg[:2] in ("RS", "PS") and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, _padding(alg), HASHES[alg[2:]])
        elif alg[:2] == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            pair = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
            key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(HASHES[alg[2:5]]))
        elif alg in ("EdDSA", "Ed25519", "Ed448") and isinstance(
            key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
        ):
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def signer(alg: str, key: Any) -> Callable[[bytes], bytes] | None:
    """Return what signs by an algorithm with a private key; None where they do not fit each other."""
    if alg[:2] in ("RS", "PS") and isinstance(key, rsa.RSAPrivateKey):
        return lambda signed: key.sign(signed, _padding(alg), HASHES[alg[2:]])
    if alg[:2] == "ES" and isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8

        def ecdsa(signed: bytes) -> bytes:
            pair = decode_dss_signature(key.sign(signed, ec.ECDSA(HASHES[alg[2:5]])))
            return b"".join(part.to_bytes(size, "big") for part in pair)

        return ecdsa
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return lambda signed: key.sign(signed)
    return None


def _padding(alg: str) -> padding.AsymmetricPadding:
    if alg.startswith("PS"):
        digest = HASHES[alg[2:]]
        return padding.PSS(padding.MGF1(digest), digest.digest_size)
    return padding.PKCS1v15()


def _public(entry: dict[str, Any]) -> Any:
    if entry["kty"] == "RSA":
        return rsa.RSAPublicNumbers(_number(entry["e"]), _number(entry["n"])).public_key()
    if entry["kty"] == "EC":
        numbers = ec.EllipticCurvePublicNumbers(
            _number(entry["x"]), _number(entry["y"]), _CURVES[entry["crv"]]
        )
        return numbers.public_key()
    raw = _bytes(entry["x"])
    return (
        ed25519.Ed25519PublicKey.from_public_bytes(raw)
        if entry["crv"] == "Ed25519"
        else ed448.Ed448PublicKey.from_public_bytes(raw)
    )


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
