"""The service's configuration: environment variables and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class ConfigError(ValueError):
    """A variable is missing or malformed; its value is not shown."""


@dataclass(frozen=True)
class Settings:
    """One instance's settings."""

    instance: str  # "app1": names the process in logs, headers and database sessions
    port: int
    public_url: str  # the edge's address; also the tokens' issuer
    log_file: Path
    switches_file: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    redis_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    rpc_url: str = field(repr=False)
    signer_key: str = field(repr=False)  # 0x and 64 hex digits
    contract_address: str
    cors_origins: tuple[str, ...]
    sentry_dsn: str = field(repr=False)  # empty: errors are not reported
    version: str
    commit: str
    environment: str  # what it calls the place where it runs
    debug: bool  # shows the inside in its errors
    chain_id: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the environment; ConfigError names the first variable that is missing or malformed."""

        def need(name: str) -> str:
            value = env.get(name, "").strip()
            if not value:
                raise ConfigError(f"{name} is not set: the service is configured by its environment")
            return value

        port = need("PORT")
        if not port.isdigit():
            raise ConfigError("PORT is not a number")
        key = need("PRIVATE_KEY")
        if len(key) != 66 or not key.startswith("0x"):
            raise ConfigError("PRIVATE_KEY is not 0x and 64 hex digits")
        return cls(
            instance=need("INSTANCE"),
            port=int(port),
            public_url=need("PUBLIC_URL"),
            log_file=Path(need("LOG_FILE")),
            switches_file=Path(need("SWITCHES_FILE")),
            database_url=need("DATABASE_URL"),
            redis_url=need("REDIS_URL"),
            redis_password=env.get("REDIS_PASSWORD", ""),
            jwt_secret=need("JWT_SECRET"),
            rpc_url=need("ETHEREUM_RPC_URL"),
            signer_key=key,
            contract_address=need("CONTRACT_ADDRESS"),
            cors_origins=tuple(filter(None, map(str.strip, env.get("CORS_ORIGINS", "").split(",")))),
            sentry_dsn=env.get("SENTRY_DSN", ""),
            version=need("RELEASE_VERSION"),
            commit=need("RELEASE_COMMIT"),
            environment=env.get("APP_ENV", "development"),
            debug=env.get("DEBUG", "").strip().lower() in ("1", "true", "yes", "on"),
            chain_id=int(env.get("CHAIN_ID") or 0),
        )
