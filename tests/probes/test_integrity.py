"""Corruption seen by PostgreSQL itself: a cluster of our own, of which a page is broken by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_deploycheck.demo import accounts, certs, postgres
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.probes.integrity import IntegrityFacts
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECKS = suite("rollback/test_triggers.py")
TARGET = """
[target]
name = "scratch"
environment = "staging"
base_url = "http://127.0.0.1:1"
[contract]
enabled = false
[db]
dsn = { file = "dsn" }
[triggers]
invariants = [{ name = "rows", sql = "SELECT count(*) FROM postgres.public.things WHERE id < 0" }]
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[World, Any]]:
    """Return a running server of its own with one table, whose files may be broken while it is stopped."""
    if postgres.available() is not None:
        pytest.skip(str(postgres.available()))
    world = World(tmp_path / "scratch")
    certs.ensure(world)
    server = postgres.daemon(world)
    server.start()
    server.wait_ready()
    try:
        with psycopg.connect(postgres.dsn(world, "postgres", "postgres"), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE things AS SELECT n AS id, repeat('x', 100) AS t FROM generate_series(1, 500) n"
            )
            connection.execute("CHECKPOINT")
        yield world, server
    finally:
        server.stop()
        world.release_ports()


def look(world: World, folder: Path) -> IntegrityFacts:
    """Look at the scratch cluster through the gatherer."""
    (folder / "dsn").write_text(postgres.dsn(world, "postgres", "postgres"))
    seen = gather(folder, TARGET, "integrity")["integrity"]
    assert isinstance(seen.facts, IntegrityFacts), seen
    return seen.facts


def file_of(world: World, table: str) -> Path:
    """Return the file of a table."""
    with psycopg.connect(postgres.dsn(world, "postgres", "postgres")) as connection:
        row = connection.execute("SELECT pg_relation_filepath(%s::regclass)", (table,)).fetchone()
    assert row is not None
    return world.path("postgres", "data") / str(row[0])


def test_a_broken_page_trips_and_checksums_that_are_off_are_no_zero(
    cluster: tuple[World, Any], tmp_path: Path
) -> None:
    """Whole, broken, and with checksums off: quiet, tripped, not armed; without a contract no supply is missed."""
    world, server = cluster
    whole = look(world, tmp_path)
    for name in ("test_checksums", "test_invariants", "test_supply"):
        CHECKS[name](integrity_facts=whole)

    page = file_of(world, "things")
    server.stop()
    before = page.read_bytes()
    page.write_bytes(before[:4000] + bytes([before[4000] ^ 0xFF]) + before[4001:])
    server.start()
    server.wait_ready()
    with (
        psycopg.connect(postgres.dsn(world, "postgres", "postgres")) as connection,
        pytest.raises(psycopg.errors.DataCorrupted, match="invalid page in block"),
    ):
        connection.execute("SELECT sum(length(t)) FROM things")
    broken = look(world, tmp_path)
    assert dict(broken.failures)["postgres"]
    with pytest.raises(AssertionError, match="did not match their checksum"):
        CHECKS["test_checksums"](integrity_facts=broken)

    server.stop()
    page.write_bytes(before)
    folder, user = postgres.bin_dir(), accounts.unprivileged()
    assert folder is not None
    data = world.path("postgres", "data")
    prefix = accounts.command_prefix(user, data.parent, folder)
    subprocess.run(
        [*prefix, folder / "pg_checksums", "--disable", "--no-sync", f"--pgdata={data}"],
        check=True,
        capture_output=True,
        cwd=data.parent,
    )
    server.start()
    server.wait_ready()
    off = look(world, tmp_path)
    assert not off.checksums
    assert dict(off.failures)["postgres"] is None, "PostgreSQL counts nothing, which must not read as none"
    with pytest.raises(AssertionError, match="data_checksums is off"):
        CHECKS["test_checksums"](integrity_facts=off)
