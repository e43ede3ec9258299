"""Compare listing the suites with pytest's own listing of as many tests in as many files.

python benchmarks/listing.py [--runs N]: both are whole `pytest --collect-only` processes in the environment of this
Python, by turns, after one of each that is not counted and fills the caches of compiled modules; bare pytest has the
same other plugins, and ours off. Prints the medians and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIMIT_S = 60


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each, at most 30")
    runs = min(parser.parse_args().runs, 30)
    with tempfile.TemporaryDirectory() as folder:
        tests = _imitate(Path(folder), _listed(ROOT).splitlines())
        took: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(runs + 1):
            for name, place, more in (("ours", ROOT, []), ("bare", Path(folder), ["-p", "no:deploycheck"])):
                begun = time.perf_counter()
                _listed(place, *more)
                took[name].append(time.perf_counter() - begun)
    ours, bare = (statistics.median(took[name][1:]) for name in ("ours", "bare"))
    print(f"{tests} tests: ours {ours:.2f} s, bare pytest {bare:.2f} s, ratio {ours / bare:.2f}")
    return 0


def _listed(place: Path, *more: str) -> str:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "suites", *more]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=place, env=kept, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def _imitate(folder: Path, listed: list[str]) -> int:
    """Write as many tests that do nothing into as many files of the same names; return how many."""
    files = Counter(line.partition("::")[0] for line in listed if "::" in line)
    for name, count in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in (path.parent, folder / "suites"):
            (package / "__init__.py").touch()
        path.write_text("".join(f"def test_{n}():\n    assert {n} >= 0\n" for n in range(count)))
    return files.total()


if __name__ == "__main__":
    sys.exit(main())
