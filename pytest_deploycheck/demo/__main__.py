"""`python -m pytest_deploycheck.demo DIR`: the reference deployment in the foreground."""

import sys
from pathlib import Path

from pytest_deploycheck.demo.up import up

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m pytest_deploycheck.demo DIR")
    sys.exit(up(Path(sys.argv[1])))
