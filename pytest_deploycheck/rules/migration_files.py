"""Migration files as their tools name them: ids and checksums, without importing or running anything."""

from __future__ import annotations

import ast
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NUMBERED = re.compile(r"^(\d+)[_-].*?(?:\.up)?\.(?:sql|go)$")
_FLYWAY = re.compile(r"^V([\d._]+)__.*\.(?:sql|java)$")
SIZE_MAX_BYTES = 4 * 2**20


class BadMigrations(Exception):
    """A folder holds no migrations of its tool; the message says what was looked for."""


@dataclass(frozen=True)
class File:
    """One migration of the release.

    checksum: as its tool stores it, empty where it stores none.  before: ids that it follows directly, where
    files say so themselves.
    """

    id: str
    checksum: str = ""
    before: tuple[str, ...] = ()


def read(tool: str, folder: Path) -> list[File]:
    """Return a folder's migrations in their order; raise BadMigrations when there is none."""
    readers = {
        "golang-migrate": _numbered,
        "goose": _numbered,
        "sql": _numbered,
        "flyway": _flyway,
        "prisma": _prisma,
        "django": _django,
        "alembic": _alembic,
    }
    if not folder.is_dir():
        raise BadMigrations(f"{folder} is no directory")
    found = list(readers[tool](folder))
    if not found:
        raise BadMigrations(f"{folder} holds no migration as {tool} names them")
    return found


def files_hash(folder: Path) -> str:
    """Return one hash over all files of a folder, names and contents: what a rehearsal was made with."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def heads(files: list[File]) -> list[str]:
    """Return the migrations that no other follows; more than one is a history that forked."""
    followed = {before for file in files for before in file.before}
    return [file.id for file in files if file.id not in followed]


def _numbered(folder: Path) -> Iterator[File]:
    found = {}
    for path in sorted(folder.iterdir()):
        match = _NUMBERED.match(path.name)
        if match and not path.name.endswith(".down.sql"):
            found[int(match[1])] = path
    yield from (File(str(number)) for number in sorted(found))


def _flyway(folder: Path) -> Iterator[File]:
    found = [(match[1], path) for path in folder.rglob("*") if (match := _FLYWAY.match(path.name))]
    for version, path in sorted(found, key=lambda one: [int(part) for part in re.split(r"[._]", one[0])]):
        yield File(version.replace("_", "."), flyway_checksum(path) if path.suffix == ".sql" else "")


def flyway_checksum(path: Path) -> str:
    """Return Flyway's checksum: a signed CRC-32 over the lines without their ends and without a BOM."""
    value = 0
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        value = zlib.crc32(line.encode(), value)
    return str(value - 2**32 if value >= 2**31 else value)


def _prisma(folder: Path) -> Iterator[File]:
    for path in sorted(folder.glob("*/migration.sql")):
        yield File(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest())


def _django(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("migrations/[0-9]*_*.py")):
        yield File(f"{path.parent.parent.name}.{path.stem}")


def _alembic(folder: Path) -> Iterator[File]:
    """Read `revision` and `down_revision` of each file, without importing it."""
    versions = folder / "versions"
    for path in sorted((versions if versions.is_dir() else folder).rglob("*.py")):
        if path.stat().st_size > SIZE_MAX_BYTES:
            continue
        try:
            values = dict(_assigned(ast.parse(path.read_text(encoding="utf-8"))))
        except (SyntaxError, ValueError) as error:
            raise BadMigrations(f"{path.name}: {error}") from None
        revision, down = values.get("revision"), values.get("down_revision")
        if isinstance(revision, str):
            before = (down,) if isinstance(down, str) else tuple(down or ())  # type: ignore[arg-type]
            yield File(revision, before=before)


def _assigned(module: ast.Module) -> Iterator[tuple[str, object]]:
    for node in module.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(target, ast.Name)
            and value is not None
        ):
            try:
                yield target.id, ast.literal_eval(value)
            except ValueError:
                continue
