"""Tools that break the demo's PostgreSQL and cache, and mend them again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.process import answers
from tests.faults.functional import execute, until_well
from tests.faults.tools import edited

APP_RULE = "token_app     127.0.0.1/32   scram-sha-256"


def loaded_at(demo: Deployment) -> float:
    """Return when the server last read its configuration, as a new session sees it."""
    query = "SELECT extract(epoch FROM pg_conf_load_time())::float8"
    with psycopg.connect(postgres.dsn(demo.world, "postgres", "postgres")) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0])


def reload(demo: Deployment) -> None:
    """Let PostgreSQL read its configuration again, and wait until it has."""
    before, until = loaded_at(demo), time.monotonic() + 10
    demo.reload("postgres")
    while loaded_at(demo) == before:
        assert time.monotonic() < until, "PostgreSQL did not read its configuration again"
        time.sleep(0.01)


@contextmanager
def configured(demo: Deployment, file: str, *changes: tuple[str, str]) -> Iterator[None]:
    """Change a configuration file of PostgreSQL and put it into force; afterwards the same backwards."""
    try:
        with edited(demo.world.path("postgres", file), *changes):
            reload(demo)
            yield
    finally:
        reload(demo)


@contextmanager
def undone(demo: Deployment, broken: str, mended: str, role: str = "token_owner") -> Iterator[None]:
    """Run a statement, and another one afterwards."""
    execute(demo, broken, role=role)
    try:
        yield
    finally:
        execute(demo, mended, role=role)


@contextmanager
def sessions(demo: Deployment, count: int, role: str) -> Iterator[None]:
    """Hold some sessions open."""
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(psycopg.connect(postgres.dsn(demo.world, role), autocommit=True))
        yield


@contextmanager
def said(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Change what the target file says."""
    with edited(demo.target, *changes):
        yield


def env_value(demo: Deployment, key: str) -> str:
    """Return a value of the application's environment file."""
    lines = demo.world.path("app", ".env").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{key}="))


@contextmanager
def in_env(demo: Deployment, **values: str) -> Iterator[None]:
    """Change values of the environment file, which the running application does not notice."""
    changes = [(f"{key}={env_value(demo, key)}\n", f"{key}={value}\n") for key, value in values.items()]
    with edited(demo.world.path("app", ".env"), *changes):
        yield


def cache(demo: Deployment, *words: str, password: str | None = None) -> str:
    """Send a command to the cache as its administrator; the first line of the answer."""
    secret = demo.world.secret("redis_password") if password is None else password
    with socket.create_connection(("127.0.0.1", demo.world.port("valkey")), timeout=5) as connection:
        if secret:
            connection.sendall(f"AUTH {secret}\r\n".encode())
            connection.recv(1024)
        connection.sendall(" ".join(words).encode() + b"\r\n")
        answer = connection.recv(4096).decode()
    assert not answer.startswith("-"), answer
    return answer


@contextmanager
def recached(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Restart the cache with another configuration; afterwards with its own, until the service is well."""
    daemon = demo.service("valkey")
    ready, daemon.ready = daemon.ready, lambda: answers(demo.world.port("valkey"))
    try:
        with edited(demo.world.path("valkey", "valkey.conf"), *changes):
            demo.restart("valkey")
            yield
    finally:
        daemon.ready = ready
        demo.restart("valkey")
        until_well(demo)
