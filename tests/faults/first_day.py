"""Faults of the first day and the first week: another past in Prometheus, in the ledger, or in the review.

The deployment is the one that has lived. Of its past the first day alone is written anew, without and then with
what happened; Prometheus is stopped, given it, and started again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck import ledger
from pytest_deploycheck.demo import past
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.past import Past
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault

PERFORMANCE = "post_go_live.first_day.performance"
ERRORS = "post_go_live.first_day.errors"
CHAIN = "post_go_live.first_day.chain"
RESOURCES = "post_go_live.first_day.resources"
TRANSACTIONS = "post_go_live.first_day.transactions"
TRENDS = "post_go_live.first_week.trends"
NEEDS = ("prometheus", "people")
NOON = 12.0
"""Hours from go-live at which most of it happens."""


@contextmanager
def happened(demo: Deployment, change: Callable[[Past], object], *pieces: str) -> Iterator[None]:
    """Let something have happened, in the first day or in the given pieces of the past."""
    world = demo.world
    if pieces:
        made = past.made_up(world, datetime.now(UTC))
    else:
        go_live = datetime.fromisoformat(world.release.deployed_at)
        made = past.made_up(world, go_live + timedelta(hours=25), timedelta(hours=1))
    change(made)
    pieces = pieces or ("day",)
    folders = {piece: world.path("prometheus", f"other-{piece}") for piece in pieces}
    for piece, folder in folders.items():
        shutil.rmtree(folder, ignore_errors=True)
        past.write(made, piece, folder)
    _swap(demo, **folders)
    try:
        yield
    finally:
        _swap(demo)


def _swap(demo: Deployment, **folders: Path) -> None:
    demo.service("prometheus").stop()
    past.put(demo.world, **folders)
    demo.service("prometheus").start()
    demo.service("prometheus").wait_ready()


def day(
    change: Callable[[Past], object], *pieces: str
) -> Callable[[Deployment], AbstractContextManager[None]]:
    """Return an injection of something that happened."""

    def inject(demo: Deployment) -> AbstractContextManager[None]:
        return happened(demo, change, *pieces)

    return inject


def slow(made: Past, start: float, end: float, share: float = 0.8) -> None:
    """Let this share of the requests take two seconds for a while."""
    for series in made.named("http_request_duration_seconds_bucket"):
        if float(dict(series[1])["le"]) < 2.5:
            for n in made.between(start, end):
                made.counters[series][n] *= 1 - share


def failing(made: Past, start: float, end: float, ratio: float) -> None:
    """Let this share of the requests be answered with 500 for a while."""
    good = made.named("http_requests_total", route="/token", status="200")
    bad = made.named("http_requests_total", route="/token", status="500")
    for one, other in zip(good, bad, strict=True):
        for n in made.between(start, end):
            came = made.counters[one][n] + made.counters[other][n]
            made.counters[one][n], made.counters[other][n] = came * (1 - ratio), came * ratio


def gone(made: Past) -> None:
    """Let no request arrive for half an hour, none of which then fails."""
    for name in ("http_requests_total", "http_request_duration_seconds_bucket"):
        made.scale(name, NOON, NOON + 0.5, 0.0)


def outside_away(made: Past) -> None:
    """Let nobody outside reach the edge for an hour, while those inside do."""
    made.put("probe_success", NOON, NOON + 1, 0.0)


def stalled(made: Past) -> None:
    """Let no block arrive for five minutes."""
    for series in made.named("chain_head_timestamp_seconds"):
        inside = made.between(NOON, NOON + 5 / 60)
        for n in inside:
            made.gauges[series][n] = made.gauges[series][inside[0]]


def filling(made: Past) -> None:
    """Let the disk lose a hundredth of its size and more each hour of the day's last twelve: full in four days."""
    (free,) = made.named("node_filesystem_avail_bytes")
    for n in made.between(13, 25):
        value = made.gauges[free][n]
        assert value is not None
        made.gauges[free][n] = value - (made.times[n] - made.go_live - 13 * 3600) / 3600 * 1.2 * 2**30


def restarted(made: Past) -> None:
    """Let a container have started again at noon."""
    made.put("container_start_time_seconds", NOON, 25, made.go_live + NOON * 3600, name="app2")


def fewer_samples(made: Past) -> None:
    """Let one of two instances be unseen for a quarter of an hour."""
    series = made.named("up", job="app")[0]
    for n in made.between(NOON, NOON + 1):
        made.gauges[series][n] = None


