"""The junit probe: results of tests as files, and which commit they are about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import junit_files
from pytest_deploycheck.probes.evidence_files import Origin, content, later, matching, origin, released
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

WEST_S, EAST_S = 12 * 3600.0, 14 * 3600.0
"""How far local time is behind UTC, and ahead of it, at most."""


@dataclass(frozen=True)
class TestResults:
    """One file; its tests are counted one by one. bad: names of the first that failed."""

    __test__ = False  # not a class of tests

    origin: Origin
    tests: int
    failures: int
    errors: int
    skipped: int
    bad: tuple[str, ...]


@dataclass(frozen=True)
class JunitFacts:
    """All files of results. commit: the released one.  min_tests: that the suite has, 0 where nobody said."""

    commit: str
    min_tests: int
    files: tuple[TestResults, ...]


@probe(facts=JunitFacts, deadline=15, safety="S0", uses={"files": "read"})
def junit(target: Target) -> JunitFacts:
    """Read the JUnit files that the target file names."""
    commit = released(target)
    found = []
    for path in matching(target, "reports.junit", target.reports.junit):
        data = content(path)
        try:
            read = junit_files.parse(data)
        except junit_files.JUnitError as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {error}") from None
        about = origin(path, data, commits=tuple(read.commits))
        found.append(
            TestResults(
                origin=when(about, read),
                tests=read.tests,
                failures=read.failures,
                errors=read.errors,
                skipped=read.skipped,
                bad=tuple(read.bad),
            )
        )
    return JunitFacts(commit, target.ci.min_tests, tuple(found))


def when(about: Origin, read: junit_files.JUnit) -> Origin:
    """Add when the tests started at the latest and ended at the earliest, where file and envelope leave it open.

    Many runners write local time without its zone, which may be half a day off to either side.
    """
    if not read.started_at:
        return about
    behind, ahead = (0.0, 0.0) if read.zoned else (WEST_S, EAST_S)
    ended = about.produced_at or later(read.started_at, read.duration_s - ahead)
    started = about.started_at or later(read.started_at, behind)
    # Nothing started after it had ended.
    return replace(about, produced_at=ended, started_at=min(started, about.produced_at or started))
