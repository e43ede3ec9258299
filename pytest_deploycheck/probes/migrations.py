"""The schema's history: what the release brings, and what the database says was applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.rules import migration_files
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.rules.migration_files import File
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

TABLES = {
    "alembic": "alembic_version",
    "django": "django_migrations",
    "flyway": "flyway_schema_history",
    "prisma": "_prisma_migrations",
    "golang-migrate": "schema_migrations",
    "goose": "goose_db_version",
    "sql": "schema_migrations",
}


@dataclass(frozen=True)
class Applied:
    """A migration in the database: `ok` unless it failed or was left half done, checksum where it has one."""

    id: str
    ok: bool
    checksum: str = ""


@dataclass(frozen=True)
class MigrationsFacts:
    """Files of the release beside rows of the database.

    heads: files that no other follows.  missing: the table is not there.  pending: files that were not
    applied.  unknown: applied, but not in the release.  edited: applied from another file than the
    release's, by checksum.  failed: did not end well.  files_hash: over all files of the folder.
    """

    tool: str
    files: tuple[str, ...]
    heads: tuple[str, ...]
    applied: tuple[str, ...]
    missing: bool
    pending: tuple[str, ...]
    unknown: tuple[str, ...]
    edited: tuple[str, ...]
    failed: tuple[str, ...]
    files_hash: str


@probe(facts=MigrationsFacts, deadline=15, needs=("db_gate",), uses={"db": "read", "files": "read"})
def migrations(target: Target, connect: Connections) -> MigrationsFacts:
    """Compare the release's migration files with the table that their tool keeps; nothing is run."""
    section = target.migrations
    if section.tool is None or not section.dir:
        raise CannotLook(Reason.NO_CONFIG, f"no [migrations] in {target.path.name}; add tool and dir")
    connect.socket_allowed("files", "read", section.dir)
    folder = target.file(section.dir)
    try:
        files = migration_files.read(section.tool, folder)
    except migration_files.BadMigrations as error:
        raise CannotLook(Reason.NO_EVIDENCE, str(error)) from None
    table = section.table or TABLES[section.tool]
    sql = connect.sql()
    missing = sql.one("SELECT to_regclass(%s) IS NULL AS missing", (table,))["missing"]
    rows = [] if missing else _applied(section.tool, table, sql, files)
    known, seen = {file.id: file for file in files}, {row.id for row in rows if row.ok}
    return MigrationsFacts(
        tool=section.tool,
        files=tuple(known),
        heads=tuple(migration_files.heads(files)) if section.tool == "alembic" else (),
        applied=tuple(row.id for row in rows),
        missing=bool(missing),
        pending=tuple(name for name in known if name not in seen),
        unknown=tuple(row.id for row in rows if row.id not in known),
        edited=tuple(
            row.id
            for row in rows
            if row.checksum and row.id in known and known[row.id].checksum not in ("", row.checksum)
        ),
        failed=tuple(row.id for row in rows if not row.ok),
        files_hash=migration_files.files_hash(folder),
    )


def _applied(tool: str, table: str, sql: Sql, files: list[File]) -> list[Applied]:
    if not all(part.replace("_", "").isalnum() for part in table.split(".")):
        raise CannotLook(Reason.NO_CONFIG, f"migrations.table {table!r} is no table's name")
    name = ".".join(f'"{part}"' for part in table.split("."))
    rows = sql.rows(f"SELECT * FROM {name}")  # noqa: S608 - a checked and quoted name
    if tool in ("golang-migrate", "sql"):
        return _by_version(rows, files)
    if tool == "alembic":
        return _by_ancestry([str(row["version_num"]) for row in rows], files)
    if tool == "django":
        return [Applied(f"{row['app']}.{row['name']}", True) for row in rows if _ours(row, files)]
    if tool == "flyway":
        return [
            Applied(str(row["version"]), bool(row["success"]), str(row["checksum"] or ""))
            for row in rows
            if row["version"] is not None
        ]
    if tool == "prisma":
        return [
            Applied(str(row["migration_name"]), row["finished_at"] is not None, str(row["checksum"]))
            for row in rows
            if row["rolled_back_at"] is None
        ]
    newest = {int(row["version_id"]): row for row in sorted(rows, key=lambda row: row["id"])}
    return [
        Applied(str(version), True)
        for version, row in sorted(newest.items())
        if version and row["is_applied"]
    ]


def _by_version(rows: list[dict[str, object]], files: list[File]) -> list[Applied]:
    """Take all files up to the newest version, which is all that golang-migrate keeps, unless it is dirty."""
    if not rows:
        return []
    version, dirty = int(str(rows[-1]["version"])), bool(rows[-1].get("dirty"))
    found = [Applied(file.id, True) for file in files if int(file.id) <= version]
    if str(version) not in {file.id for file in files}:
        found.append(Applied(str(version), True))
    return [*found[:-1], Applied(found[-1].id, False)] if dirty else found


def _by_ancestry(heads: list[str], files: list[File]) -> list[Applied]:
    """Take the heads, which are all that Alembic keeps, and everything before them."""
    by_id, found, todo = {file.id: file for file in files}, dict.fromkeys(heads), list(heads)
    while todo:
        file = by_id.get(todo.pop())
        for before in file.before if file else ():
            if before not in found:
                found[before] = None
                todo.append(before)
    return [Applied(name, True) for name in found]


def _ours(row: dict[str, object], files: list[File]) -> bool:
    """Whether a row is of an application of the release; Django's own applications have rows, too."""
    return str(row["app"]) in {file.id.partition(".")[0] for file in files}
