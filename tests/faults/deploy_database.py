"""Faults of Database Setup: connection and tuning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from pytest_deploycheck.demo import accounts, postgres
from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.database_tools import configured, said, sessions, undone
from tests.faults.functional import down, execute, until_well
from tests.faults.harness import fault
from tests.faults.tools import stopped

CONNECTION = "deploy.database.connection"
TUNING = "deploy.database.tuning"
ACCESS = "pre_deploy.security.db_access"
SERVER = ("db_server",)
SCHEMA = ("db_schema",)


@fault(CONNECTION, "PostgreSQL is stopped", probes=SERVER)
@contextmanager
def database_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the server."""
    with down(demo, "postgres"):
        yield


@fault(
    CONNECTION,
    "the DSN leads to another database of the server",
    probes=SERVER,
    limits={"db_session_wait_s": 0.5},
)
@contextmanager
def wrong_database(demo: Deployment) -> Iterator[None]:
    """Look at a database that nobody uses, of a server that is the right one."""
    file = demo.world.path("secrets", "db_dsn")
    dsn = file.read_text()
    rule = "hostssl   tokens    deploycheck"
    with (
        undone(demo, "CREATE DATABASE tokens_old", "DROP DATABASE tokens_old WITH (FORCE)", "postgres"),
        configured(demo, "pg_hba.conf", (rule, "hostssl   all       deploycheck")),
    ):
        file.write_text(dsn.replace("/tokens?", "/tokens_old?"))
        try:
            yield
        finally:
            file.write_text(dsn)


@fault(CONNECTION, "another cluster answers under the same name", probes=SERVER)
@contextmanager
def twin(demo: Deployment) -> Iterator[None]:
    """Expect another cluster than the one that answers, as where staging took production's name."""
    found = postgres.system_identifier(demo.world)
    with said(demo, (found, "7000000000000000001")):
        yield


@fault(CONNECTION, "the server is a replica", probes=SERVER)
@contextmanager
def replica(demo: Deployment) -> Iterator[None]:
    """Start the server as a standby, which answers reads and takes no writes."""
    signal = demo.world.path("postgres", "data", "standby.signal")
    signal.touch()
    accounts.give(accounts.unprivileged(), [signal])
    try:
        demo.restart("postgres")
        yield
    finally:
        signal.unlink()
        demo.restart("postgres")
        until_well(demo)


@fault(CONNECTION, "the application has no session", probes=SERVER, limits={"db_session_wait_s": 0.5})
@contextmanager
def application_away(demo: Deployment) -> Iterator[None]:
    """Stop the application, while the runner still reaches the database."""
    with stopped(demo, "app1"), stopped(demo, "app2"):
        yield
    until_well(demo)


@fault(CONNECTION, "nearly all connections are taken", probes=SERVER)
@contextmanager
def crowded(demo: Deployment) -> Iterator[None]:
    """Hold as many sessions as a leaking pool does."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    taken = int(execute(demo, count, role="postgres")[0][0])
    with sessions(demo, 50 - taken, "token_owner"):
        yield


@fault(CONNECTION, "the application's role may hardly connect any more", probes=SERVER)
@contextmanager
def crowded_role(demo: Deployment) -> Iterator[None]:
    """Leave the role as many connections as it has."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'token_app'"
    taken = int(execute(demo, count, role="postgres")[0][0])
    limited = f"ALTER ROLE token_app CONNECTION LIMIT {taken}"
    with undone(demo, limited, "ALTER ROLE token_app CONNECTION LIMIT -1", "postgres"):
        yield


@fault(TUNING, "a foreign key has no index", probes=SCHEMA)
@contextmanager
def no_index(demo: Deployment) -> Iterator[None]:
    """Drop an index that a migration forgot to make again."""
    again = "CREATE INDEX purchases_user_id ON purchases (user_id)"
    with undone(demo, "DROP INDEX purchases_user_id", again):
        yield


@fault(TUNING, "the index on a foreign key begins with another column", probes=SCHEMA)
@contextmanager
def wrong_order(demo: Deployment) -> Iterator[None]:
    """Make an index on the column, but not by the column."""
    broken = "DROP INDEX purchases_user_id; CREATE INDEX purchases_two ON purchases (created_at, user_id)"
    mended = "DROP INDEX purchases_two; CREATE INDEX purchases_user_id ON purchases (user_id)"
    with undone(demo, broken, mended):
        yield


