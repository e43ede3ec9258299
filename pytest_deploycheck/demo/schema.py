"""The database's roles, migrations (files and table as golang-migrate has them) and first accounts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.app.accounts import ACCOUNTS
from pytest_deploycheck.demo.app.passwords import hash_password
from pytest_deploycheck.demo.world import World

if TYPE_CHECKING:
    import psycopg

_ROLE_ATTRIBUTES: Mapping[str, LiteralString] = {
    "token_owner": "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE",
    "token_app": "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE",
    "deploycheck": "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 4",
    "metrics": "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 4",
}
_CLUSTER: tuple[LiteralString, ...] = (
    "ALTER ROLE token_app SET statement_timeout = '10s'",
    "ALTER ROLE deploycheck SET default_transaction_read_only = on",
    "GRANT pg_monitor TO deploycheck, metrics",
)
_DATABASE: tuple[LiteralString, ...] = (
    "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
    "REVOKE ALL ON DATABASE tokens FROM PUBLIC",
    "GRANT CONNECT ON DATABASE tokens TO token_owner, token_app, deploycheck, metrics",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO token_app, deploycheck, metrics",
    "GRANT USAGE, CREATE ON SCHEMA public TO token_owner",
    "GRANT SELECT ON pg_hba_file_rules TO deploycheck",
    "GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO deploycheck",
)


def migrations_dir(world: World) -> Path:
    """Return the deployment's own copy of the migration files."""
    return world.path("migrations")


def prepare(world: World, addresses: Mapping[str, str]) -> None:
    """Bring the database to the release's state; the addresses are the wallets', by username."""
    roles(world)
    folder = migrations_dir(world)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "migrations", folder)
    migrate(world, folder)
    seed(world, addresses)


def roles(world: World) -> None:
    """Make the roles and the database, or put them right again."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres.dsn(world, "postgres", "postgres"), autocommit=True) as cluster:
        existing = {row[0] for row in cluster.execute("SELECT rolname FROM pg_roles")}
        for role, attributes in _ROLE_ATTRIBUTES.items():
            verb: LiteralString = "ALTER" if role in existing else "CREATE"
            # Encrypted here, since the server may log a statement.
            verifier = cluster.pgconn.encrypt_password(
                world.secret(postgres.ROLES[role]).encode(), role.encode(), b"scram-sha-256"
            )
            cluster.execute(
                sql.SQL(verb + " ROLE {} WITH " + attributes + " PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier.decode())
                )
            )
        for statement in _CLUSTER:
            cluster.execute(statement)
        if not cluster.execute("SELECT 1 FROM pg_database WHERE datname = 'tokens'").fetchone():
            cluster.execute("CREATE DATABASE tokens OWNER token_owner")
    with psycopg.connect(postgres.dsn(world, "postgres"), autocommit=True) as database:
        for statement in _DATABASE:
            database.execute(statement)


def migrate(world: World, folder: Path) -> int:
    """Apply the pending migrations of a folder as the owner, each in a transaction; the version reached."""
    import psycopg

    with psycopg.connect(postgres.dsn(world, "token_owner"), autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"
        )
        owner.execute("GRANT SELECT ON schema_migrations TO token_app, deploycheck")
        row = owner.execute("SELECT version FROM schema_migrations").fetchone()
        version = int(row[0]) if row else 0
        for path in sorted(folder.glob("*.up.sql")):
            number = int(path.name.partition("_")[0])
            if number > version:
                _apply(owner, path, number)
                version = number
    return version


def _apply(owner: psycopg.Connection, path: Path, number: int) -> None:
    """Run one file; golang-migrate's table has one row, dirty while a file runs."""
    with owner.transaction():
        owner.execute("DELETE FROM schema_migrations")
        owner.execute("INSERT INTO schema_migrations VALUES (%s, true)", (number,))
    with owner.transaction():
        owner.execute(path.read_bytes())
        owner.execute("UPDATE schema_migrations SET dirty = false")


def follow_chain(world: World, block_hash: str) -> None:
    """Empty the tables that mirror the chain, unless a block of it shows that they mirror this one."""
    import psycopg

    marker = world.path("contract", "mirrored_block")
    if marker.exists() and marker.read_text().strip() == block_hash:
        return
    with psycopg.connect(postgres.dsn(world, "token_owner")) as owner:
        # In the order in which the indexer takes them, so that neither waits for the other.
        owner.execute("LOCK chain_events, indexer_cursor, purchases, redemptions IN ACCESS EXCLUSIVE MODE")
        owner.execute("TRUNCATE purchases, redemptions, chain_events")
        owner.execute("UPDATE indexer_cursor SET block_number = 0, updated_at = now()")
    marker.write_text(block_hash + "\n")


def seed(world: World, addresses: Mapping[str, str]) -> None:
    """Insert the accounts that are missing, each with its wallet; a password hash is made for those only."""
    import psycopg

    with psycopg.connect(postgres.dsn(world, "token_owner")) as owner:
        present = {row[0] for row in owner.execute("SELECT username FROM users")}
        missing = [account for account in ACCOUNTS if account.username not in present]
        if not missing:
            return
        with ThreadPoolExecutor(len(missing)) as pool:
            hashes = pool.map(lambda account: hash_password(world.secret(account.secret)), missing)
            for account, stored in zip(missing, hashes, strict=True):
                owner.execute(
                    "INSERT INTO users (id, username, password_hash, role) VALUES (%s, %s, %s, %s)",
                    (account.id, account.username, stored, account.role),
                )
                owner.execute(
                    "INSERT INTO wallets (id, user_id, address) VALUES (%s, %s, %s)",
                    (account.id, account.id, addresses[account.username]),
                )
        owner.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))")
        owner.execute("SELECT setval(pg_get_serial_sequence('wallets', 'id'), (SELECT max(id) FROM wallets))")
