"""Migration files of every tool, read without running any."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck.rules import migration_files
from pytest_deploycheck.rules.migration_files import BadMigrations


def fill(folder: Path, files: dict[str, str]) -> Path:
    """Write some files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("tool", "files", "ids"),
    [
        ("golang-migrate", {"0001_a.up.sql": "", "0001_a.down.sql": "", "0010_b.up.sql": ""}, ["1", "10"]),
        ("goose", {"20261101120000_a.sql": "", "20261102120000_b.go": ""}, ["20261101120000", "20261102120000"]),
        ("flyway", {"V1__a.sql": "", "V1.10__b.sql": "", "V1.2__c.sql": "", "R__d.sql": ""}, ["1", "1.2", "1.10"]),
        ("prisma", {"20261101_a/migration.sql": "", "migration_lock.toml": ""}, ["20261101_a"]),
        ("django", {"shop/migrations/0001_initial.py": "", "shop/migrations/__init__.py": ""}, ["shop.0001_initial"]),
        (
            "alembic",
            {
                "versions/a.py": "revision = 'aaa'\ndown_revision = None\n",
                "versions/b.py": "revision: str = 'bbb'\ndown_revision: str = 'aaa'\n",
                "env.py": "raise SystemExit",
            },
            ["aaa", "bbb"],
        ),
    ],
)  # fmt: skip
def test_ids(tmp_path: Path, tool: str, files: dict[str, str], ids: list[str]) -> None:
    """Each tool's names become its ids, in order."""
    assert [file.id for file in migration_files.read(tool, fill(tmp_path, files))] == ids


def test_heads(tmp_path: Path) -> None:
    """Two revisions after one are a fork; a merge of both is not."""
    files = {
        "versions/a.py": "revision = 'a'\ndown_revision = None\n",
        "versions/b.py": "revision = 'b'\ndown_revision = 'a'\n",
        "versions/c.py": "revision = 'c'\ndown_revision = 'a'\n",
    }
    assert migration_files.heads(migration_files.read("alembic", fill(tmp_path, files))) == ["b", "c"]
    merged = {"versions/d.py": "revision = 'd'\ndown_revision = ('b', 'c')\n"}
    assert migration_files.heads(migration_files.read("alembic", fill(tmp_path, merged))) == ["d"]


def test_flyway_checksum(tmp_path: Path) -> None:
    """A CRC-32 over lines without their ends: the same for both kinds of ends, with and without a BOM."""
    plain, windows = tmp_path / "V1__a.sql", tmp_path / "V2__b.sql"
    plain.write_bytes(b"SELECT 1;\nSELECT 2;\n")
    windows.write_bytes(b"\xef\xbb\xbfSELECT 1;\r\nSELECT 2;\r\n")
    assert migration_files.flyway_checksum(plain) == migration_files.flyway_checksum(windows)
    assert -(2**31) <= int(migration_files.flyway_checksum(plain)) < 2**31


def test_the_hash_is_over_names_and_contents(tmp_path: Path) -> None:
    """An edit and a rename both change it."""
    folder = fill(tmp_path / "m", {"1_a.sql": "a"})
    first = migration_files.files_hash(folder)
    (folder / "1_a.sql").write_text("b")
    second = migration_files.files_hash(folder)
    (folder / "1_a.sql").rename(folder / "2_a.sql")
    assert len({first, second, migration_files.files_hash(folder)}) == 3


@pytest.mark.parametrize("tool", ["alembic", "django", "flyway", "prisma", "golang-migrate", "goose"])
def test_an_empty_folder_is_none(tmp_path: Path, tool: str) -> None:
    """No file is no history."""
    with pytest.raises(BadMigrations, match=tool):
        migration_files.read(tool, tmp_path)
