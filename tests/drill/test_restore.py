"""A backup is restored for real into a cluster of its own, and compared with what was noted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo import accounts, postgres
from pytest_deploycheck.drill import restore as drill
from pytest_deploycheck.drill.restore import Noted, Restored, note, restore
from pytest_deploycheck.drill.scratch import RestoreError, cluster

pytestmark = pytest.mark.skipif(postgres.available() is not None, reason=str(postgres.available()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Noted, Path]]:
    """Return a dump of a small database, what was noted of it, and a folder for scratch."""
    import psycopg

    folder = tmp_path_factory.mktemp("restore")
    programs, user = postgres.bin_dir(), accounts.unprivileged()
    assert programs is not None
    prefix = accounts.command_prefix(user, folder, programs)
    with cluster(programs, folder / "source", prefix, user) as (dsn, _):
        with psycopg.connect(f"{dsn} dbname=postgres", autocommit=True) as database:
            database.execute(
                "CREATE TABLE users AS SELECT i AS id, 'name ' || i AS name FROM generate_series(1, 50) i"
            )
            database.execute("CREATE UNIQUE INDEX ON users (id)")
            database.execute("CREATE TABLE schema_migrations AS SELECT 7::bigint AS version, false AS dirty")
            noted = note(database, ("users", "schema_migrations"))
        dump = folder / "a.dump"
        command = [programs / "pg_dump", "-Fc", "-f", dump, f"{dsn} dbname=postgres"]
        subprocess.run([str(word) for word in command], check=True)
    yield dump, noted, folder


def again(made: tuple[Path, Noted, Path], **changes: Any) -> Restored:
    """Restore it."""
    dump, noted, folder = made
    programs, user = postgres.bin_dir(), accounts.unprivileged()
    assert programs is not None
    values: dict[str, Any] = {
        "programs": programs,
        "folder": folder / "scratch",
        "production": "1",
        "noted": noted,
        "smoke": {
            "there are users": "SELECT count(*) = 50 FROM users",
            "nobody": "SELECT count(*) = 0 FROM users",
        },
        "prefix": accounts.command_prefix(user, folder, programs),
        "user": user,
    }
    given = values | changes
    return restore(given.pop("dump", dump), **given)


def test_equal(made: tuple[Path, Noted, Path]) -> None:
    """What was restored is what was noted, its indexes are clean, and the cluster is gone afterwards."""
    restored = again(made)
    assert restored.found == restored.noted == made[1]
    assert restored.found.tables["users"][0] == 50
    assert restored.found.head == "7"
    assert restored.amcheck in ("clean", "unavailable")
    assert restored.smoke == {"there are users": True, "nobody": False}
    assert not (made[2] / "scratch" / "data").exists()
    facts = restored.facts()
    assert facts["tables"] == facts["tables_at_backup"]
    took = datetime.fromisoformat(facts["ended_at"]) - datetime.fromisoformat(facts["started_at"])
    assert abs(took.total_seconds() - facts["duration_s"]) < 0.1


def test_differs(made: tuple[Path, Noted, Path]) -> None:
    """A row that is another one changes the checksum and not the count."""
    other = Noted({**made[1].tables, "users": (50, "1")}, made[1].head)
    restored = again(made, noted=other)
    assert restored.found.tables["users"][0] == restored.noted.tables["users"][0]
    assert restored.found.tables["users"] != restored.noted.tables["users"]


def test_truncated(made: tuple[Path, Noted, Path], tmp_path: Path) -> None:
    """A dump that was cut off is refused with what pg_restore says, and no cluster is left."""
    cut = tmp_path / "cut.dump"
    content = made[0].read_bytes()
    cut.write_bytes(content[: len(content) - 200])
    with pytest.raises(RestoreError, match="pg_restore"):
        again(made, dump=cut)
    assert not (made[2] / "scratch" / "data").exists()


def test_production(made: tuple[Path, Noted, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that has production's system identifier is refused before anything is restored."""
    from contextlib import contextmanager

    @contextmanager
    def same(*_: object) -> Iterator[tuple[str, str]]:
        yield "host=/nowhere", "7412"

    monkeypatch.setattr(drill, "cluster", same)
    with pytest.raises(RestoreError, match="production's system identifier 7412"):
        again(made, production="7412")
