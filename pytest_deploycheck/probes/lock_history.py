"""The lock_history probe: when the branch's dependencies were last updated, and whether production has that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import clones, lock_files
from pytest_deploycheck.probes.evidence_files import released
from pytest_deploycheck.probes.sarif import matches
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

FILES_MAX = 50


@dataclass(frozen=True)
class LockHistory:
    """One lock file at the branch's head; times as ISO 8601.

    updated_at: when its newest change was committed, "" unknown.  same_as_released: whether the release has this
    content.
    """

    path: str
    ecosystem: str
    updated_at: str
    same_as_released: bool


@dataclass(frozen=True)
class LockHistoryFacts:
    """Lock files of `branch` as the runner's clone knows it. head: its newest commit, committed at `head_at`.

    shallow: the clone's history is cut off, so that its first commit seems to have changed everything.
    """

    branch: str
    head: str
    head_at: str
    commit: str
    shallow: bool
    locks: tuple[LockHistory, ...]


@probe(facts=LockHistoryFacts, deadline=25, safety="S0", uses={"files": "read"})
def lock_history(target: Target, connect: Connections) -> LockHistoryFacts:
    """Read when each lock file of the branch was last changed, and compare it with the released one."""
    commit, branch, git = released(target), target.repo.branch, connect.git()
    clone = clones.find(target, git, commit)
    if clone is None:
        raise CannotLook(
            Reason.NO_CONFIG, f"{clones.where(target)} lacks commit {commit}; set repo.clone to a clone of it"
        )
    head = ""
    for name in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"):
        found = git.read(clone.path, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if found.status == 0 and found.text.strip():
            head = found.text.strip()
            break
    if not head:
        raise CannotLook(Reason.NO_EVIDENCE, f"{clones.where(target)} has no branch {branch}; fetch it")
    tip = clones.Clone(clone.path, head, git)
    paths = [path for path in tip.paths() if not matches(path, target.deps.ignore)]
    locks = tuple(
        LockHistory(
            path=path,
            ecosystem=ecosystem,
            updated_at=_changed(tip, path),
            same_as_released=tip.content(path) == clone.content(path),
        )
        for path, ecosystem in list(lock_files.find(paths).items())[:FILES_MAX]
    )
    shallow = git.read(clone.path, "rev-parse", "--is-shallow-repository").text.strip() == "true"
    return LockHistoryFacts(branch, head, tip.committed_at(), commit, shallow, locks)


def _changed(tip: clones.Clone, path: str) -> str:
    """Return when the newest commit that changed a file was made."""
    told = tip.git.read(tip.path, "rev-list", "--timestamp", "--max-count=1", tip.commit, "--", path).text
    seconds = told.split(" ", 1)[0].strip()
    return datetime.fromtimestamp(int(seconds), UTC).isoformat() if seconds.isdigit() else ""
