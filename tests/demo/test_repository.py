"""The demo's repository: real objects, one release, mended at each start; and the reports about it."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck import envelope
from pytest_deploycheck.demo import code_reports, history, repository
from pytest_deploycheck.demo.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with its repository and its checkout."""
    made = World(tmp_path / "demo")
    repository.daemons(made)
    return made


def test_git_finds_no_fault_in_our_objects(world: World) -> None:
    """What is written without Git is what Git would have written."""
    place = repository.remote(world)
    assert repository.git(place, "fsck", "--strict", "--full") == ""
    assert repository.git(place, "rev-parse", "main") == world.release.commit
    assert repository.git(place, "rev-parse", "v1.4.2^{commit}") == world.release.commit
    assert repository.git(place, "rev-list", "--count", "main") == "2"


def test_trees_with_names_that_sort_oddly(tmp_path: Path) -> None:
    """A folder sorts as if its name ended in a slash: a-b before a/ before a0."""
    objects = history.Objects(tmp_path / "objects")
    for name, text in (("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\tbare = true\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "refs" / "heads").mkdir(parents=True)
    tree = objects.tree({"a0": b"1", "a/x": b"2", "a-b": b"3", "a.c": b"4"})
    commit = objects.commit(tree, datetime(2026, 1, 1, tzinfo=UTC), "x")
    (tmp_path / "refs" / "heads" / "main").write_text(f"{commit}\n")
    assert repository.git(tmp_path, "fsck", "--strict") == ""
    assert repository.git(tmp_path, "ls-tree", "--name-only", "main").split() == ["a-b", "a.c", "a", "a0"]


def test_the_same_release_is_the_same_commit(tmp_path: Path) -> None:
    """Its hash follows from version, time and files alone."""
    at = datetime(2026, 11, 24, 9, tzinfo=UTC)
    first, again = (history.make(tmp_path / name, "1.0", at) for name in ("a", "b"))
    assert first == again != history.make(tmp_path / "c", "1.1", at)


def test_starting_again_mends_what_was_broken(world: World) -> None:
    """Edits, stray files, other commits and a moved branch are undone; what is ignored stays."""
    place = repository.checkout(world)
    (place / ".env").write_text("X=1\n")
    (place / "stray").write_text("x")
    (place / "README.md").write_text("x")
    repository.git(place, "commit", "--quiet", "--all", "-m", "x")
    repository.git(place, "push", "--quiet", "--force", "origin", "HEAD^^:refs/heads/main")
    repository.daemons(world)
    assert repository.git(place, "rev-parse", "HEAD", "origin/main").split() == [world.release.commit] * 2
    assert repository.git(place, "status", "--porcelain") == "" and (place / ".env").read_text() == "X=1\n"


def test_a_folder_of_another_version_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release of a folder never changes, also when the package that starts it has other files."""
    world = World(tmp_path / "demo")
    commit = world.release.commit
    monkeypatch.setattr(history, "files", lambda: {"a": b"1"})
    repository.daemons(world)
    code_reports.write(world)
    assert repository.git(repository.checkout(world), "rev-parse", "HEAD") == commit
    audit = envelope.read(world.dir / "reports" / "dependencies" / "pip-audit.json")
    lock = (repository.checkout(world) / "requirements.lock").read_bytes()
    assert audit is not None and audit.inputs == (("requirements.lock", hashlib.sha256(lock).hexdigest()),)


def test_a_deleted_repository_comes_back(world: World) -> None:
    """With the same release, since its hash follows from what it holds."""
    commit = world.release.commit
    shutil.rmtree(world.dir / "repository")
    repository.daemons(world)
    assert world.release.commit == commit == repository.git(repository.remote(world), "rev-parse", "main")


def test_the_released_files_are_read_without_git(world: World) -> None:
    """Every file of the commit comes back as it was written."""
    assert history.content(repository.remote(world), world.release.commit) == history.files()


def test_every_report_is_sealed(world: World) -> None:
    """Each has an envelope around its bytes, about the released commit, made now."""
    code_reports.write(world)
    sealed = [path for path in (world.dir / "reports").rglob("*") if path.name.endswith(envelope.SUFFIX)]
    reports = [path.with_name(path.name.removesuffix(envelope.SUFFIX)) for path in sealed]
    assert len(reports) == 10
    for report in reports:
        found = envelope.read(report)
        assert found is not None and found.commit == world.release.commit and found.clean
        age = datetime.now(UTC) - datetime.fromisoformat(found.produced_at)
        assert abs(age) < timedelta(minutes=1)
