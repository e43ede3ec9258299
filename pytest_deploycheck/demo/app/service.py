"""The two app instances as processes of a deployment, and their environment file DIR/app/.env."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import urllib3

from pytest_deploycheck.demo import bugsink, postgres
from pytest_deploycheck.demo.app import launch
from pytest_deploycheck.demo.app.switches import flip
from pytest_deploycheck.demo.contract.deploy import CHAIN_ID, token_address
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

INSTANCES = ("app1", "app2")
CORS_ORIGINS = ("https://app.tokens.example", "https://www.tokens.example")
_TEMPLATE = Path(__file__).parents[1] / "files" / "code" / "env.production"
_NEEDED = ("fastapi", "uvicorn", "psycopg", "redis", "jwt", "prometheus_client", "eth_keys")


def available() -> str | None:
    """Return None, or the sentence why the service cannot run here."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (pip install 'pytest-deploycheck[demo]')"
    return None


def env_file(world: World) -> Path:
    """Return the path of the environment file."""
    return world.path("app", ".env")


def switches_file(world: World) -> Path:
    """Return the path of the file of bug switches."""
    return world.path("app", "switches.json")


def template_file(world: World) -> Path:
    """Return the path of the template that the environment file is made from."""
    return world.path("app", ".env.production")


def write_env(world: World, sentry_dsn: str = "") -> Path:
    """Write the environment file and its template; an existing file is left as it is."""
    path = env_file(world)
    values = {
        "APP_ENV": "production",
        "DEBUG": "false",
        "LOG_LEVEL": "info",
        "DATABASE_URL": postgres.dsn(world, "token_app"),
        "REDIS_URL": f"redis://127.0.0.1:{world.port('valkey')}/0",
        "REDIS_PASSWORD": world.secret("redis_password"),
        "JWT_SECRET": world.secret("jwt_secret"),
        "ETHEREUM_RPC_URL": world.url("rpc"),
        "CHAIN_ID": str(CHAIN_ID),
        "PRIVATE_KEY": world.secret("signer_key"),
        "CONTRACT_ADDRESS": token_address(world),
        "CORS_ORIGINS": ",".join(CORS_ORIGINS),
        "SENTRY_DSN": sentry_dsn,
        "PUBLIC_URL": world.url("edge"),
        "RELEASE_VERSION": world.release.version,
        "RELEASE_COMMIT": world.release.commit,
        "ETHERSCAN_API_KEY": world.secret("explorer_key"),
        "GRAFANA_TOKEN": world.secret("grafana_token"),
        "SENTRY_AUTH_TOKEN": bugsink.token(world),
        "PAGER_API_KEY": world.secret("pager_key"),
        "SMTP_HOST": "smtp.tokens.example",
        "SMTP_PORT": "587",
        "SMTP_USER": "token-service",
        "SMTP_PASSWORD": world.secret("smtp_password"),
        "MAIL_FROM": '"Token service, support@tokens.example"',
    }
    template_file(world).write_text(_TEMPLATE.read_text())
    if not path.exists():
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


def set_env(world: World, **values: str | None) -> None:
    """Change variables in the environment file, None removes one; instances see it when they start."""
    path = env_file(world)
    lines = [line for line in path.read_text().splitlines() if line.partition("=")[0] not in values]
    lines += [f"{name}={value}" for name, value in values.items() if value is not None]
    path.write_text("\n".join(lines) + "\n")


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[env]`, `[secrets]` and `[cors]`; what the service needs stands on this machine."""
    render("password_policy.toml", world.path("app", "password_policy.toml"))
    empty = [name for name, value in launch.read(env_file(world)).items() if not value]
    return {
        "env": {
            "path": str(env_file(world)),
            "internal_hosts": ["localhost", "127.0.0.0/8"],
            **({"optional": empty} if empty else {}),
        },
        "cors": {"allowed_origins": list(CORS_ORIGINS)},
        "secrets": {"password_policy": "app/password_policy.toml"},
    }


def switch(world: World, **values: Any) -> None:
    """Set bug switches of both instances; None switches one off. See `switches.KNOWN`."""
    flip(switches_file(world), **values)


def daemons(world: World) -> list[Daemon]:
    """Write the configuration and return both instances."""
    env = write_env(world)
    return [_daemon(world, name, env) for name in INSTANCES]


def _daemon(world: World, name: str, env: Path) -> Daemon:
    port = world.port(name)
    command: list[str | Path] = [sys.executable, "-I", "-S", launch.__file__, env]
    command += [sys.executable, "-m", "pytest_deploycheck.demo.app"]
    settings = {
        "INSTANCE": name,
        "PORT": str(port),
        "LOG_FILE": str(world.path("logs", f"{name}.jsonl")),
        "SWITCHES_FILE": str(switches_file(world)),
    }
    pool = urllib3.PoolManager(timeout=2.0, retries=False)

    def ready() -> bool:
        try:
            return bool(pool.request("GET", f"http://127.0.0.1:{port}/health/live").status == 200)
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(str(error)) from None

    return Daemon(
        name, command, home=env.parent, ready=ready, env=settings, log=world.path("logs", f"{name}.log")
    )
