"""Faults of Environment Configuration: the key that signs access tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.app import service
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.environment_tools import having, restart_apps, told
from tests.faults.functional import bug, until_well
from tests.faults.harness import fault

JWT = "pre_deploy.environment.jwt_secret"
PROBES = ("jwt_key",)
SERVER = ("server",)
WEAK = {
    "the key is the word secret": "secret",
    "the key is a passphrase": "guardian-tokens-production-jwt-secret-2026",
    "the key repeats a piece": "k3Fq" * 12,
    "the key is a documentation's": "your-256-bit-secret",
}


def _weak(name: str, value: str) -> None:
    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        """Let the file and the instances have it."""
        try:
            with having(demo, JWT_SECRET=value):
                restart_apps(demo)
                until_well(demo)
                yield
        finally:
            restart_apps(demo)
            until_well(demo)

    fault(JWT, name, probes=PROBES, needs=SERVER)(inject)


for _name, _value in WEAK.items():
    _weak(_name, _value)
_weak("the key has 16 random bytes", secrets.token_urlsafe(16))


@fault(JWT, "the instances run with another key", probes=PROBES, needs=SERVER)
@contextmanager
def another_key(demo: Deployment) -> Iterator[None]:
    """Rotate the key in the file, and restart nothing."""
    with having(demo, JWT_SECRET=secrets.token_urlsafe(48)):
        yield


@fault(JWT, "the instances fell back to a default", probes=PROBES, needs=SERVER)
@contextmanager
def default_key(demo: Deployment) -> Iterator[None]:
    """Start without the variable, so that the code's own default signs; the file is right."""
    try:
        with having(demo, JWT_SECRET="your-256-bit-secret"):
            restart_apps(demo)
        until_well(demo)
        yield
    finally:
        restart_apps(demo)
        until_well(demo)


@fault(JWT, "the file has no key", probes=PROBES, needs=SERVER)
@contextmanager
def no_key(demo: Deployment) -> Iterator[None]:
    """Lose the line after the start."""
    with having(demo, JWT_SECRET=None):
        yield


@fault(JWT, "the key is another service's secret too", probes=PROBES, needs=SERVER)
@contextmanager
def shared_key(demo: Deployment) -> Iterator[None]:
    """Use one secret for everything."""
    with having(demo, SMTP_PASSWORD=demo.world.secret("jwt_secret")):
        yield


@fault(JWT, "the key is staging's", probes=PROBES, needs=SERVER)
@contextmanager
def foreign_key(demo: Deployment) -> Iterator[None]:
    """Say by its digest that another deployment has it."""
    digest = hashlib.sha256(demo.world.secret("jwt_secret").encode()).hexdigest()
    with told(demo, "[env]\n", f'[env]\nforeign_digests = ["{digest}"]\n'):
        yield


@fault(JWT, "a token of an hour ago is accepted", probes=PROBES, needs=SERVER)
@contextmanager
def ignores_exp(demo: Deployment) -> Iterator[None]:
    """Let a token that the key signs live for ever."""
    with bug(demo, ignore_exp=True):
        yield


@fault(JWT, "tokens are signed with a public key that is too small", probes=PROBES, needs=SERVER)
@contextmanager
def small_rsa_key(demo: Deployment) -> Iterator[None]:
    """Sign by RS256 with 1024 bits."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = service.switches_file(demo.world).with_name("jwt_rsa.pem")
    before = path.read_bytes() if path.exists() else b""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the fault
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form))
    try:
        with told(demo, 'alg = ["HS256"]', 'alg = ["RS256"]'), bug(demo, jwt_alg="RS256"):
            restart_apps(demo)
            until_well(demo)
            yield
    finally:
        path.unlink()
        if before:
            path.write_bytes(before)
        restart_apps(demo)
        until_well(demo)
