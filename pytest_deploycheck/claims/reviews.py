"""What a check of reviews does with signed records: those that count, oldest first, or why the newest does not.

Neither the release nor the expiry of an older record matters here: reviews outlast releases, and how old one may be
is the cadence's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.evidence import moment_of
from pytest_deploycheck.claims.signatures import MEANS, Status
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile

_EXPIRED = "it expired at"


def counting(files: Iterable[SignedFile], item: str) -> tuple[SignedFile, ...]:
    """Return the signed records of an item that count, oldest first; empty where nobody wrote one.

    Fails when one was changed after it was signed, and when the newest is of a role that has no say here; unproven
    when the newest is signed by nobody who counts.  Earlier ones that do not count are left out.
    """
    found = sorted(
        (file for file in files if file.item == item and file.kind == "record"),
        key=lambda file: file.produced_at,
    )
    for file in found:
        assert not file.tampered, f"{file.name} was changed after it was signed: {'; '.join(file.problems)}"
    if found:
        _require(found[-1])
    return tuple(file for file in found if not _why_not(file))


def _require(file: SignedFile) -> None:
    allowed = policy.RECORDS[file.item]
    assert file.role in allowed, (
        f"{file.name} is signed as {file.role}; {file.item} is the word of {' or '.join(allowed)}"
    )
    why = _why_not(file)
    if why:
        unproven(Reason.UNSIGNED, f"{file.name} does not count: {why}")


def _why_not(file: SignedFile) -> str:
    status = Status(file.signatures[0].status)
    if status is not Status.OK:
        return MEANS[status]
    if file.role not in policy.RECORDS[file.item]:
        return f"signed as {file.role}"
    # A time in the future is the cadence's to judge.
    problems = [one for one in file.problems if not one.startswith((_EXPIRED, "it says that it was made in"))]
    return "; ".join(problems[:3])


def within(
    files: Iterable[SignedFile], item: str, *, opens: datetime, due: datetime, now: datetime
) -> SignedFile | None:
    """Return the newest counting record of an item that was signed in its window; None where there is none yet.

    Fails when the newest was signed before there was anything to review, too late, or in the future.
    """
    found = counting(files, item)
    if not found:
        return None
    newest = found[-1]
    assert newest.produced <= now + timedelta(minutes=5), f"{newest.name} was signed in the future"
    assert newest.produced >= opens, (
        f"{newest.name} was signed at {newest.produced.isoformat()}, before there was enough to review "
        f"(from {opens.isoformat()} on)"
    )
    on_time = [file for file in found if opens <= file.produced <= due]
    assert on_time, f"{found[0].name} was signed after {due.isoformat()}, when it was due"
    return newest


def tables(file: SignedFile, values: Any, key: str, *names: str) -> list[Mapping[str, Any]]:
    """Return a list of tables of a record in which each has these keys; unproven where it is something else."""
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        unproven(Reason.UNPARSEABLE, f"{file.name}: {key} is no list of tables")
    for one in values:
        missing = [name for name in names if one.get(name) in (None, "")]
        if missing:
            unproven(Reason.NO_EVIDENCE, f"{file.name}: an entry of {key} does not say {', '.join(missing)}")
    return list(values)


def open_too_long(
    file: SignedFile, actions: Iterable[Mapping[str, Any]], longest: timedelta, now: datetime
) -> list[str]:
    """Name the actions (`what`, `opened_at`, perhaps `closed_at`) that are open for longer than they may be."""
    return [
        f"{one['what']} (since {one['opened_at']})"
        for one in actions
        if not one.get("closed_at")
        and now - moment_of(str(one["opened_at"]), f"{file.name}: opened_at") > longest
    ]
