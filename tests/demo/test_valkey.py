"""Valkey: nobody speaks to it without the password, which is in its configuration file."""

from __future__ import annotations

import stat

import pytest
import redis

from pytest_deploycheck.demo import valkey
from pytest_deploycheck.demo.deployment import Deployment


def client(deployment: Deployment, password: str | None) -> redis.Redis:
    """Speak to the server with some password or none."""
    return redis.Redis(port=deployment.world.port("valkey"), password=password)


def test_the_password_opens_it(backend: Deployment) -> None:
    """The declared address works, and counters that expire are what memory pressure takes."""
    with redis.Redis.from_url(valkey.url(backend.world)) as session:
        assert session.ping()
        assert session.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
        assert session.config_get("bind") == {"bind": "127.0.0.1"}


@pytest.mark.parametrize("password", [None, "redis"])
def test_nothing_else_does(backend: Deployment, password: str | None) -> None:
    """No password and a guessed one are refused."""
    with client(backend, password) as session, pytest.raises(redis.AuthenticationError):
        session.ping()


def test_the_password_survives_a_restart(backend: Deployment) -> None:
    """It is set in the file that the server loads, which only its owner may read."""
    config = backend.world.path("valkey", "valkey.conf")
    assert f"requirepass {backend.world.secret('redis_password')}\n" in config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    backend.restart("valkey")
    with client(backend, None) as session, pytest.raises(redis.AuthenticationError):
        session.ping()
