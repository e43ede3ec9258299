"""The account that PostgreSQL runs as reaches what it must, and gets a capability only where it has to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo import accounts

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its account")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that everybody can enter, unlike those above pytest's."""
    above = Path(tempfile.mkdtemp(prefix="deploycheck-", dir="/tmp"))
    above.chmod(0o755)
    (above / "inside").mkdir(mode=0o755)
    yield above / "inside"
    shutil.rmtree(above)


def test_an_ordinary_user_stays_itself() -> None:
    """Without an account to change to there is no prefix."""
    assert accounts.command_prefix(None, Path("/root")) == []


def test_a_closed_folder_above_counts(folder: Path) -> None:
    """A path is reached only when each folder above lets the account in."""
    assert accounts.may_enter("nobody", folder)
    folder.parent.chmod(0o700)
    try:
        assert not accounts.may_enter("nobody", folder)
    finally:
        folder.parent.chmod(0o755)


@as_root
def test_the_capability_comes_only_with_a_closed_folder(folder: Path) -> None:
    """In an open folder the account has no privilege at all; a closed one is read with exactly one."""
    (folder / "file").write_text("content")
    command = ["sh", "-c", f"id -u; cat {folder}/file; grep CapEff /proc/self/status"]
    plain = accounts.command_prefix("nobody", folder)
    result = subprocess.run([*plain, *command], capture_output=True, text=True, check=True)
    assert result.stdout == "65534\ncontentCapEff:\t0000000000000000\n"
    folder.parent.chmod(0o700)
    try:
        prefix = accounts.command_prefix("nobody", folder)
        result = subprocess.run([*prefix, *command], capture_output=True, text=True, check=True)
    finally:
        folder.parent.chmod(0o755)
    # Bit 2: to read files and enter folders without permission, not to write them.
    assert result.stdout == "65534\ncontentCapEff:\t0000000000000004\n"


@as_root
def test_a_container_s_root_uses_what_it_has(folder: Path) -> None:
    """Without the narrow capability the wider one opens the folder."""
    code = (
        "import sys; from pathlib import Path; from pytest_deploycheck.demo import accounts;"
        "print(accounts.command_prefix('nobody', Path(sys.argv[1]))[-1])"
    )
    folder.parent.chmod(0o700)
    limited = ["setpriv", "--bounding-set=-dac_read_search", sys.executable, "-c", code, str(folder)]
    result = subprocess.run(limited, capture_output=True, text=True, check=True)
    assert result.stdout == "--ambient-caps=+dac_override\n"
