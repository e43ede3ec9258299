"""Envelopes beside reports: written in a working tree, read back, refused when they are something else."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck import envelope
from tests.probes.repositories import repository


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a working tree with a lock file, and with a report that is not part of it."""
    repository(tmp_path / "code", {"a.lock": "x==1\n", "app/main.py": "pass\n", ".gitignore": "/out/\n"})
    monkeypatch.chdir(tmp_path / "code")
    (tmp_path / "code" / "out").mkdir()
    (tmp_path / "code" / "out" / "audit.json").write_text("{}")
    return tmp_path / "code"


def test_an_envelope_says_what_the_tool_did_not(tree: Path) -> None:
    """Commit, time, inputs by their hash, and what was scanned are written, and read back."""
    report = tree / "out" / "audit.json"
    done = envelope.main([str(report), "--tool", "auditor 1", "--input", "a.lock", "--scanned", "."])
    found = envelope.read(report)
    assert done == 0 and found is not None
    assert found.sha256 == hashlib.sha256(b"{}").hexdigest()
    assert len(found.commit) == 40 and found.clean is True and found.tool == "auditor 1"
    assert found.inputs == (("a.lock", hashlib.sha256(b"x==1\n").hexdigest()),)
    assert (found.scanned_path, found.scanned_files) == (".", 3)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(found.produced_at)).total_seconds()) < 60


def test_changes_in_the_tree_are_said(tree: Path) -> None:
    """A tracked file that was edited makes the tree unclean; a folder is named relative to the whole."""
    (tree / "a.lock").write_text("x==2\n")
    assert envelope.main([str(tree / "out" / "audit.json"), "--scanned", "app"]) == 0
    found = envelope.read(tree / "out" / "audit.json")
    assert found is not None and found.clean is False
    assert (found.scanned_path, found.scanned_files) == ("app", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["missing.json"], "missing.json"), (["out/audit.json", "--input", "/etc/hostname"], "/etc/hostname")],
)
def test_what_cannot_be_told_is_an_error(
    tree: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """A report that is not there, or an input of elsewhere, ends with a message and without an envelope."""
    assert envelope.main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(tree.rglob(f"*{envelope.SUFFIX}"))


def test_outside_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can say which commit it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "r.json").write_text("{}")
    assert envelope.main(["r.json"]) == 2
    assert "git rev-parse" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "{", '{"schema": "deploycheck.envelope/2"}', "[" * 100_000, " " * (2**20 + 1)]
)
def test_what_is_no_envelope_is_refused(tmp_path: Path, content: str) -> None:
    """Another schema, broken JSON or too much of it is named, and not read as if it said nothing."""
    (tmp_path / f"r.json{envelope.SUFFIX}").write_text(content)
    with pytest.raises(envelope.EnvelopeError, match="is no envelope"):
        envelope.read(tmp_path / "r.json")


@pytest.mark.parametrize("value", [None, 7, [], {}, "x", True])
@pytest.mark.parametrize("key", ["commit", "inputs", "scanned", "clean", "sha256"])
def test_an_envelope_with_holes_claims_nothing(tmp_path: Path, key: str, value: Any) -> None:
    """What is missing or of another type is not said."""
    said = {"schema": envelope.SCHEMA, "sha256": "0", "commit": "c", key: value}
    (tmp_path / f"r.json{envelope.SUFFIX}").write_text(json.dumps(said))
    found = envelope.read(tmp_path / "r.json")
    assert found is not None
    assert found.inputs == () and found.scanned_path == "" and found.scanned_files is None
    assert found.clean is (value if key == "clean" and value is True else None)


def test_no_envelope_is_none(tmp_path: Path) -> None:
    """A report alone says for itself what it can."""
    assert envelope.read(tmp_path / "r.json") is None
