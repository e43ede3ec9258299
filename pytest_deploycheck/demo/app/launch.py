"""Starts a command with the variables of an environment file: `launch.py FILE COMMAND …`.

The process's environment is then exactly what the file said at its start, as with a container's env_file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines; quotes around a value are not part of it."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): _plain(value.strip()) for name, _, value in pairs}


def _plain(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


_OWN = frozenset(
    "PATH PYTHONPATH LD_LIBRARY_PATH TMPDIR DEPLOYCHECK_EVM LANG LC_ALL HOME INSTANCE PORT LOG_FILE SWITCHES_FILE".split()
)
"""What a process has besides the file's variables."""


def again(path: Path) -> None:
    """Put the service in this process's place, with what the file says now."""
    kept = {name: value for name, value in os.environ.items() if name in _OWN}
    command = [
        sys.executable,
        "-I",
        "-S",
        __file__,
        str(path),
        sys.executable,
        "-m",
        "pytest_deploycheck.demo.app",
    ]
    os.execve(command[0], command, kept)  # noqa: S606 - itself


if __name__ == "__main__":
    os.execve(sys.argv[2], sys.argv[2:], {**os.environ, **read(Path(sys.argv[1]))})  # noqa: S606
