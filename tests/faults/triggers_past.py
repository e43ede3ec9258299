"""Faults of rollback triggers: a release that is slower, or fails more, than what was there before.

The fresh deployment has no before. A Prometheus of our own has one, with made-up samples of two days; the release of
the target file is moved into the middle of them.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_deploycheck.demo import tools
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.tools import edited
from tests.faults.triggers import NEEDS, PERF, Injection

STEP_S = 120
AGO = timedelta(hours=6)
"""How long ago the release was."""
BACK = timedelta(hours=32)
WITHIN = {"0.1": 0.5, "0.25": 0.9, "0.5": 0.99, "1.0": 0.999, "2.5": 1.0, "+Inf": 1.0}
"""Share of requests answered within so many seconds: the 95th percentile is about a third of a second."""


def samples(now: datetime, *, slower: float, errors: float, traffic: float) -> Iterator[str]:
    """Yield two days as OpenMetrics text; the factors hold since the release."""
    start, release = (now - BACK).timestamp(), (now - AGO).timestamp()
    steps = range(int(BACK.total_seconds()) // STEP_S)
    bounds = [float(one) for one in WITHIN]

    def within(bound: float, factor: float) -> float:
        """Return the share answered within a bound when all takes so many times longer: between the bounds, a line."""
        at, low, share = bound / factor, 0.0, 0.0
        for upper, total in zip(bounds, WITHIN.values(), strict=True):
            if at <= upper:
                return (
                    total if upper == float("inf") else share + (total - share) * (at - low) / (upper - low)
                )
            low, share = upper, total
        return 1.0

    def series(head: str, per_s: float, changed: float) -> Iterator[str]:
        total = 0.0
        for step in steps:
            at = start + step * STEP_S
            total += STEP_S * (per_s if at < release else changed)
            yield f"{head} {total:.3f} {at:.0f}\n"

    rate = 12.0
    for status, share in (("200", 0.999), ("500", 0.001)):
        later = share * (errors if status == "500" else 1.0)
        head = f'http_requests_total{{job="app",status="{status}"}}'
        yield from series(head, rate * share, rate * traffic * later)
    for name, bound in zip(WITHIN, bounds, strict=True):
        head = f'http_request_duration_seconds_bucket{{job="app",le="{name}"}}'
        yield from series(head, rate * within(bound, 1.0), rate * traffic * within(bound, slower))
    yield "# EOF\n"


@contextmanager
def remembering(demo: Deployment, **factors: float) -> Iterator[None]:
    """Let the target's Prometheus be one with a past, and its release be in the middle of that."""
    now = datetime.now(UTC)
    folder = Path(tempfile.mkdtemp(prefix="past-", dir=demo.world.dir))
    values = {"slower": 1.0, "errors": 1.0, "traffic": 1.0, **factors}
    text = folder / "past.om"
    text.write_text("".join(samples(now, **values)))
    command = [tools.path_of("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q"]
    command += ["--max-block-duration=720h", str(text), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    url = f"http://127.0.0.1:{port}"
    server = Daemon(
        "past",
        [
            tools.path_of("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        home=folder,
        ready=lambda: tools.answers_200(f"{url}/-/ready"),
        env={"GOMAXPROCS": "1"},
    )
    written = demo.target.read_text()
    line = next(one for one in written.splitlines() if one.startswith("deployed_at = "))
    moved = f'deployed_at = "{(now - AGO).isoformat()}"'
    server.start()
    try:
        server.wait_ready()
        with edited(demo.target, (demo.world.url("prometheus"), url), (line, moved)):
            yield
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def since_release(**factors: float) -> Injection:
    """Return an injection of a release that changed something by these factors."""
    return lambda demo: remembering(demo, **factors)


for name, becomes, factors in (
    ("twice as slow as before", Verdict.FAILED, {"slower": 2.0}),
    ("three times the errors of before", Verdict.FAILED, {"errors": 3.0}),
    ("before was an idle night", Verdict.UNPROVEN, {"traffic": 10.0}),
    ("nobody comes any more", Verdict.UNPROVEN, {"traffic": 0.05}),
):
    fault(PERF, name, probes=("regression",), needs=NEEDS, becomes=becomes)(since_release(**factors))
