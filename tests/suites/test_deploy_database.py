"""The checks of items 29 and 30 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.db_schema import DbSchemaFacts, ForeignKey, Table, _serves
from pytest_deploycheck.probes.db_server import AppRole, DbServerFacts, Session
from pytest_deploycheck.probes.health import HealthFacts, HealthSample
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("deploy/test_database.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, tzinfo=UTC)

APP = AppRole("app", False, False, False, False, False, -1, False, 0, ())
SERVER = DbServerFacts(
    database="shop",
    role="reader",
    version="16.4",
    major=16,
    in_recovery=False,
    identifier="7411111111111111111",
    expected="7411111111111111111",
    client_address="10.20.0.9",
    tls=True,
    pings_s=(0.001, 0.001, 0.002, 0.001, 0.001),
    app_role="app",
    app=APP,
    sessions=(Session("app", "shop", "10.20.0.4", True, False, 8),),
    connections=9,
    connections_max=97,
    settings=(("password_encryption", "scram-sha-256"), ("port", "5432"), ("ssl", "on")),
    pending_restart=(),
    loaded_at=1000.0,
    hba=(),
    hba_why="",
    hba_changed_at=999.0,
    hba_changed_why="",
    password_kinds=(("app", "scram"), ("reader", "none")),
    password_kinds_why="",
    allowed_cidrs=("10.20.0.0/24",),
    local_cidrs=(),
)
SAMPLE = HealthSample(200, True, True, "ok", (("database", True),), (), None, False, True, (), 0.01)
HEALTH = HealthFacts("/health", ("db",), "1", "", (SAMPLE,), ())
TABLE = Table("public.orders", 50_000, 60_000, False, True, True, False)
SCHEMA = DbSchemaFacts(
    database="shop",
    tables=(),
    n_tables=12,
    unindexed=(),
    n_foreign_keys=9,
    broken=(),
    duplicates=(),
    unvalidated=(),
    sequences=(("public.orders_id_seq", 0.1),),
    allowlist=(),
    role="reader",
    may_read_settings=True,
    preloaded=True,
    counts_statements=True,
    autovacuum=True,
    checksums=True,
    slow_statements_logged=True,
    shared_buffers_bytes=2**30,
    work_mem_bytes=4 * 2**20,
    max_connections=100,
    memory_bytes=4 * 2**30,
    memory_from="the main server",
    xid_age=150_000_000,  # on its way to the next vacuum, as in any busy database
    xid_freeze_max_age=200_000_000,
    multixact_age=1000,
    multixact_freeze_max_age=400_000_000,
)
KEY = ForeignKey("public.orders", "orders_customer_fkey", ("customer_id",))


def connect(facts: DbServerFacts = SERVER, health: HealthFacts = HEALTH) -> None:
    """Run the checks of item 29."""
    CHECKS["test_connection"](facts, LIMITS, NOW)
    CHECKS["test_connection_identity"](facts)
    CHECKS["test_connection_of_the_app"](facts, health)


def tune(facts: DbSchemaFacts) -> None:
    """Run the checks of item 30."""
    for name in ("test_tuning_of_the_schema", "test_tuning_of_the_server", "test_tuning_of_the_memory"):
        CHECKS[name](facts, LIMITS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"client_address": "", "tls": False},  # over the server's own socket
        {"client_address": "127.0.0.1", "tls": False},  # through a tunnel
        {"major": 19, "version": "19beta1"},  # nobody knows yet until when
        {"app": replace(APP, connection_limit=20)},
    ],
)
def test_sound_connections_pass(changes: dict[str, Any]) -> None:
    """Tunnels, sockets and new versions are no faults."""
    connect(replace(SERVER, **changes))


def test_a_health_path_without_components_leaves_the_sessions_to_speak() -> None:
    """What the health path does not report is not held against the database."""
    connect(health=replace(HEALTH, samples=(replace(SAMPLE, components=()),)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_recovery": True}, "is a replica"),
        ({"major": 14, "version": "14.20"}, "maintained no longer (since 2026-11-12)"),
        ({"major": 9}, "maintained no longer"),
        ({"pings_s": (0.001, 0.001, 0.001, 0.001, 0.2)}, "takes 0.200 s"),
        ({"pings_s": ()}, "no query was ever timed"),
        ({"tls": False}, "the connection from 10.20.0.9 is not encrypted"),
        ({"connections": 78}, "78 of 97 connections are taken"),
        ({"app": replace(APP, connection_limit=9)}, "has 8 of the 9 connections"),
        ({"identifier": "7422222222222222222"}, "another environment?"),
        ({"database": "postgres"}, "no session of role app in database postgres"),
        ({"sessions": (Session("reader", "shop", "", False, False, 1),)}, "connected are: reader in shop"),
        ({"app_role": "", "app": None}, "name it in db.app_role"),
    ],
)
def test_unsound_connections_fail(changes: dict[str, Any], words: str) -> None:
    """Each is named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        connect(replace(SERVER, **changes))


