"""The reference deployment's whole life."""

from __future__ import annotations

from pathlib import Path

from pytest_deploycheck.demo.rehearsal import rehearse


def test_the_whole_life_ends_in_go(tmp_path: Path) -> None:
    """Checks, ten signatures, all 125 items in one run, a sound bundle, a rollback, the windows: each GO."""
    said: list[str] = []
    status = rehearse(tmp_path / "life", tmp_path / "evidence", say=said.append)
    print("\n".join(said))
    assert status == 0, "\n".join(said)
    assert sum(line.startswith("  GO  ") for line in said) == 6