for item, name, change, also, becomes in (
    (PERFORMANCE, "Prometheus stopped for half an hour", lambda made: made.silence(NOON, NOON + 0.5), (), None),
    (PERFORMANCE, "an instance is not scraped for an hour", fewer_samples, (), None),
    (PERFORMANCE, "two seconds for an hour", lambda made: slow(made, NOON, NOON + 1), (), None),
    (PERFORMANCE, "not reached from outside for an hour", outside_away, (), None),
    (PERFORMANCE, "errors all day, few at a time", lambda made: failing(made, 0, 24, 0.004), (ERRORS,), None),
    (PERFORMANCE, "no histogram", lambda made: made.forget("http_request_duration_seconds_bucket"), (), Verdict.UNPROVEN),
    (ERRORS, "three in a hundred for ten minutes", lambda made: failing(made, NOON, NOON + 1 / 6, 0.03), (), None),
    (ERRORS, "half a hundredth for ten minutes", lambda made: failing(made, NOON, NOON + 1 / 6, 0.005), (), None),
    (ERRORS, "an outage without a request", gone, (), None),
    (
        ERRORS,
        "errors answered as successes",
        lambda made: made.put("shipper_lines_total", NOON, NOON + 0.2, 30.0, level="error"),
        (),
        None,
    ),
    (CHAIN, "no block for five minutes", stalled, (), None),
    (CHAIN, "the indexer stands still for an hour", lambda made: made.put("app_indexer_block", NOON, NOON + 1, 1.0), (), None),
    (CHAIN, "the node fails one call in fifty", lambda made: made.scale("app_rpc_errors_total", 0, 24, 200), (), None),
    (CHAIN, "transactions are reverted", lambda made: made.scale("app_transactions_failed_total", 0, 24, 20), (), None),
    (
        CHAIN,
        "the signer is drained",
        lambda made: made.put("chain_signer_balance_wei", NOON, 25, 1e16),
        (),
        None,
    ),
    (CHAIN, "nobody watches the chain", lambda made: made.forget("chain_head_timestamp_seconds"), (), Verdict.UNPROVEN),
    (RESOURCES, "a disk that fills", filling, (), None),
    (RESOURCES, "a container started again", restarted, (), None),
    (
        RESOURCES,
        "one container at its limit",
        lambda made: made.put("container_memory_working_set_bytes", NOON, NOON + 0.5, 500 * 2.0**20, name="rpc"),
        (),
        None,
    ),
    (RESOURCES, "no inodes left", lambda made: made.put("node_filesystem_files_free", NOON, 25, 1e5), (), None),
    (RESOURCES, "descriptors run out", lambda made: made.put("node_filefd_allocated", NOON, NOON + 1, 9e5), (), None),
    (
        RESOURCES,
        "a network card that errs",
        lambda made: made.put("node_network_receive_errs_total", NOON, NOON + 1, 10.0),
        (),
        None,
    ),
    (
        RESOURCES,
        "logs grow five times as fast",
        lambda made: made.scale("shipper_lines_total", NOON, NOON + 2, 5.0, level="info"),
        (),
        None,
    ),
    (RESOURCES, "keys were evicted", lambda made: made.put("redis_evicted_keys_total", NOON, NOON + 1, 5.0), (), None),
    (
        RESOURCES,
        "a process was killed for want of memory",
        lambda made: made.put("container_oom_events_total", NOON, NOON + 0.02, 2.0, name="postgres"),
        (),
        None,
    ),
    (RESOURCES, "nobody measures containers", lambda made: made.forget("container_start_time_seconds"), (), Verdict.UNPROVEN),
):  # fmt: skip
    fault(
        item, name, probes=("window",), also=also, needs=NEEDS, lived=True, becomes=becomes or Verdict.FAILED
    )(day(change))


@contextmanager
def entries(demo: Deployment, keep: Callable[[ledger.Entry, datetime], bool]) -> Iterator[None]:
    """Let the ledger have only some of its runs, chained as if there had never been others."""
    path = demo.world.dir / "ledger.jsonl"
    before = path.read_bytes()
    go_live = datetime.fromisoformat(demo.world.release.deployed_at)
    head, lines = ledger.GENESIS, list[str]()
    for entry in ledger.parse(before.split(b"\n")).entries:
        if keep(entry, go_live):
            values: dict[str, Any] = {**vars(entry), "n": len(lines) + 1, "prev": head}
            values["hash"] = head = ledger._hash(values)
            lines.append(json.dumps(values))
    path.write_text("\n".join([*lines, ""]))
    try:
        yield
    finally:
        path.write_bytes(before)


@fault(PERFORMANCE, "nobody looked for two hours", probes=("window_runs",), needs=NEEDS, lived=True)
@contextmanager
def nobody_looked(demo: Deployment) -> Iterator[None]:
    """Take two hours of runs out of the first day."""
    hours = timedelta(hours=3), timedelta(hours=5)
    with entries(demo, lambda entry, live: not hours[0] < entry.at - live <= hours[1]):
        yield


@fault(
    PERFORMANCE,
    "a run was taken out of the ledger",
    probes=("window_runs",),
    also=(TRENDS, TRANSACTIONS),
    needs=NEEDS,
    lived=True,
)
@contextmanager
def tampered(demo: Deployment) -> Iterator[None]:
    """Delete a line, and leave the chain as it was."""
    path = demo.world.dir / "ledger.jsonl"
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:100] + lines[101:]))
    try:
        yield
    finally:
        path.write_bytes(before)
