"""What the application is configured with: the .env file, its secrets, its keys for other services."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import Section


class EnvSection(Section):
    """`[env]`: the application's environment file on the server, and the names of its important keys.

    `path` and `template` are on the server; a relative template is also looked for beside the target file.
    `rendered`: where a secrets manager takes the place of the file, what it renders, as NAME=value lines.
    `reader`: what reads the file, since each reads it differently; `any` wants it to mean the same to docker
    compose and python-dotenv.  `types` gives keys a type where their name does not tell it.  `optional`: keys
    that may be missing.
    """

    path: str = ""
    template: str = ""
    rendered: SecretRef | None = None
    reader: Literal["any", "compose", "python-dotenv", "docker", "systemd"] = "any"
    owner: str = ""
    types: dict[str, str] = {}
    optional: list[str] = []
    allow_extra: list[str] = []
    container_services: list[str] = []
    placeholder_patterns: list[str] = []
    db_password_key: str = "DATABASE_URL"  # noqa: S105 - a key's name
    redis_password_key: str = "REDIS_PASSWORD"  # noqa: S105 - a key's name
    jwt_secret_key: str = "JWT_SECRET"  # noqa: S105 - a key's name
    signer_key: str = "PRIVATE_KEY"
    rpc_url_key: str = "ETHEREUM_RPC_URL"
    cors_key: str = "CORS_ORIGINS"
    dsn_key: str = "SENTRY_DSN"
    contract_keys: list[str] = ["CONTRACT_ADDRESS"]


class SecretsSection(Section):
    """`[secrets]`: the services whose passwords are judged, and words that must not be in them."""

    services: list[str] = []
    context_words: list[str] = []
    password_policy: str = ""


class ApiKey(Section):
    """A key for somebody else's service, and how to see that it is accepted."""

    name: str
    env_key: str
    kind: Literal["etherscan", "grafana", "sentry", "pager", "uptime", "bearer"]
    url: str = ""


class ApiKeysSection(Section):
    """`[api_keys]`: every key for a service of somebody else."""

    keys: list[ApiKey] = []
