"""What the application is configured with: the .env file, its secrets, its keys for other services."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pytest_deploycheck.rules.env_types import TYPES, known_type
from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section


class EnvSection(Section):
    """`[env]`: the application's environment file on the server, and the names of its important keys.

    `path`: absolute, on the server; `.env` in `repo.path` when empty.  `template`: what it was made from; a
    relative one is looked for beside the file, in `repo.path` and beside the target file.  `rendered`: where a
    secrets manager takes the place of the file, what it renders, as NAME=value lines.  `reader`: what reads the
    file, since each reads it differently; `any` wants it to mean the same to docker compose and python-dotenv.
    `owner`: whose it must be, the user of `host.uri` or root when empty.  `groups` may read it.  `types` gives
    keys a type where their name does not tell it.  `optional`: keys that may be missing or empty.
    `allow_extra`: keys that the template does not have.  `internal_hosts`: names, addresses and networks that
    values may lead to although they are private.  `container_services`: services that must have every key;
    found when empty.  `overridden`: keys that services set themselves.  `units`: those of systemd that load
    the file, where no containers do.  `foreign_digests`: SHA-256 in hexadecimal of secrets of other
    deployments, such as staging's.
    """

    path: str = Field(default="", pattern=r"^(/[\w./@+-]*)?$")
    template: str = Field(default=".env.production", pattern=r"^[\w./@+-]*$")
    rendered: SecretRef | None = None
    reader: Literal["any", "compose", "python-dotenv", "docker", "systemd"] = "any"
    owner: str = ""
    groups: list[str] = []
    types: dict[str, str] = {}
    optional: list[str] = []
    allow_extra: list[str] = []
    internal_hosts: list[str] = []
    placeholder_patterns: list[str] = []
    container_services: list[str] = []
    overridden: list[str] = []
    units: list[str] = []
    foreign_digests: list[str] = []
    db_password_key: str = "DATABASE_URL"  # noqa: S105 - a key's name
    redis_password_key: str = "REDIS_PASSWORD"  # noqa: S105 - a key's name
    jwt_secret_key: str = "JWT_SECRET"  # noqa: S105 - a key's name
    signer_key: str = "PRIVATE_KEY"
    rpc_url_key: str = "ETHEREUM_RPC_URL"
    cors_key: str = "CORS_ORIGINS"
    dsn_key: str = "SENTRY_DSN"
    contract_keys: list[str] = ["CONTRACT_ADDRESS"]

    @field_validator("types")
    @classmethod
    def _known_types(cls, values: dict[str, str]) -> dict[str, str]:
        for key, kind in values.items():
            if not known_type(kind):
                raise ValueError(f"{key} = {kind!r}: unknown type; there are {', '.join(TYPES)}")
        return values


class SecretsSection(Section):
    """`[secrets]`: words that must not be in any, and the rules for the passwords of people.

    `password_policy`: a TOML file with a table `[passwords]`: min_length and max_length in characters, mfa
    (a second factor is always asked for), blocklist (common passwords are refused), composition (kinds of
    characters are demanded), rotation_days (0: passwords do not expire).
    """

    context_words: list[str] = []
    password_policy: str = ""


class ApiKey(Section):
    """A key for somebody else's service, and the one reading request that shows whether it is accepted.

    `url`: the API's base; where the kind has one, its own.  `path` and `header` (a name, and a value with
    `{key}` in it) are those of the kind when empty.
    """

    name: str
    env_key: str
    kind: Literal[
        "etherscan", "grafana", "sentry", "bugsink", "pagerduty", "opsgenie", "betterstack", "bearer"
    ]
    url: HttpUrl | Literal[""] = ""
    path: str = Field(default="", pattern=r"^(/\S*)?$")
    header: str = Field(default="", pattern=r"^([\w-]+: .*\{key\}.*)?$")


class ApiKeysSection(Section):
    """`[api_keys]`: every key for a service of somebody else."""

    keys: list[ApiKey] = []
