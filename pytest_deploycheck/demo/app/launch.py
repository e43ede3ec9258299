"""Starts a command with the variables of an environment file: `launch.py FILE COMMAND …`.

The process's environment is then exactly what the file said at its start, as with a container's env_file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=value lines; values are taken as they are, without quotes."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    os.execve(sys.argv[2], sys.argv[2:], {**os.environ, **read(Path(sys.argv[1]))})  # noqa: S606
