"""Evidence files: reports by tools, and what file and envelope say of the commit and the time. Reading only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_deploycheck import envelope, safe_json
from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.image_scans import stamp
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

LARGEST_BYTES = 64 * 2**20
MOST_FILES = 500
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Origin:
    """Where an evidence file comes from, by its own words and its envelope's.

    commit: the commit that it is about, "" where nothing says it.  disputed: another one that it names as well.
    produced_at, started_at: UTC ISO 8601, "" where nothing says it; never the file system's time.  intact: the envelope
    is about these very bytes; None without one.  clean: the working tree was the commit's; None where nothing says it.
    inputs: (path, sha256) of what the tool read.  scanned_path, scanned_files: what of the repository it looked through.
    """

    file: str
    commit: str
    disputed: str
    produced_at: str
    started_at: str
    tool: str
    intact: bool | None
    clean: bool | None
    inputs: tuple[tuple[str, str], ...]
    scanned_path: str
    scanned_files: int | None

    def age_s(self, now: datetime) -> float | None:
        """Return how old it is in seconds, negative for the future; None where nothing says when it was made."""
        if not self.produced_at:
            return None
        return (now - datetime.fromisoformat(self.produced_at)).total_seconds()


def matching(target: Target, key: str, pattern: str) -> list[Path]:
    """Return the files of a glob that starts at the target file, envelopes left out.

    Raises CannotLook when the key is not set (no_config) or nothing matches (no_evidence).
    """
    if not pattern:
        raise CannotLook(Reason.NO_CONFIG, f"no {key} in {target.path.name}; add it")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise CannotLook(
            Reason.NO_CONFIG, f"{key} = {pattern!r} must lie below the folder of {target.path.name}"
        )
    found = sorted(
        path
        for path in target.path.parent.glob(pattern)
        if path.is_file() and not path.name.endswith(envelope.SUFFIX)
    )
    if not found:
        raise CannotLook(Reason.NO_EVIDENCE, f"no file matches {key} = {pattern!r}")
    if len(found) > MOST_FILES:
        raise CannotLook(
            Reason.UNPARSEABLE, f"{key} = {pattern!r} matches {len(found)} files; {MOST_FILES} are read"
        )
    return found


def content(path: Path) -> bytes:
    """Return a file's bytes, or raise CannotLook(unparseable) for one that is too large or cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise CannotLook(Reason.NO_ACCESS, f"{path.name}: {error.strerror}") from None
    if len(data) > LARGEST_BYTES:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is larger than {LARGEST_BYTES // 2**20} MiB")
    return data


def document(path: Path, data: bytes) -> Any:
    """Return a file's JSON, or raise CannotLook(unparseable) naming it."""
    try:
        return safe_json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{path.name} is not JSON: {str(error)[:120]}") from None


def documents(target: Target, key: str, pattern: str) -> Iterator[tuple[Path, bytes, Any]]:
    """Yield each file of a glob with its bytes and its JSON."""
    for path in matching(target, key, pattern):
        data = content(path)
        yield path, data, document(path, data)


def origin(
    path: Path,
    data: bytes,
    *,
    commits: tuple[str, ...] = (),
    produced_at: str = "",
    started_at: str = "",
    tool: str = "",
) -> Origin:
    """Unite what a report says of itself (`commits` that it names, its times) with its envelope."""
    try:
        found = envelope.read(path)
    except envelope.EnvelopeError as error:
        raise CannotLook(Reason.UNPARSEABLE, str(error)) from None
    named = [commit.lower() for commit in (*commits, found.commit if found else "") if is_commit(commit)]
    named = list(dict.fromkeys(named))
    return Origin(
        file=path.name,
        commit=named[0] if named else "",
        disputed=named[1] if len(named) > 1 else "",
        produced_at=produced_at or stamp(found.produced_at if found else ""),
        started_at=started_at or stamp(found.started_at if found else ""),
        tool=(found.tool if found and found.tool else tool)[:100],
        intact=found.sha256 == hashlib.sha256(data).hexdigest() if found else None,
        clean=found.clean if found else None,
        inputs=found.inputs if found else (),
        scanned_path=found.scanned_path if found else "",
        scanned_files=found.scanned_files if found else None,
    )


def is_commit(text: str) -> bool:
    """Whether a text is a commit's whole hash."""
    return bool(_COMMIT.fullmatch(text.lower()))


def later(moment: str, seconds: float) -> str:
    """Return an ISO 8601 moment some seconds later."""
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).astimezone(UTC).isoformat()


def later_s(first: str, second: str) -> float:
    """Return how many seconds the second of two ISO 8601 moments is later, negative for earlier."""
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def released(target: Target) -> str:
    """Return the released commit; without it nothing can be about it."""
    commit = target.release.commit.lower()
    if not is_commit(commit):
        what = f"release.commit = {commit!r} is no whole hash" if commit else "no release.commit"
        raise CannotLook(Reason.NO_CONFIG, f"{what} in {target.path.name}; give its 40 hex digits")
    return commit
