"""JSON Web Tokens by hand: taken apart, signed again, and broken in the ways that a service must refuse.

No JWT library is used, since a good one refuses to make a bad token. The attacks are those of RFC 8725
(JWT Best Current Practices) and OWASP ASVS 5.0, 9.1.1 to 9.2.4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_deploycheck import safe_json

Sign = Callable[[bytes], bytes]
"""Signs a token's first two parts."""

_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
_RSA = ("RS256", "RS384", "RS512")
_NONE_SPELLINGS = ("none", "None", "NONE")
EXPIRED_BY_S = 3600
"""How long ago an expired token ended: far beyond the leeway that services grant for clocks that differ."""


@dataclass(frozen=True)
class Parsed:
    """A token's parts; `signed` is what the signature is over."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def alg(self) -> str:
        """The algorithm that the header names."""
        return str(self.header.get("alg", ""))


@dataclass(frozen=True)
class Variant:
    """A token that must be refused.

    signed: it carries a valid signature by the service's own key, so that its refusal proves something
    only where the `control` token, signed the same way, is accepted.
    """

    name: str
    token: str = field(repr=False)
    signed: bool = False


def parse(token: str) -> Parsed | None:
    """Return a token's parts, or None when it is no JWT (an opaque token)."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (safe_json.loads(_decode(part)) for part in parts[:2])
        signature = _decode(parts[2])
    except (ValueError, binascii.Error):
        return None
    if not (isinstance(header, dict) and isinstance(claims, dict) and header.get("alg")):
        return None
    return Parsed(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def encode(header: Mapping[str, Any], claims: Mapping[str, Any], sign: Sign | None) -> str:
    """Return a token of these parts; without `sign` its signature is empty."""
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_encode(sign(signed.encode())) if sign else ''}"


def hmac_sign(alg: str, key: bytes) -> Sign:
    """Return what signs by HS256, HS384 or HS512 with a key."""
    return lambda signed: hmac.new(key, signed, _HASHES[alg[2:]]).digest()


def signer(parsed: Parsed, secret: str) -> Sign | None:
    """Return what signs as the service does, if `secret` is the key of a token that it issued.

    The secret is tried as text, Base64 and hexadecimal; for RS256 and its like as a PEM private key.
    """
    if parsed.alg in ("HS256", "HS384", "HS512"):
        for key in hmac_keys(secret):
            sign = hmac_sign(parsed.alg, key)
            if hmac.compare_digest(sign(parsed.signed), parsed.signature):
                return sign
        return None
    if parsed.alg in _RSA and "PRIVATE KEY" in secret:
        try:
            rsa_sign = _rsa_sign(parsed.alg, secret.encode())
        except (ValueError, TypeError):
            return None
        return rsa_sign if rsa_sign(parsed.signed) == parsed.signature else None
    return None


def control(parsed: Parsed, sign: Sign) -> str:
    """Return a token that must be accepted: issued a second earlier, otherwise the same, signed again."""
    moved = {name: _moved(value, -1) if name == "exp" else value for name, value in parsed.claims.items()}
    return encode(parsed.header, moved, sign)


def expired(parsed: Parsed, sign: Sign) -> str:
    """Return a token that must be refused for its age alone: it ended an hour ago, otherwise the same."""
    wrong = dict(_wrong(parsed.claims))
    return encode(parsed.header, wrong.get("expired", {**parsed.claims, "exp": 0}), sign)


