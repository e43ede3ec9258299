"""Access tokens: JSON Web Tokens signed by HS256, or by RS256 when a switch says so."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_deploycheck.demo.app.config import Settings
from pytest_deploycheck.demo.app.problems import Problem, unauthorized
from pytest_deploycheck.demo.app.switches import Switches

ACCESS_TTL_S = 900
AUDIENCE = "token-api"
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]
_KEY_ID = "demo-1"


@dataclass(frozen=True)
class Claims:
    """What an accepted token says."""

    user_id: int
    jti: str
    expires_at: int  # seconds, UTC


class Tokens:
    """Issues and checks access tokens. Issuer is the public address, audience the API."""

    def __init__(self, settings: Settings, switches: Switches) -> None:
        self._secret, self._issuer, self._switches = settings.jwt_secret, settings.public_url, switches
        self._key_file = settings.switches_file.with_name("jwt_rsa.pem")
        self._lock = threading.Lock()
        self._rsa: rsa.RSAPrivateKey | None = None

    @property
    def rs256(self) -> bool:
        """Whether tokens are signed by RS256 at present."""
        return str(self._switches.value("jwt_alg")) == "RS256"

    def issue(self, user_id: int) -> str:
        """Return a signed token for a user."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": now,
            "exp": now + ACCESS_TTL_S,
            "jti": uuid.uuid4().hex,
        }
        if self.rs256:
            return jwt.encode(claims, self._private_key(), "RS256", {"kid": _KEY_ID})
        return jwt.encode(claims, self._secret, "HS256")

    def check(self, token: str) -> Claims:
        """Return a token's claims; Problem 401 when it is not acceptable for any reason."""
        try:
            claims = self._decode(token)
            return Claims(int(claims["sub"]), str(claims["jti"]), int(claims["exp"]))
        except (jwt.InvalidTokenError, ValueError, KeyError) as error:
            if self._switches.on("bad_token_500"):
                raise RuntimeError("token could not be decoded") from error
            raise unauthorized("The access token is not acceptable.", "invalid_token") from None

    def jwks(self) -> dict[str, Any]:
        """Return the public keys; Problem 404 while tokens are signed with a shared secret."""
        if not self.rs256:
            raise Problem(404, "Tokens are not signed with a public key.")
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._private_key().public_key()))
        return {"keys": [{**key, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}

    def _decode(self, token: str) -> dict[str, Any]:
        on = self._switches.on
        algorithm = str(jwt.get_unverified_header(token).get("alg", ""))
        believe = (algorithm.lower() == "none" and on("accept_alg_none")) or on("ignore_signature")
        if self.rs256 and algorithm == "HS256" and on("hs_rs_confusion") and not believe:
            believe = self._signed_with_public_key(token)
        key: Any = self._private_key().public_key() if self.rs256 else self._secret
        options: Any = {
            "require": _REQUIRED,
            "verify_signature": not believe,
            "verify_exp": not on("ignore_exp"),
            "verify_aud": True,
            "verify_iss": True,
        }
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"] if self.rs256 else ["HS256"],
            audience=AUDIENCE,
            issuer=self._issuer,
            options=options,
        )
        return claims

    def _signed_with_public_key(self, token: str) -> bool:
        signed, _, signature = token.rpartition(".")
        pem = (
            self._private_key()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        expected = base64.urlsafe_b64encode(hmac.new(pem, signed.encode(), hashlib.sha256).digest())
        return hmac.compare_digest(expected.rstrip(b"="), signature.encode())

    def _private_key(self) -> rsa.RSAPrivateKey:
        """Return the RSA key that all instances share, made by whichever comes first."""
        with self._lock:
            if self._rsa is None:
                if not self._key_file.exists():
                    _make_key(self._key_file)
                loaded = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
                if not isinstance(loaded, rsa.RSAPrivateKey):
                    raise TypeError(f"{self._key_file} holds no RSA key")
                self._rsa = loaded
            return self._rsa


def _make_key(path: Path) -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.touch(0o600)
    scratch.write_bytes(pem)
    with contextlib.suppress(FileExistsError):
        os.link(scratch, path)
    scratch.unlink()
