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


if __name__ == "__main__":
    os.execve(sys.argv[2], sys.argv[2:], {**os.environ, **read(Path(sys.argv[1]))})  # noqa: S606
