"""Archives of apps (APK, AAB, IPA) from outside: nothing is unpacked, and nothing costs more than it may."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

FILE_MAX_BYTES = 512 * 2**20
DIRECTORY_MAX_BYTES = 24 * 2**20
ENTRIES_MAX = 100_000
ENTRY_MAX_BYTES = 96 * 2**20
TOTAL_MAX_BYTES = 768 * 2**20
"""Bytes that come out of one archive at most: large apps have half of it."""
PORTION_BYTES = 2**20
_END = struct.Struct("<4s4H2LH")
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError is one as well
    ValueError,
    KeyError,
    OverflowError,
)


class AppError(ValueError):
    """An app's archive, or something in it, cannot be read; the message says what is wrong with it."""


class Archive:
    """A zip file that is read entry by entry.

    `check` is called before every portion, and raises when time is up. Duplicate names, encrypted entries, other
    methods than deflate and sizes beyond the bounds are refused: an installer might see another app than this does.
    """

    def __init__(self, path: Path, check: Callable[[], object] = lambda: None) -> None:
        self._check = check
        self.left = TOTAL_MAX_BYTES
        self.start = directory_start(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise AppError(f"no zip archive: {error}") from None
        self.names = tuple(self._zip.namelist())
        self.problems = tuple(_problems(self._zip.infolist()))

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        """Whether there is such an entry."""
        return name in self._zip.NameToInfo

    def read(self, name: str, most: int = ENTRY_MAX_BYTES) -> bytes:
        """Return an entry's content; AppError where it is missing, damaged or larger than it may be."""
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise AppError(f"{name[:120]} is encrypted or packed in a way that no app uses")
            parts, size = [], 0
            with self._zip.open(info) as stream:
                while part := stream.read(PORTION_BYTES):
                    self._check()
                    parts.append(part)
                    size += len(part)
                    self.left -= len(part)
                    if size > most or self.left < 0:
                        raise AppError(f"{name[:120]} is larger than {most >> 20} MiB, or all together are")
            return b"".join(parts)
        except AppError:
            raise
        except _BROKEN as error:
            raise AppError(f"{name[:120]} cannot be read: {str(error)[:120]}") from None


def directory_start(path: Path) -> int:
    """Return where the central directory begins; AppError for what is no archive of a sensible size."""
    try:
        size = path.stat().st_size
        if size > FILE_MAX_BYTES:
            raise AppError(f"larger than {FILE_MAX_BYTES >> 20} MiB")
        with path.open("rb") as file:
            file.seek(max(0, size - 65_557))
            tail = file.read(65_557)
    except OSError as error:
        raise AppError(f"cannot be read: {error.strerror}") from None
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise AppError("no zip archive: it has no end record")
    _, _, _, _, entries, length, start, _ = _END.unpack_from(tail, at)
    if tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise AppError("a zip64 archive, which no app is")
    if length > DIRECTORY_MAX_BYTES or entries > ENTRIES_MAX:
        raise AppError(f"its directory has {entries} entries in {length >> 20} MiB")
    if start + length > size - len(tail) + at:
        raise AppError("its directory is not where its end says")
    return int(start)


def _problems(entries: list[zipfile.ZipInfo]) -> list[str]:
    found, seen = [], set()
    for info in entries:
        name = info.filename
        if name in seen:
            found.append(f"{name[:80]!r} is there twice")
        seen.add(name)
        if (
            name.startswith(("/", "\\"))
            or ".." in name.replace("\\", "/").split("/")
            or "\0" in info.orig_filename
        ):
            found.append(f"the name {name[:80]!r} leads out of the archive")
        if len(found) >= 5:
            break
    return found