@fault(TUNING, "the index on a foreign key leaves most rows out", probes=SCHEMA)
@contextmanager
def partial(demo: Deployment) -> Iterator[None]:
    """Make the index a partial one."""
    broken = (
        "DROP INDEX purchases_user_id; CREATE INDEX purchases_some ON purchases (user_id) WHERE tokens > 9"
    )
    mended = "DROP INDEX purchases_some; CREATE INDEX purchases_user_id ON purchases (user_id)"
    with undone(demo, broken, mended):
        yield


@fault(TUNING, "an index is not valid", probes=SCHEMA)
@contextmanager
def invalid_index(demo: Deployment) -> Iterator[None]:
    """Let a concurrent build fail, which leaves its index behind."""
    with suppress(psycopg.errors.UniqueViolation):
        execute(demo, "CREATE UNIQUE INDEX CONCURRENTLY users_one_role ON users (role)")
    try:
        yield
    finally:
        execute(demo, "DROP INDEX users_one_role")


@fault(TUNING, "two indexes are alike", probes=SCHEMA)
@contextmanager
def duplicate(demo: Deployment) -> Iterator[None]:
    """Index the same column twice, as two developers did."""
    with undone(demo, "CREATE INDEX by_user ON purchases (user_id)", "DROP INDEX by_user"):
        yield


@fault(TUNING, "a big table has no key", probes=SCHEMA)
@contextmanager
def no_key(demo: Deployment) -> Iterator[None]:
    """Add a log of what happened, whose rows nothing tells apart."""
    made = "CREATE TABLE audit AS SELECT n % 7 AS kind FROM generate_series(1, 12000) n; ANALYZE audit"
    with undone(demo, made, "DROP TABLE audit"):
        yield


@fault(TUNING, "a constraint was never checked on old rows", probes=SCHEMA)
@contextmanager
def unvalidated(demo: Deployment) -> Iterator[None]:
    """Add a constraint and forget its second half."""
    added = "ALTER TABLE purchases ADD CONSTRAINT sane CHECK (tokens < 1e60) NOT VALID"
    with undone(demo, added, "ALTER TABLE purchases DROP CONSTRAINT sane"):
        yield


@fault(TUNING, "a sequence runs out", probes=SCHEMA)
@contextmanager
def sequence(demo: Deployment) -> Iterator[None]:
    """Give the tickets a sequence of small integers."""
    made = "CREATE SEQUENCE tickets AS smallint; SELECT setval('tickets', 30000); GRANT SELECT ON tickets TO deploycheck"
    with undone(demo, made, "DROP SEQUENCE tickets"):
        yield


@fault(TUNING, "a table is not vacuumed", probes=SCHEMA)
@contextmanager
def not_vacuumed(demo: Deployment) -> Iterator[None]:
    """Turn autovacuum off for one table."""
    off = "ALTER TABLE wallets SET (autovacuum_enabled = false)"
    with undone(demo, off, "ALTER TABLE wallets RESET (autovacuum_enabled)"):
        yield


@fault(TUNING, "nobody counts statements", probes=SCHEMA)
@contextmanager
def uncounted(demo: Deployment) -> Iterator[None]:
    """Drop the extension."""
    drop, make = "DROP EXTENSION pg_stat_statements", "CREATE EXTENSION pg_stat_statements"
    with undone(demo, drop, make, "postgres"):
        yield


@fault(TUNING, "slow statements are not logged", probes=SCHEMA)
@contextmanager
def silent(demo: Deployment) -> Iterator[None]:
    """Log no statement for its duration."""
    with configured(
        demo,
        "postgresql.conf",
        ("log_min_duration_statement = '250ms'", "log_min_duration_statement = -1"),
    ):
        yield


@fault(TUNING, "autovacuum is off", probes=SCHEMA)
@contextmanager
def no_vacuum(demo: Deployment) -> Iterator[None]:
    """Turn autovacuum off, as somebody did for a nightly load."""
    with configured(demo, "postgresql.conf", ("autovacuum_naptime = '5s'", "autovacuum = off")):
        yield


@fault(TUNING, "sorting may take more than the memory", probes=SCHEMA)
@contextmanager
def greedy(demo: Deployment) -> Iterator[None]:
    """Give every session as much memory as one report wanted."""
    with configured(
        demo, "postgresql.conf", ("work_mem = '4MB'\nmaintenance", "work_mem = '64MB'\nmaintenance")
    ):
        yield


@fault(TUNING, "the cache is as small as by default", probes=SCHEMA)
@contextmanager
def small_cache(demo: Deployment) -> Iterator[None]:
    """Run the default of 128 MB on a server of eight gibibytes."""
    with said(demo, (f"memory_bytes = {postgres.MEMORY_BYTES}", f"memory_bytes = {8 * 2**30}")):
        yield