def variants(parsed: Parsed, *, sign: Sign | None = None, public_pem: bytes = b"") -> tuple[Variant, ...]:
    """Return tokens that are as good as `parsed` but for one thing each.

    `sign`: the service's own key, see `signer`; adds the variants whose claims alone are wrong.
    `public_pem`: its public key, see `public_pem`; adds the one that an RS/HS mix-up would accept.
    """
    header, claims = parsed.header, parsed.claims
    kind = {name: value for name, value in header.items() if name == "typ"}
    tampered = {**claims, "exp": _moved(claims.get("exp"), 1)}
    signature = _encode(parsed.signature)
    alg = parsed.alg if parsed.alg in ("HS256", "HS384", "HS512") else "HS256"
    stranger = hmac_sign(alg, secrets.token_bytes(64))
    empty_key, sql_key = hmac_sign(alg, b""), hmac_sign(alg, b"deploycheck")
    found = [
        Variant("garbage", "deploycheck.not-a.token"),
        *(Variant(f"alg {word}", encode({**kind, "alg": word}, claims, None)) for word in _NONE_SPELLINGS),
        Variant("empty signature", encode(header, claims, None)),
        Variant("tampered payload", f"{encode(header, tampered, None)}{signature}"),
        Variant(
            "kid as path", encode({**header, "alg": alg, "kid": "../" * 9 + "dev/null"}, claims, empty_key)
        ),
        Variant(
            "kid as SQL",
            encode({**header, "alg": alg, "kid": "x' UNION SELECT 'deploycheck'--"}, claims, sql_key),
        ),
        *_other_rsa_key(header, claims),
    ]
    if parsed.alg not in _RSA:
        found.append(Variant("foreign key", encode({**header, "alg": alg}, claims, stranger)))
    if public_pem:
        mixed = hmac_sign("HS256", public_pem)
        found.append(Variant("HS256 by the public key", encode({**header, "alg": "HS256"}, claims, mixed)))
    if sign:
        found += [Variant(name, encode(header, wrong, sign), True) for name, wrong in _wrong(claims)]
    return tuple(found)


def _wrong(claims: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return claims with one thing wrong each; only claims that the service itself uses are changed."""
    span = _span(claims)
    past = {name: _moved(claims[name], -span) for name in ("iat", "nbf", "exp") if name in claims}
    found = [("expired", {**claims, **past})] if "exp" in claims else []
    if "iat" in claims:
        found.append(("not valid yet", {**claims, "nbf": _moved(claims["iat"], EXPIRED_BY_S)}))
    for name, words in (("aud", "another audience"), ("iss", "another issuer")):
        if name in claims:
            found.append((words, {**claims, name: "https://deploycheck.invalid"}))
    return found


def lifetime(claims: Mapping[str, Any]) -> float | None:
    """Return the seconds from a token's issue (else its beginning) to its end; None when it tells neither."""
    start, end = claims.get("iat", claims.get("nbf")), claims.get("exp")
    if isinstance(start, int | float) and isinstance(end, int | float):
        return float(end - start)
    return None


def _span(claims: Mapping[str, Any]) -> int:
    """Return by how many seconds to move a token into the past so that it ended an hour ago."""
    return int(max(lifetime(claims) or 86_400, 0)) + EXPIRED_BY_S


def _other_rsa_key(header: Mapping[str, Any], claims: Mapping[str, Any]) -> list[Variant]:
    """Return tokens signed with a key of our own: as they are, bringing it, or saying where it can be had."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    sign = _rsa_sign("RS256", pem)
    # RFC 2606: a name that never resolves, so that a service which does follow it reaches nobody.
    away = "https://deploycheck.invalid/jwks.json"
    kind = {name: value for name, value in header.items() if name == "typ"}
    found = [
        Variant("embedded jwk", encode({**kind, "alg": "RS256", "jwk": jwk}, claims, sign)),
        Variant("jku elsewhere", encode({**kind, "alg": "RS256", "jku": away, "kid": "x"}, claims, sign)),
    ]
    if header.get("alg") in _RSA:
        alike = _rsa_sign(str(header["alg"]), pem)
        found.append(Variant("foreign key", encode(header, claims, alike)))
    return found


def public_pem(jwks: Any, kid: str = "") -> bytes:
    """Return the PEM of the RSA key in a JWKS document that a token names, or of its only one; else b""."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    known = [key for key in keys or () if isinstance(key, dict) and key.get("kty") == "RSA"]
    chosen = [key for key in known if key.get("kid") == kid] or (known if len(known) == 1 else [])
    try:
        n, e = (int.from_bytes(_decode(chosen[0][name]), "big") for name in ("n", "e"))
        key = rsa.RSAPublicNumbers(e, n).public_key()
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return b""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _rsa_sign(alg: str, pem: bytes) -> Sign:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("this is no RSA key")
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[alg[2:]]
    return lambda signed: key.sign(signed, padding.PKCS1v15(), digest)


def hmac_keys(secret: str) -> list[bytes]:
    """Return the bytes that a secret may stand for; services disagree on whether it is encoded."""
    found = [secret.encode()]
    for read in (_decode, bytes.fromhex):
        try:
            found.append(read(secret))
        except (ValueError, binascii.Error):
            continue
    return found


def _moved(value: Any, seconds: float) -> Any:
    return value + seconds if isinstance(value, int | float) else value


def _number(value: int) -> str:
    return _encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    text = part.strip().replace("+", "-").replace("/", "_").rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
