"""Where the product keeps its data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import Cidr, Section


class DbSection(Section):
    """`[db]`: PostgreSQL, by a role that can only read.

    `app_role`: the application's own role; found among the sessions when empty.  `purchases_query` and
    `redemptions_query`: SELECTs that give id, tx_hash, status, tokens, cost_wei and created_at where the
    tables have other columns.  `log_service`: its name in `logs.services`.

    `admin_dsn`: a role that may read pg_authid and pg_hba_file_rules; used for nothing else, and read-only
    like the other.  Instead of it, `password_kinds_query` is a SELECT of role and kind from a view that an
    administrator made.  `system_identifier`: the cluster's own, so that its twin is not taken for it.
    `allowed_cidrs`: the networks of the application's servers and of whoever else may connect;
    `local_cidrs`: those among them that never leave a machine, such as a container bridge.
    `index_allowlist`: tables, indexes, constraints and sequences that may stay as they are, as
    `schema.name`.  `memory_bytes`: what the server may use, where that is less than its machine has, or
    where its machine cannot be looked at.
    """

    dsn: SecretRef
    admin_dsn: SecretRef | None = None
    password_kinds_query: str = ""
    system_identifier: str = ""
    allowed_cidrs: list[Cidr] = []
    local_cidrs: list[Cidr] = []
    business_tables: list[str] = []
    purchases_table: str = "purchases"
    redemptions_table: str = "redemptions"
    events_table: str = "chain_events"
    wallets_table: str = "wallets"
    purchases_query: str = ""
    redemptions_query: str = ""
    app_role: str = ""
    log_service: str = ""
    index_allowlist: list[str] = []
    memory_bytes: int = 0


class RedisSection(Section):
    """`[redis]`: the cache, Redis or Valkey.

    `url` is that of a user who may also say `ACL LIST`, `CONFIG GET` and `INFO`.  `config_files`: its
    configuration and ACL files on the main server, where they are in no usual place.
    """

    url: SecretRef
    config_files: list[str] = []


class MigrationsSection(Section):
    """`[migrations]`: the schema's history; `dir` is the release's, beside the target file."""

    tool: Literal["alembic", "django", "flyway", "prisma", "golang-migrate", "goose", "sql"] | None = None
    dir: str = ""
    table: str = ""


class BackupRepo(Section):
    """A place where backups are kept.

    location: restic's address of it (`/srv/restic`, `sftp:backup@nas:/srv`, `s3:…`), a folder of dumps, or for
    pgBackRest the number of the repository.  off_host: it is on another machine, where its address does not
    show that.  password_file: on the server, for restic.
    """

    name: str
    location: str = Field(pattern=r"^[\w@%+=:,./-]+$")
    off_host: bool = False
    password_file: str = Field(default="", pattern=r"^(/[\w./-]+)?$")


class BackupSection(Section):
    """`[backup]`: what makes the backups of the database, and where they go.

    data_dir: where the database's files are on the server; a repository on the same device is no second place.
    tag: of the snapshots made before a deployment.  label: of the one made before this release, as recorded.
    interval_h: a backup is made so often.  rpo_h: so much work may be lost, at most; rto_h: so long may it take until
    the service is back.  schedule: timers of systemd that make them, where their names do not tell.
    keep_d: backups are kept for so many days.  scope: part -> a word of the paths, tags or labels of its backups;
    kept_elsewhere: part -> where else it is safe, or why it need not be: of database, uploads, config and keys each.
    metric: the series in Prometheus of when the newest backup succeeded.
    """

    tool: Literal["pgbackrest", "restic", "pgdump"]
    stanza: str = Field(default="", pattern=r"^[\w.-]*$")
    repos: list[BackupRepo] = []
    data_dir: str = Field(default="", pattern=r"^(/[\w./-]+)?$")
    min_offhost: int = 1
    require_encryption: bool = True
    tag: str = "predeploy"
    label: str = ""
    interval_h: float = 24
    rpo_h: float | None = None
    rto_h: float | None = None
    schedule: list[Annotated[str, Field(pattern=r"^[\w@.-]+\.timer$")]] = []
    keep_d: float | None = None
    scope: dict[str, str] = {}
    kept_elsewhere: dict[str, str] = {}
    metric: str = "backup_last_success_timestamp_seconds"
