"""Deployment Process, Database Setup: items 29 and 30 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules.postgres_versions import end_of_life
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.db_schema import DbSchemaFacts
    from pytest_deploycheck.probes.db_server import DbServerFacts
    from pytest_deploycheck.probes.health import HealthFacts

CONNECTION = "Database connection verified"
TUNING = "Database performance optimized (indexes, etc.)"


@pytest.mark.smoke
@pytest.mark.checklist("deploy.database.connection", text=CONNECTION)
def test_connection(db_server_facts: DbServerFacts, limits: Limits, now: datetime) -> None:
    """The server is a primary of a maintained version, answers quickly, in secret, and has room left."""
    facts = db_server_facts
    assert not facts.in_recovery, f"the server of database {facts.database} is a replica: it takes no writes"
    ends = end_of_life(facts.major)
    assert ends is None or now.date() <= ends, (
        f"PostgreSQL {facts.version} is maintained no longer (since {ends}); upgrade to a newer major version"
    )
    assert facts.pings_s, "no query was ever timed; limits.db_pings is 0"
    assert facts.ping_p95_s <= limits.db_ping_p95_s, (
        f"the smallest query takes {facts.ping_p95_s:.3f} s from here"
    )
    assert facts.tls or not facts.client_address or _loopback(facts.client_address), (
        f"the connection from {facts.client_address} is not encrypted; add sslmode=verify-full to db.dsn"
    )
    if facts.connections is None:
        unproven(Reason.NO_ACCESS, _monitor(facts))
    assert facts.connections <= limits.db_connections_max * facts.connections_max, (
        f"{facts.connections} of {facts.connections_max} connections are taken"
    )
    if facts.app is not None and facts.app.connection_limit >= 0:
        used = sum(one.n for one in facts.of_app())
        assert used <= limits.db_connections_max * facts.app.connection_limit, (
            f"role {facts.app_role} has {used} of the {facts.app.connection_limit} connections that it may have"
        )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.database.connection", text=CONNECTION)
def test_connection_identity(db_server_facts: DbServerFacts) -> None:
    """It is the very cluster that it should be, and not its twin of another environment."""
    facts = db_server_facts
    if facts.identifier is None:
        grant = f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {facts.role};"
        unproven(Reason.NO_ACCESS, f"role {facts.role} may not see which cluster this is; run: {grant}")
    if not facts.expected:
        unproven(
            Reason.NO_CONFIG,
            "nothing says which cluster is the right one; make sure that this one is, and add "
            f'db.system_identifier = "{facts.identifier}" to the target file',
        )
    assert facts.identifier == facts.expected, (
        f"this is cluster {facts.identifier}, db.system_identifier says {facts.expected}: another environment?"
    )


@pytest.mark.smoke
@pytest.mark.checklist("deploy.database.connection", text=CONNECTION)
def test_connection_of_the_app(db_server_facts: DbServerFacts, health_facts: HealthFacts) -> None:
    """The application itself is connected to this very database, and says that it is well."""
    facts = db_server_facts
    if facts.sessions is None:
        unproven(Reason.NO_ACCESS, _monitor(facts))
    others = sorted({f"{one.role} in {one.database}" for one in facts.sessions})
    who = f"role {facts.app_role}" if facts.app_role else "any role that may write (name it in db.app_role)"
    assert facts.of_app(facts.database), (
        f"no session of {who} in database {facts.database}; connected are: {', '.join(others[:8])}"
    )
    for sample in health_facts.samples:
        assert sample.component("db") is not False, f"{health_facts.path} says that the database is not well"


@pytest.mark.checklist("deploy.database.tuning", text=TUNING)
def test_tuning_of_the_schema(db_schema_facts: DbSchemaFacts, limits: Limits) -> None:
    """Every foreign key of a table that matters has an index, and every such table a key and statistics."""
    facts, rows = db_schema_facts, limits.db_schema_min_rows
    if not facts.n_tables:
        unproven(
            Reason.NO_EVIDENCE, f"database {facts.database} has no table: another database, or no migrations?"
        )
    missing = [
        f"{key.name} on {key.table} ({', '.join(key.columns)})"
        for key in facts.unindexed
        if facts.table(key.table).matters(rows) and not facts.accepted(key.name, key.table)
    ]
    assert not missing, f"no index serves the foreign key {'; '.join(missing[:8])}"
    for table in facts.tables:
        if facts.accepted(table.name) or not table.matters(rows):
            continue
        assert table.has_key, f"table {table.name} with {table.rows} rows has no primary key"
        assert not table.autovacuum_off, f"autovacuum is turned off for table {table.name}"
        assert table.analyzed or table.rows < rows, (
            f"the planner has no statistics of table {table.name} with {table.rows} rows; ANALYZE it"
        )
    for index, on in facts.broken:
        assert facts.accepted(index, on), (
            f"index {index} is not valid: its build failed; DROP INDEX it, and build it again"
        )
    for names in facts.duplicates:
        assert facts.accepted(*names), f"these indexes are alike: {', '.join(names)}; one is enough"
    for on, name in facts.unvalidated:
        assert facts.accepted(name, on), (
            f"constraint {name} was never checked on old rows; ALTER TABLE {on} VALIDATE CONSTRAINT {name}"
        )
    for name, used in facts.sequences:
        assert used <= limits.db_schema_sequence_max or facts.accepted(name), (
            f"sequence {name} has used {used:.0%} of its values"
        )


@pytest.mark.checklist("deploy.database.tuning", text=TUNING)
def test_tuning_of_the_server(db_schema_facts: DbSchemaFacts, limits: Limits) -> None:
    """Statements are counted and slow ones logged, vacuum keeps up, and pages carry checksums."""
    facts = db_schema_facts
    if not facts.may_read_settings:
        grant = f"GRANT pg_monitor TO {facts.role};"
        unproven(Reason.NO_ACCESS, f"role {facts.role} does not see all settings; run: {grant}")
    assert facts.preloaded, "shared_preload_libraries has no pg_stat_statements: nobody counts statements"
    assert facts.counts_statements, (
        f"nobody counts statements in {facts.database}; run: CREATE EXTENSION pg_stat_statements;"
    )
    assert facts.autovacuum, "autovacuum or track_counts is off"
    assert facts.checksums, "data_checksums is off: a rotten page is not noticed"
    assert facts.slow_statements_logged, (
        "no slow statement is logged; set log_min_duration_statement, such as '250ms'"
    )
    assert facts.xid_age <= limits.db_xid_age_max * facts.xid_freeze_max_age, (
        f"transactions are {facts.xid_age} old, autovacuum_freeze_max_age is {facts.xid_freeze_max_age}: "
        "vacuum does not keep up, and in the end the server takes no writes"
    )
    assert facts.multixact_age <= limits.db_xid_age_max * facts.multixact_freeze_max_age, (
        f"multixacts are {facts.multixact_age} old, the limit is {facts.multixact_freeze_max_age}"
    )


@pytest.mark.checklist("deploy.database.tuning", text=TUNING)
def test_tuning_of_the_memory(db_schema_facts: DbSchemaFacts, limits: Limits) -> None:
    """The cache has its share of the memory, and all sessions together cannot sort it away."""
    facts = db_schema_facts
    if facts.memory_bytes is None:
        unproven(
            Reason.NO_CONFIG,
            f"how much memory the server has is unknown ({facts.memory_from}); add db.memory_bytes",
        )
    share = facts.shared_buffers_bytes / facts.memory_bytes
    of = f"of the {facts.memory_bytes / 2**30:.2g} GiB of {facts.memory_from}"
    assert share >= limits.db_shared_buffers_min, f"shared_buffers has {share:.1%} {of}: too little is cached"
    assert share <= limits.db_shared_buffers_max, f"shared_buffers takes {share:.1%} {of}"
    sorting = facts.work_mem_bytes * facts.max_connections / facts.memory_bytes
    assert sorting <= limits.db_work_mem_max, (
        f"work_mem times max_connections is {sorting:.0%} {of}: lower one of the two"
    )


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _monitor(facts: DbServerFacts) -> str:
    return f"role {facts.role} sees no other sessions; run: GRANT pg_monitor TO {facts.role};"
