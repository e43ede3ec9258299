"""Deployment Process, Database Setup: items 29 and 30 of the default checklist."""

from __future__ import annotations

from datetime import datetime

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.db_server import DbServerFacts
from pytest_deploycheck.probes.health import HealthFacts
from pytest_deploycheck.rules.postgres_versions import end_of_life
from pytest_deploycheck.verdict import Reason

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


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _monitor(facts: DbServerFacts) -> str:
    return f"role {facts.role} sees no other sessions; run: GRANT pg_monitor TO {facts.role};"