def test_an_application_that_says_it_has_no_database_fails() -> None:
    """Sessions that hang are no connection."""
    sick = replace(HEALTH, samples=(replace(SAMPLE, components=(("db", False),)),))
    with pytest.raises(AssertionError, match="says that the database is not well"):
        connect(health=sick)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"sessions": None, "connections": None}, Reason.NO_ACCESS, "GRANT pg_monitor TO reader;"),
        ({"identifier": None}, Reason.NO_ACCESS, "pg_control_system"),
        ({"expected": ""}, Reason.NO_CONFIG, 'db.system_identifier = "7411111111111111111"'),
    ],
)
def test_what_is_unseen_of_a_connection_is_unproven(
    changes: dict[str, Any], reason: Reason, words: str
) -> None:
    """The message holds the next step."""
    with pytest.raises(Unproven, match=re.escape(words)) as why:
        connect(replace(SERVER, **changes))
    assert why.value.reason is reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unindexed": (KEY,), "tables": (replace(TABLE, rows=500, inserted=600),)},  # small, and stays so
        {"unindexed": (KEY,), "tables": (TABLE,), "allowlist": ("public.orders",)},
        {"unindexed": (KEY,), "tables": (TABLE,), "allowlist": ("orders_customer_fkey",)},
        {"duplicates": (("public.a", "public.b"),), "allowlist": ("public.b",)},
        {"tables": (replace(TABLE, rows=40, inserted=40, has_key=False, analyzed=False),)},
        {"tables": (replace(TABLE, rows=40, inserted=40, business=True, analyzed=False),)},
    ],
)
def test_sound_databases_pass(changes: dict[str, Any]) -> None:
    """Small tables and what the target file accepts are not accused."""
    tune(replace(SCHEMA, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unindexed": (KEY,), "tables": (TABLE,)}, "orders_customer_fkey on public.orders (customer_id)"),
        ({"unindexed": (KEY,), "tables": (replace(TABLE, rows=9),)}, "no index serves"),  # it grows
        (
            {"unindexed": (KEY,), "tables": (replace(TABLE, rows=0, inserted=0, business=True),)},
            "no index serves",
        ),
        ({"tables": (replace(TABLE, has_key=False),)}, "has no primary key"),
        ({"tables": (replace(TABLE, analyzed=False),)}, "no statistics of table public.orders"),
        ({"tables": (replace(TABLE, autovacuum_off=True),)}, "autovacuum is turned off for table"),
        ({"broken": (("public.x", "public.orders"),)}, "index public.x is not valid"),
        ({"duplicates": (("public.a", "public.b"),)}, "are alike: public.a, public.b"),
        ({"unvalidated": (("public.orders", "positive"),)}, "VALIDATE CONSTRAINT positive"),
        ({"sequences": (("public.s", 0.8),)}, "sequence public.s has used 80%"),
        ({"preloaded": False}, "shared_preload_libraries"),
        ({"counts_statements": False}, "CREATE EXTENSION pg_stat_statements;"),
        ({"autovacuum": False}, "autovacuum or track_counts is off"),
        ({"checksums": False}, "data_checksums is off"),
        ({"slow_statements_logged": False}, "no slow statement is logged"),
        ({"xid_age": 250_000_000}, "vacuum does not keep up"),
        ({"multixact_age": 500_000_000}, "multixacts are 500000000 old"),
        ({"shared_buffers_bytes": 128 * 2**20}, "too little is cached"),
        ({"shared_buffers_bytes": 3 * 2**30}, "shared_buffers takes 75.0%"),
        ({"work_mem_bytes": 64 * 2**20}, "work_mem times max_connections"),
    ],
)
def test_neglected_databases_fail(changes: dict[str, Any], words: str) -> None:
    """Each fault is named with the thing and the next step."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        tune(replace(SCHEMA, **changes))


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"n_tables": 0}, Reason.NO_EVIDENCE, "has no table"),
        ({"may_read_settings": False}, Reason.NO_ACCESS, "GRANT pg_monitor TO reader;"),
        (
            {"memory_bytes": None, "memory_from": "no [host] in x.toml; add uri"},
            Reason.NO_CONFIG,
            "db.memory_bytes",
        ),
    ],
)
def test_what_is_unseen_of_a_database_is_unproven(
    changes: dict[str, Any], reason: Reason, words: str
) -> None:
    """An empty database, hidden settings and an unknown machine prove nothing."""
    with pytest.raises(Unproven, match=re.escape(words)) as why:
        tune(replace(SCHEMA, **changes))
    assert why.value.reason is reason


@pytest.mark.parametrize(
    ("predicate", "serves"),
    [
        ("", True),
        ("(customer_id IS NOT NULL)", True),
        ("((customer_id IS NOT NULL) AND (shop_id IS NOT NULL))", True),
        ("(deleted_at IS NULL)", False),
        ("((customer_id IS NOT NULL) AND (state = 'open'::text))", False),
        ("(customer_id > 9)", False),
    ],
)
def test_which_partial_indexes_serve_a_foreign_key(predicate: str, serves: bool) -> None:
    """A look-up by value implies that the value is there, and nothing else."""
    assert _serves(predicate, ("customer_id", "shop_id")) is serves
