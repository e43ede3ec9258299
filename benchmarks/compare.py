"""Compare our run with the same checks written plainly, one after another.

python benchmarks/compare.py DIR/target.toml [--runs N]: both are whole pytest processes over the same
deployment, by turns, after one run of each that is not counted. Prints the median times, their ratio, and what
each sent; --json FILE keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUITES = HERE.parent / "suites" / "post_deploy"
RUN_LIMIT_S = 180
# The pauses of production, which are the limits' defaults; a demo's file shortens them.
PRODUCTION = {
    "health_interval_s": "health_interval_s = 2.0",
    "latency_samples": "latency_samples = 20",
    "latency_interval_s": "latency_interval_s = 1.0",
    "db_stats_interval_s": "db_stats_interval_s = 20",
}
# Our tests of the items that benchmarks/plain looks at, in the same order.
OURS = (
    "test_functional.py::test_health",
    "test_functional.py::test_health_is_the_release",
    "test_performance.py::test_latency",
    "test_performance.py::test_memory",
    "test_performance.py::test_cpu",
    "test_performance.py::test_db_statements",
    "test_performance.py::test_db_bounds",
    "test_security.py::test_cert",
    "test_security.py::test_cert_stores",
    "test_security.py::test_cert_protocols",
    "test_security.py::test_headers",
    "test_functional.py::test_wallet",
    "test_functional.py::test_wallet_history",
    "test_monitoring.py::test_prometheus",
    "test_monitoring.py::test_prometheus_moves",
    "test_security.py::test_logs",
)


def main() -> int:
    """Run both, print the comparison; status 1 when one of them is not green."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="target file of a running demo")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each, at most 10")
    parser.add_argument(
        "--pace",
        choices=("demo", "production"),
        default="demo",
        help="wait between looks as the demo's target file says, or as long as on production",
    )
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, paced(options.target.resolve(), options.pace) as target:
        evidence, count = Path(scratch) / "evidence", Path(scratch) / "count.json"
        sides = {"plain": plain(), "ours": ours(target)}
        environment = {"BENCH_TARGET": str(target), "BENCH_COUNT": str(count)}
        timed(sides["plain"], environment)
        timed([*sides["ours"], "--evidence", str(evidence)], environment)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(max(1, min(options.runs, 10))):
            for name, argv in sides.items():
                times[name].append(timed(argv, environment))
        sent = {"plain": json.loads(count.read_text())["requests"], "ours": requests_of(evidence)}
    result = report(times, sent)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


@contextmanager
def paced(target: Path, pace: str) -> Iterator[Path]:
    """Yield the target file, or a copy beside it that waits between looks as the defaults of the limits do."""
    if pace == "demo":
        yield target
        return
    copy = target.with_name("target-production-pace.toml")
    lines = target.read_text().splitlines()
    copy.write_text(
        "\n".join(PRODUCTION.get(line.partition(" = ")[0], line) for line in lines if line.strip()) + "\n"
    )
    try:
        yield copy
    finally:
        copy.unlink()


def plain() -> list[str]:
    """Return the command of the plain tests, without our plugin."""
    config = (
        "-c",
        os.devnull,
        f"--rootdir={HERE / 'plain'}",
        "-p",
        "no:deploycheck",
        "-p",
        "no:cacheprovider",
    )
    return [sys.executable, "-m", "pytest", "-q", *config, str(HERE / "plain" / "test_plain.py")]


def ours(target: Path) -> list[str]:
    """Return the command of our tests of the same items."""
    tests = [str(SUITES / name) for name in OURS]
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--target={target}", *tests]


def timed(argv: list[str], environment: dict[str, str]) -> float:
    """Return the seconds of one green run; a run that is not green is no comparison and ends this one."""
    started = time.monotonic()
    done = subprocess.run(
        argv,
        env={**os.environ, **environment},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
    )
    took = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(
            f"not green, so nothing was compared: {' '.join(argv[-3:])}\n{done.stdout[-3000:]}{done.stderr[-500:]}"
        )
    return took


def requests_of(evidence: Path) -> int:
    """Return how many requests our run's ledger counts over HTTP."""
    record = json.loads((evidence / "evidence.json").read_text())
    methods = {"GET", "HEAD", "OPTIONS", "POST"}
    return sum(entry["count"] for entry in record["requests"] if entry["action"] in methods)


def report(times: dict[str, list[float]], sent: dict[str, int]) -> dict[str, Any]:
    """Print and return the medians and their ratio."""
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratio = medians["plain"] / medians["ours"]
    print(f"{'':8}{'median':>9}{'fastest':>9}{'slowest':>9}{'HTTP requests':>15}")
    for name, found in times.items():
        print(f"{name:8}{medians[name]:8.2f}s{min(found):8.2f}s{max(found):8.2f}s{sent[name]:15}")
    print(f"ratio   {ratio:8.2f}  (plain / ours, {len(times['ours'])} runs each)")
    return {"times_s": times, "median_s": medians, "ratio": round(ratio, 3), "http_requests": sent}


if __name__ == "__main__":
    sys.exit(main())
