"""What catalogues of backups say over time: how far apart, how recent, how large. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.backup import BackupFacts
    from pytest_deploycheck.probes.backup_catalogue import Backup


def read(facts: BackupFacts) -> None:
    """Assert that every repository can be read, and that one is off the host."""
    assert facts.repositories, "backup.repos names none"
    for repo in facts.repositories:
        assert not repo.problem, f"{repo.name} ({repo.where}): {repo.problem}"
    assert facts.away, "no repository is on another machine"


def good(facts: BackupFacts, repo: str) -> list[Backup]:
    """Return a repository's backups of the database that their tool has no complaint about, oldest first.

    Where `backup.scope` has a word for the database, others that are kept in the same place do not count.
    """
    word = dict(facts.scope).get("database", "")
    return [one for one in facts.of(repo) if not one.error and holds(one, word)]


def holds(backup: Backup, word: str) -> bool:
    """Whether a backup's paths, tags or label have a word."""
    return any(word in text for text in (*backup.paths, *backup.tags, backup.label))


def spaced(
    facts: BackupFacts, repo: str, start: datetime, end: datetime, limits: Limits, *, at_end: bool = True
) -> int:
    """Assert that good backups of a time are no further apart than they may be; return how many there are.

    at_end: the time from the last of them to the end counts, too.
    """
    most = timedelta(hours=facts.interval_h * limits.backup_gap_factor)
    inside = [one.ended for one in good(facts, repo) if start <= one.ended <= end]
    before = [one.ended for one in good(facts, repo) if one.ended < start]
    times = [*before[-1:], *inside, *([end] if at_end else [])]
    for first, second in itertools.pairwise(times):
        assert second - first <= most, (
            f"{repo}: no good backup for {hours(second - first)} h after {first.isoformat(timespec='minutes')}; "
            f"one is due every {facts.interval_h:g} h"
        )
    return len(inside)


def recent(backups: Sequence[Backup], name: str, most: timedelta, now: datetime) -> None:
    """Assert that the newest of some good backups is no older than it may be."""
    assert backups, f"{name} has no good backup"
    age = now - backups[-1].ended
    assert age >= -timedelta(minutes=5), f"{name}: {backups[-1].label} is from the future"
    assert age <= most, f"{name}: the newest good backup is {hours(age)} h old, {hours(most)} h are allowed"


def no_failure_since(facts: BackupFacts, repo: str) -> None:
    """Assert that a repository's newest backup is a good one."""
    found = facts.of(repo)
    assert found, f"{repo} has no backup"
    assert not found[-1].error, f"{repo}: the newest backup, {found[-1].label}, has errors"


def plausible(facts: BackupFacts, repo: str, limits: Limits) -> None:
    """Assert that the newest backup is about as large as those before it, where the tool tells sizes."""
    sized = [one for one in good(facts, repo) if one.size_bytes is not None]
    if not sized:
        return
    newest = sized[-1]
    like = [
        one.size_bytes or 0
        for one in sized[:-1]
        if one.kind == newest.kind and set(one.paths) == set(newest.paths)
    ]
    assert newest.size_bytes, f"{repo}: {newest.label} is empty"
    if like and (usual := statistics.median(like[-10:])):
        off = newest.size_bytes / usual - 1
        assert abs(off) <= limits.backup_size_trend, (
            f"{repo}: {newest.label} has {newest.size_bytes} bytes, {off:+.0%} against what is usual"
        )


def promised(value: float | None, key: str) -> float:
    """Return a promise of the target file; unproven where it makes none."""
    if value is None:
        unproven(Reason.NO_CONFIG, f"no backup.{key} in the target file; add what is promised")
    return value


def hours(span: timedelta) -> str:
    """Write a time in hours."""
    return f"{span.total_seconds() / 3600:.1f}"
