"""Public-key signatures of tokens, with keys of every kind that services use."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pytest_deploycheck.rules import jose

KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS384": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def parts(token: str) -> tuple[bytes, bytes]:
    """Return what is signed, and the signature."""
    signed, _, signature = token.rpartition(".")
    return signed.encode(), jwt.utils.base64url_decode(signature)


@pytest.mark.parametrize("alg", KEYS)
def test_tokens_of_a_library_verify(alg: str) -> None:
    """A token that PyJWT signed is verified by its own key, and by no other."""
    signed, signature = parts(jwt.encode({"sub": "1"}, KEYS[alg], alg))
    for name, key in KEYS.items():
        assert jose.verifies(alg, key.public_key(), signed, signature) is (name == alg)


@pytest.mark.parametrize("alg", KEYS)
def test_our_signatures_are_good(alg: str) -> None:
    """What we sign, PyJWT accepts."""
    sign = jose.signer(alg, KEYS[alg])
    assert sign is not None
    signed, _ = parts(jwt.encode({"sub": "1"}, KEYS[alg], alg))
    token = signed.decode() + "." + jwt.utils.base64url_encode(sign(signed)).decode()
    assert jwt.decode(token, KEYS[alg].public_key(), [alg]) == {"sub": "1"}


@pytest.mark.parametrize(
    ("alg", "kind"), [("RS256", ("RSA", 2048)), ("ES256", ("EC P-256", 256)), ("EdDSA", ("Ed25519", 256))]
)
def test_published_keys_are_read(alg: str, kind: tuple[str, int]) -> None:
    """A JWKS document gives the keys back, with kind and size; what is no key is left out."""
    algorithm = jwt.get_algorithm_by_name(alg)
    entry = json.loads(algorithm.to_jwk(KEYS[alg].public_key()))
    found = jose.jwks({"keys": [{**entry, "kid": "a"}, {"kty": "RSA"}, "no key", {**entry, "use": "enc"}]})
    assert [(kid, jose.describe(key)) for kid, key in found] == [("a", kind)]


@pytest.mark.parametrize("document", [None, [], {}, {"keys": 3}, {"keys": [{"kty": "EC", "crv": "?"}]}])
def test_other_documents_have_no_keys(document: Any) -> None:
    """Whatever the path answers, it is not an error."""
    assert jose.jwks(document) == []


def test_private_keys_out_of_a_file() -> None:
    """A PEM key is read with real line breaks and with written ones; other text holds none."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = KEYS["ES256"].private_bytes(*form).decode()
    for text in (pem, pem.replace("\n", "\\n")):
        assert jose.private(text).private_numbers() == KEYS["ES256"].private_numbers()
    assert jose.private("a secret") is None
    assert jose.private("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----") is None
