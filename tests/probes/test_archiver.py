"""What a real PostgreSQL says of its archiver: at work, failing, mended, and off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes import registry
from pytest_deploycheck.probes.archiver import ArchiverFacts
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from suites.operations.test_backup import archived
from tests.probes.debian import Postgres, postgres15, target_file

READER = "Qn5tY8wE-r3UiO7pAs2DfG6hJk9LzXcV"
WAIT_S = 60.0
LIMITS = Limits()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a cluster that archives its WAL to nowhere."""
    folder = tmp_path_factory.mktemp("archiver")
    with postgres15(folder, archive_mode="on", archive_timeout="300") as found:
        found.run(f"CREATE ROLE reader LOGIN PASSWORD '{READER}'", "CREATE TABLE work (id int)")
        found.rules("hostssl shop reader 127.0.0.1/32 scram-sha-256")
        yield found


def archive_with(server: Postgres, command: str) -> None:
    """Let WAL be archived by a command, and finish a segment."""
    server.run(f"ALTER SYSTEM SET archive_command = '{command}'", "SELECT pg_reload_conf()")
    server.run("INSERT INTO work VALUES (1)", "SELECT pg_switch_wal()")


def look(folder: Path, server: Postgres, fine: Callable[[ArchiverFacts], bool]) -> ArchiverFacts:
    """Look at the archiver, as a role that may only connect, until it is as expected."""
    path = target_file(folder, '[db]\ndsn = { file = "dsn" }\n', {"dsn": server.dsn("reader", READER)}, [])
    until = time.monotonic() + WAIT_S
    while True:
        facts: ArchiverFacts = Run(load(path)).gather(["archiver"], registry())["archiver"].facts
        if fine(facts) or time.monotonic() > until:
            return facts
        # The archiver sleeps for a minute after three failures, unless there is more to do.
        server.run("INSERT INTO work VALUES (1)", "SELECT pg_switch_wal()")
        time.sleep(0.2)


def test_at_work_failing_and_mended(server: Postgres, tmp_path: Path) -> None:
    """A command that fails shows at once, and so does that it works again."""
    archive_with(server, "true")
    facts = look(tmp_path, server, lambda one: one.archived_ago_s is not None and not one.failing)
    assert facts.on and facts.timeout_s == 300 and not facts.standby
    assert facts.behind_bytes is not None and facts.behind_bytes < 3 * 16 * 2**20
    archived(facts, LIMITS)

    archive_with(server, "false")
    facts = look(tmp_path, server, lambda one: one.failing)
    assert len(facts.failed_wal) == 24
    with pytest.raises(AssertionError, match="archiving WAL fails"):
        archived(facts, LIMITS)

    archive_with(server, "true")
    facts = look(tmp_path, server, lambda one: not one.failing)
    archived(facts, LIMITS)


def test_off() -> None:
    """Where nothing is archived there is nothing to fail."""
    archived(ArchiverFacts(False, 0, None, 12.0, "", None, False), LIMITS)
