"""The key that signs access tokens: the one in the environment file, and no other."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import env, jwt
from pytest_deploycheck.probes.fields import document
from pytest_deploycheck.rules.strength import Strength, known, same, strength
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_HS = ("HS256", "HS384", "HS512")


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies: its id, its kind ("RSA", "EC P-256", "Ed25519"), its size in bits."""

    kid: str
    kind: str
    bits: int


@dataclass(frozen=True)
class JwtKeyFacts:
    """What signs, without the key.

    alg: the algorithm in a token that was just issued; algs: those of auth.alg.  key: its name in the
    environment file, empty without one.  signs: that key signed the token.  default_signs: a value that
    everybody knows did.  key_bytes: length of an HMAC key in the form that signs.  shared: other secrets of the
    file with the same value.  foreign: it is a secret of another deployment (env.foreign_digests).
    public_keys: those of the JWKS document; public_signs: one of them verifies the token.  control_status,
    expired_status: answers to a token minted with the key of the file, and to one that expired an hour ago; None
    where nothing could be minted.
    """

    alg: str
    algs: tuple[str, ...]
    key: str
    signs: bool
    default_signs: bool
    key_bytes: int | None
    strength: Strength | None
    shared: tuple[str, ...]
    foreign: bool
    public_keys: tuple[PublicKey, ...]
    public_signs: bool | None
    account_path: str
    control_status: int | None
    expired_status: int | None

    @property
    def hmac(self) -> bool:
        """Whether tokens are signed with a shared secret."""
        return self.alg in _HS


@probe(
    facts=JwtKeyFacts,
    deadline=30,
    needs=("ssh_gate", "acct"),
    uses={"host": "read", "api": "GET", "login": "POST"},
    reads=env.reads,
)
def jwt_key(target: Target, connect: Connections) -> JwtKeyFacts:
    """Verify the run's own token with the key in the file, and mint one that has expired: it must be refused."""
    token = jwt.parse(connect.token())
    if token is None:
        raise CannotLook(
            Reason.NO_EVIDENCE, "access tokens are opaque: no key can be seen to have signed them"
        )
    values = env.values(target, connect)
    seen = JwtKeyFacts(
        alg=token.alg,
        algs=tuple(target.auth.alg),
        key="",
        signs=False,
        default_signs=False,
        key_bytes=None,
        strength=None,
        shared=(),
        foreign=False,
        public_keys=(),
        public_signs=None,
        account_path=target.auth.me_path,
        control_status=None,
        expired_status=None,
    )
    seen, sign = (_shared if token.alg in _HS else _public)(target, connect, token, values, seen)
    if sign is None:
        return seen
    return replace(
        seen,
        control_status=_ask(connect, jwt.control(token, sign), target),
        expired_status=_ask(connect, jwt.expired(token, sign), target),
    )


def _shared(
    target: Target, connect: Connections, token: jwt.Parsed, values: dict[str, str], seen: JwtKeyFacts
) -> tuple[JwtKeyFacts, jwt.Sign | None]:
    """Judge the secret of the file; where it has no key of the expected name, each of its secrets is tried."""
    secrets = {name: value for name, value in values.items() if env.is_secret(target, name) and value}
    name = target.env.jwt_secret_key
    tried = [name] if values.get(name) else list(secrets)
    for one in tried:
        key = _signing(token, values[one])
        if key is not None or one == name:
            others = {**secrets, one: values[one]}
            groups = [group for group in same(others) if one in group]
            digest = hashlib.sha256(values[one].encode()).hexdigest()
            found = replace(
                seen,
                key=one,
                signs=key is not None,
                key_bytes=len(key) if key is not None else len(values[one].encode()),
                strength=strength(values[one], target.secrets.context_words),
                shared=tuple(other for group in groups for other in group if other != one),
                foreign=digest in {entry.lower() for entry in target.env.foreign_digests},
            )
            if key is not None:
                return found, jwt.hmac_sign(token.alg, key)
            seen = found
    default = any(_signing(token, value) is not None for value in ("", *known()))
    return replace(seen, default_signs=default), None


def _signing(token: jwt.Parsed, secret: str) -> bytes | None:
    for key in jwt.hmac_keys(secret):
        if hmac.compare_digest(jwt.hmac_sign(token.alg, key)(token.signed), token.signature):
            return key
    return None


def _public(
    target: Target, connect: Connections, token: jwt.Parsed, values: dict[str, str], seen: JwtKeyFacts
) -> tuple[JwtKeyFacts, jwt.Sign | None]:
    """Judge the published keys; a private key in the file, whatever its name, must be the one that signs."""
    from pytest_deploycheck.rules import jose

    keys = []
    if target.auth.jwks_path:
        keys = jose.jwks(document(connect.http("api").get(target.auth.jwks_path)))
    wanted = str(token.header.get("kid", ""))
    chosen = [key for kid, key in keys if not wanted or kid == wanted]
    seen = replace(
        seen,
        public_keys=tuple(PublicKey(kid, *jose.describe(key)) for kid, key in keys),
        public_signs=any(jose.verifies(token.alg, key, token.signed, token.signature) for key in chosen)
        if keys
        else None,
    )
    for name, value in values.items():
        private = jose.private(value)
        if private is None:
            continue
        if jose.verifies(token.alg, private.public_key(), token.signed, token.signature):
            own = PublicKey(wanted, *jose.describe(private.public_key()))
            public = seen.public_keys or (own,)
            return replace(seen, key=name, signs=True, public_keys=public), jose.signer(token.alg, private)
        if name == target.env.jwt_secret_key:
            seen = replace(seen, key=name)
    return seen, None


def _ask(connect: Connections, token: str, target: Target) -> int:
    connect.learn_secret(token)
    http = connect.http("api")
    return http.get(target.auth.me_path, headers={"Authorization": f"Bearer {token}"}).status
