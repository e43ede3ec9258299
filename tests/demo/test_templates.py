"""Configuration templates: every placeholder gets a value, and a file with a secret is never readable."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pytest_deploycheck.demo.templates import render


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    """A placeholder without a value is an error, and no file is written."""
    with pytest.raises(KeyError, match="password"):
        render("valkey.conf", tmp_path / "valkey.conf", port=1, data="/x")
    assert list(tmp_path.iterdir()) == []


def test_values_and_mode(tmp_path: Path) -> None:
    """The values stand in the file, which has the mode asked for."""
    path = render("valkey.conf", tmp_path / "a" / "v.conf", mode=0o600, port=7001, data="/x", password="p")
    assert "port 7001\n" in path.read_text()
    assert "@" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
