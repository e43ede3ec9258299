"""A check that stands on another item's proof says so, and counts neither as passed nor as failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SUITE = """
import pytest
from pytest_deploycheck.check import blocked

@pytest.mark.checklist("rollback.procedure.resume", text="x")
def test_it(drill_facts):
    blocked("drill", "step 3, previous: the image is gone")
"""
TARGET = '[target]\nname = "t"\nenvironment = "staging"\nbase_url = "http://127.0.0.1:1"\n'


def test_blocked_by_a_step(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """The verdict is blocked, its reason names what by, and the run is not green."""
    (tmp_path / "t.toml").write_text(TARGET)
    pytester.makepyfile(test_stands=SUITE)
    result = pytester.runpytest_subprocess(
        "--target", str(tmp_path / "t.toml"), "--evidence", str(tmp_path / "e"), timeout=120
    )
    assert result.ret != 0
    values = json.loads((tmp_path / "e" / "evidence.json").read_text())
    [item] = [one for one in values["items"] if one["item"] == "rollback.procedure.resume"]
    assert item["verdict"] == "blocked"
    assert values["decision"]["decision"] != "GO"
    result.stdout.fnmatch_lines(["BLOCKED*Resume normal operations?[[]drill[]]: step 3, previous*"])
