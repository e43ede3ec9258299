"""Small Git repositories for tests of what is read in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_deploycheck.demo.repository import git


def repository(folder: Path, *commits: Mapping[str, str], branch: str = "main") -> list[str]:
    """Make a repository with a commit for each mapping of path to content; return the commits' hashes."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", branch)
    made = []
    for number, files in enumerate(commits):
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", f"Commit {number}")
        made.append(git(folder, "rev-parse", "HEAD"))
    return made
