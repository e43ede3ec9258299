"""PostgreSQL: TLS and SCRAM only, a role for each purpose, migrations as golang-migrate keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from pytest_deploycheck.demo import postgres, schema
from pytest_deploycheck.demo.app.accounts import ACCOUNTS
from pytest_deploycheck.demo.app.passwords import verify_password
from pytest_deploycheck.demo.deployment import Deployment

# Of probes.md's appendix: foreign keys without an index that leads with their columns.
UNINDEXED: LiteralString = """
SELECT conname FROM pg_constraint fk WHERE contype = 'f' AND NOT EXISTS (
  SELECT 1 FROM pg_index i WHERE i.indrelid = fk.conrelid AND i.indisvalid AND i.indpred IS NULL
  AND (i.indkey::int2[])[0:cardinality(fk.conkey) - 1] @> fk.conkey)
"""


def connect(deployment: Deployment, role: str) -> psycopg.Connection:
    """Connect as a role."""
    return psycopg.connect(postgres.dsn(deployment.world, role), autocommit=True)


@pytest.mark.parametrize("statement", ["DELETE FROM wallets", "INSERT INTO users DEFAULT VALUES"])
def test_the_checking_role_cannot_write(backend: Deployment, statement: LiteralString) -> None:
    """Writing is refused twice: by the session's default, and, with that switched off, by missing grants."""
    with connect(backend, "deploycheck") as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute(statement)
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_the_checking_role_sees_what_it_must(backend: Deployment) -> None:
    """It reads statistics, access rules, migrations and business tables, but no password hash."""
    with connect(backend, "deploycheck") as session:
        for table in ("pg_stat_statements", "pg_hba_file_rules", "schema_migrations", "purchases", "wallets"):
            session.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        assert session.execute("SELECT DISTINCT password_scheme FROM users").fetchall() == [("scrypt",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT password_hash FROM users")


def test_the_app_role_can_only_change_rows(backend: Deployment) -> None:
    """It is no superuser, makes no table, and owns nothing."""
    with connect(backend, "token_app") as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE extra (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("DROP TABLE purchases")
        row = session.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,)


def test_only_tls_and_the_right_password(backend: Deployment) -> None:
    """A plain connection and a wrong password are refused, and sessions are encrypted."""
    dsn = postgres.dsn(backend.world, "token_app")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(dsn.replace("sslmode=verify-full", "sslmode=disable"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dsn, password="postgres")
    with connect(backend, "token_app") as session:
        row = session.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert row == (True, "TLSv1.3")


def test_passwords_are_stored_as_scram(backend: Deployment) -> None:
    """Every role that can log in has a SCRAM verifier, and a new password would get one too."""
    with connect(backend, "postgres") as session:
        assert session.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
        rows = session.execute("SELECT rolname, left(rolpassword, 14) FROM pg_authid WHERE rolcanlogin")
        assert dict(rows.fetchall()) == dict.fromkeys(postgres.ROLES, "SCRAM-SHA-256$")


def test_every_foreign_key_has_its_index(backend: Deployment) -> None:
    """There are foreign keys, and none lacks an index; no table lacks a primary key."""
    with connect(backend, "deploycheck") as session:
        assert session.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone() == (4,)
        assert session.execute(UNINDEXED).fetchall() == []
        without_key = session.execute(
            "SELECT relname FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisprimary)"
        )
        assert without_key.fetchall() == []


def test_the_accounts_and_their_wallets_are_there(backend: Deployment) -> None:
    """Each account has its password, its role and a wallet of its own number."""
    with connect(backend, "token_owner") as session:
        rows = session.execute(
            "SELECT username, password_hash, role, w.id FROM users u JOIN wallets w ON w.user_id = u.id"
        ).fetchall()
    assert {(name, role, wallet) for name, _, role, wallet in rows} == {
        (one.username, one.role, one.id) for one in ACCOUNTS
    }
    stored = {name: password for name, password, _, _ in rows}
    assert verify_password(backend.world.secret("test_account_password"), stored["test"])
    assert not verify_password(backend.world.secret("test_account_password"), stored["test_b"])


def test_migrations_are_applied_once_and_in_order(backend: Deployment, tmp_path: Path) -> None:
    """The table holds the newest file's number; a further file is applied, a second run changes nothing."""
    folder = schema.migrations_dir(backend.world)
    newest = max(int(file.name[:4]) for file in folder.glob("*.up.sql"))
    with connect(backend, "token_owner") as session:
        versions = session.execute("SELECT version, dirty FROM schema_migrations")
        assert versions.fetchall() == [(newest, False)]
        extra = tmp_path / f"{newest + 1:04d}_extra.up.sql"
        extra.write_text("CREATE TABLE extra (id bigint PRIMARY KEY); INSERT INTO extra VALUES (1);")
        try:
            assert schema.migrate(backend.world, tmp_path) == newest + 1
            assert schema.migrate(backend.world, tmp_path) == newest + 1
            assert session.execute("SELECT count(*) FROM extra").fetchone() == (1,)
        finally:
            session.execute("DROP TABLE IF EXISTS extra")
            session.execute("UPDATE schema_migrations SET version = %s", (newest,))


def test_a_failing_migration_leaves_its_mark(backend: Deployment, tmp_path: Path) -> None:
    """A file that fails leaves nothing of itself but a dirty version, as golang-migrate does."""
    newest = max(int(file.name[:4]) for file in schema.migrations_dir(backend.world).glob("*.up.sql"))
    (tmp_path / f"{newest + 1:04d}_bad.up.sql").write_text(
        "CREATE TABLE half (id int); SELECT no_such_column;"
    )
    with connect(backend, "token_owner") as session:
        try:
            with pytest.raises(psycopg.errors.UndefinedColumn):
                schema.migrate(backend.world, tmp_path)
            assert session.execute("SELECT version, dirty FROM schema_migrations").fetchall() == [
                (newest + 1, True)
            ]
            assert session.execute("SELECT to_regclass('half')").fetchone() == (None,)
        finally:
            session.execute("UPDATE schema_migrations SET version = %s, dirty = false", (newest,))


def test_a_new_chain_empties_its_mirror(backend: Deployment) -> None:
    """Rows of a chain that is gone are dropped; the same chain seen again leaves them alone."""
    marker = backend.world.path("contract", "mirrored_block")

    def events() -> int:
        row = session.execute("SELECT count(*) FROM chain_events").fetchone()
        assert row is not None
        return int(row[0])

    with connect(backend, "token_owner") as session:
        schema.follow_chain(backend.world, "0x01")
        session.execute("INSERT INTO chain_events VALUES ('0xaa', 0, 'purchase', '0xbb', 1, 1, 1)")
        schema.follow_chain(backend.world, "0x01")
        assert events() == 1
        schema.follow_chain(backend.world, "0x02")
        assert events() == 0
    marker.unlink()


def test_a_reload_puts_an_edit_into_force(backend: Deployment) -> None:
    """A changed setting is effective after reload, without a restart."""
    config = backend.world.path("postgres", "postgresql.conf")
    before = config.read_text()
    with connect(backend, "deploycheck") as session:
        started = session.execute("SELECT pg_postmaster_start_time()").fetchone()
        try:
            config.write_text(before + "log_min_duration_statement = '123ms'\n")
            backend.reload("postgres")
            for _ in range(100):
                setting = session.execute("SHOW log_min_duration_statement").fetchone()
                if setting == ("123ms",):
                    break
                session.execute("SELECT pg_sleep(0.05)")
            assert setting == ("123ms",)
            assert session.execute("SELECT pg_postmaster_start_time()").fetchone() == started
        finally:
            config.write_text(before)
            backend.reload("postgres")
