"""Where the product keeps its data."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import Section


class DbSection(Section):
    """`[db]`: PostgreSQL, by a role that can only read.

    `app_role`: the application's own role; found among the sessions when empty.  `purchases_query` and
    `redemptions_query`: SELECTs that give id, tx_hash, status, tokens, cost_wei and created_at where the
    tables have other columns.  `log_service`: its name in `logs.services`.
    """

    dsn: SecretRef
    business_tables: list[str] = []
    purchases_table: str = "purchases"
    redemptions_table: str = "redemptions"
    events_table: str = "chain_events"
    wallets_table: str = "wallets"
    purchases_query: str = ""
    redemptions_query: str = ""
    app_role: str = ""
    log_service: str = ""


class RedisSection(Section):
    """`[redis]`: the cache."""

    url: SecretRef


class MigrationsSection(Section):
    """`[migrations]`: the schema's history; `dir` is the release's, beside the target file or on the server."""

    tool: Literal["alembic", "django", "flyway", "prisma", "golang-migrate", "goose", "sql"] | None = None
    dir: str = ""
    table: str = ""
    dryrun_report: str = ""


class BackupRepo(Section):
    """A place where backups are kept: a path, or a tool's own repository address."""

    name: str
    location: str
    off_host: bool = False
    password: SecretRef | None = None


class BackupSection(Section):
    """`[backup]`: what makes the backups of the database, and where they go."""

    tool: Literal["pgbackrest", "restic", "pgdump"]
    stanza: str = ""
    config: str = ""
    repos: list[BackupRepo] = []
    min_offhost: int = 1
    require_encryption: bool = True
    tag: str = "predeploy"
    label: str = ""
