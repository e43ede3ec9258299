"""The runner's own clone of the repository: what the released commit holds, by its hash, whatever is checked out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_deploycheck.transports.git import Git

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

MOST_PATHS = 200_000


@dataclass(frozen=True)
class Clone:
    """A clone that has the commit."""

    path: Path
    commit: str
    git: Git

    def committed_at(self) -> str:
        """Return when the commit was made (committer's time) as UTC ISO 8601, "" when it does not say."""
        head = self.git.read(self.path, "cat-file", "commit", self.commit).text.partition("\n\n")[0]
        line = next((line for line in head.splitlines() if line.startswith("committer ")), "")
        seconds = line.rsplit(" ", 2)[-2:-1]
        if not seconds or not seconds[0].isdigit():
            return ""
        return datetime.fromtimestamp(int(seconds[0]), UTC).isoformat()

    def paths(self) -> tuple[str, ...]:
        """Return the paths of the commit's files."""
        listed = self.git.read(self.path, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit)
        return tuple(name for name in listed.text.split("\0")[:MOST_PATHS] if name)

    def content(self, path: str) -> bytes:
        """Return a file of the commit; empty when it is not there."""
        return self.git.read(self.path, "cat-file", "blob", f"{self.commit}:{path}").output

    def has(self, commit: str) -> bool:
        """Whether the clone has another commit as well."""
        return self.git.read(self.path, "cat-file", "-t", commit).text.strip() == "commit"

    def is_behind(self, head: str) -> bool | None:
        """Whether the commit is an ancestor of `head`, or `head` itself; None when the clone lacks `head`."""
        if not self.has(head):
            return None
        return {0: True, 1: False}.get(
            self.git.read(self.path, "merge-base", "--is-ancestor", self.commit, head).status
        )


def find(target: Target, git: Git, commit: str) -> Clone | None:
    """Return the runner's clone, `repo.clone` or what the target file lies in; None when it lacks the commit."""
    path = target.file(target.repo.clone) if target.repo.clone else target.path.parent
    if not path.is_dir():
        return None
    clone = Clone(path, commit, git)
    return clone if clone.has(commit) else None


def where(target: Target) -> str:
    """Return how a message names the clone."""
    return (
        f"repo.clone = {target.repo.clone!r}"
        if target.repo.clone
        else f"the repository around {target.path.name}"
    )
