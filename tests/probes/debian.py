"""Debian's own PostgreSQL 15 and Redis 7, started in a folder on a free port of the loopback interface."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_deploycheck.demo import accounts

POSTGRES = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "a-long-password-of-nobody-else-15"


def need(program: str | Path) -> None:
    """Skip without a server."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: tests/setup.sh does that")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificates(folder: Path) -> None:
    """Make an authority, a server's certificate for 127.0.0.1, and one for the client cert_app."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=root", "-days", "2")
    for name, subject in (("server", "/CN=server"), ("client", "/CN=cert_app")):
        extension = ("-addext", "subjectAltName=IP:127.0.0.1")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject, *extension)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", "-days", "2")
        (folder / f"{name}.key").chmod(0o600)


class Postgres:
    """A running cluster: its port, its folder, and statements as the superuser."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def dsn(self, role: str = "postgres", password: str = SUPERUSER, database: str = "shop") -> str:
        """Return an address, the server's certificate verified in full."""
        ca = self.folder / "ca.pem"
        place = f"127.0.0.1:{self.port}/{database}?sslmode=verify-full&sslrootcert={ca}"
        return f"postgresql://{role}:{password}@{place}"

    def run(self, *statements: str, database: str = "shop") -> list[tuple[Any, ...]]:
        """Run statements as the superuser; the rows of the last one that gives any."""
        found: list[tuple[Any, ...]] = []
        with psycopg.connect(self.dsn(database=database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                found = cursor.fetchall() if cursor.description else found
        return found

    def rules(self, *lines: str) -> None:
        """Put rules of who may connect into force; the superuser may in any case."""
        text = "\n".join(("hostssl all postgres 127.0.0.1/32 scram-sha-256", *lines)) + "\n"
        (self.folder / "data" / "pg_hba.conf").write_text(text)
        loaded = "SELECT pg_conf_load_time()"
        before = self.run(loaded, database="postgres")
        self.run("SELECT pg_reload_conf()", database="postgres")
        until = time.monotonic() + 10
        while self.run(loaded, database="postgres") == before:
            assert time.monotonic() < until, "PostgreSQL did not read its configuration again"
            time.sleep(0.01)


@contextmanager
def postgres15(folder: Path, **more: str) -> Iterator[Postgres]:
    """Make a cluster and run it, with more settings, as an account that it accepts."""
    need(POSTGRES / "postgres")
    user = accounts.unprivileged()
    prefix = accounts.command_prefix(user, folder, POSTGRES)
    certificates(folder)
    data, password, port = folder / "data", folder / "password", free_port()
    data.mkdir(mode=0o700)
    password.write_text(SUPERUSER)
    for file in ("server.pem", "server.key"):
        shutil.copyfile(folder / file, folder / f"pg-{file}")
        (folder / f"pg-{file}").chmod(0o600)
    accounts.give(user, [data, password, folder / "pg-server.pem", folder / "pg-server.key"])
    made = [POSTGRES / "initdb", f"--pgdata={data}", f"--pwfile={password}", "--username=postgres"]
    made += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-sync"]
    subprocess.run([*prefix, *made], check=True, capture_output=True, cwd="/")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": 40,
        "ssl": "on",
        "ssl_cert_file": folder / "pg-server.pem",
        "ssl_key_file": folder / "pg-server.key",
        "ssl_ca_file": folder / "ca.pem",
        "shared_preload_libraries": "pg_stat_statements",
        "log_min_duration_statement": "1s",
        **more,
    }
    (data / "pg_hba.conf").write_text("hostssl all postgres 127.0.0.1/32 scram-sha-256\n")
    words = [f"-c{name}={value}" for name, value in settings.items()]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*prefix, POSTGRES / "postgres", "-D", data, *words], stdout=log, stderr=log, cwd="/"
        )
    found = Postgres(folder, port)
    try:
        _wait(lambda: found.run("SELECT 1", database="postgres"), server, folder / "log")
        found.run("CREATE DATABASE shop", database="postgres")
        yield found
    finally:
        server.send_signal(2)
        server.wait(20)


@contextmanager
def redis7(folder: Path, *lines: str, files: dict[str, str] | None = None) -> Iterator[int]:
    """Run redis-server with a configuration file of these lines; yields its port."""
    need("redis-server")
    port = free_port()
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    config = folder / "redis.conf"
    config.write_text(
        "\n".join((f"port {port}", "bind 127.0.0.1", f"dir {folder}", 'save ""', *lines)) + "\n"
    )
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(["redis-server", config], stdout=log, stderr=log)
    try:
        _wait(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), server, folder / "redis.log")
        yield port
    finally:
        server.terminate()
        server.wait(10)


def _wait(ask: Any, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while True:
        assert server.poll() is None, log.read_text()
        with suppress(OSError, psycopg.OperationalError):
            ask()
            return
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.03)


def target_file(folder: Path, text: str, secrets: dict[str, str], env: Sequence[str] = ()) -> Path:
    """Write a target file, its secrets beside it, and what a secrets manager renders for the application."""
    for name, value in {**secrets, "env": "\n".join(env)}.items():
        (folder / name).write_text(value)
    base = '[target]\nname = "shop"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'
    rendered = '[env]\nrendered = { file = "env" }\n' if env else ""
    (folder / "target.toml").write_text(base + rendered + text)
    return folder / "target.toml"
