"""Faults of Performance Testing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import requests

from pytest_deploycheck.demo import postgres, standins
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import Inject, fault
from tests.faults.tools import edited, reloaded, stopped, switched, switches_in

LATENCY = "post_deploy.performance.latency"
LOAD = "post_deploy.performance.load"
MEMORY = "post_deploy.performance.memory"
CPU = "post_deploy.performance.cpu"
DB = "post_deploy.performance.db"

ONCE = {"latency_samples": 1}


@fault(LATENCY, "two endpoints sleep", probes=("latency",), limits=ONCE)
@contextmanager
def slow_endpoints(demo: Deployment) -> Iterator[None]:
    """Let two of ten endpoints take longer than the limit."""
    with switched(demo, slow_routes={"/chain": 1.1, "/wallet": 1.1}):
        yield


@fault(LATENCY, "an endpoint answers 404 at once", probes=("latency",), limits=ONCE)
@contextmanager
def fast_404(demo: Deployment) -> Iterator[None]:
    """Be fast by not answering."""
    with switched(demo, fast_404=["/wallet"]):
        yield


@fault(LATENCY, "an endpoint redirects to a login page", probes=("latency",), limits=ONCE)
@contextmanager
def fast_redirect(demo: Deployment) -> Iterator[None]:
    """Let the edge send everybody to a login page instead of an answer."""
    with _instead(demo, "/me", "return 302 https://localhost/login;"):
        yield


@fault(LATENCY, "the edge answers with a page that is no JSON", probes=("latency",), limits=ONCE)
@contextmanager
def fast_page(demo: Deployment) -> Iterator[None]:
    """Let a page of the edge stand in for the service, status 200 and the right media type."""
    with _instead(demo, "/wallet", "default_type application/json; return 200 '<h1>Back soon</h1>';"):
        yield


@contextmanager
def _instead(demo: Deployment, path: str, directives: str) -> Iterator[None]:
    config = demo.world.path("nginx", "nginx.conf")
    with reloaded(
        demo,
        "nginx",
        config,
        ("        location / {\n", f"        location = {path} {{ {directives} }}\n        location / {{\n"),
    ):
        yield


@contextmanager
def _reported(demo: Deployment, change: Callable[[Path, dict[str, Any]], None]) -> Iterator[None]:
    """Let the report of the last load test count, without a new one, and change it as a whole.

    `change` gets the folder and the manifest, whose digests are made anew afterwards.
    """
    folder = demo.world.path("reports", "load")
    with _put_back(folder), edited(demo.target, ('"load", ', "")):
        manifest = json.loads((folder / "manifest.json").read_text())
        change(folder, manifest)
        for name in manifest.get("sha256", {}):
            manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
        yield


@contextmanager
def _put_back(folder: Path) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / "kept"
        shutil.copytree(folder, kept)
        try:
            yield
        finally:
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)


def _rewrite(path: Path, change: Callable[[dict[str, str]], None]) -> None:
    """Change the rows of a CSV file."""
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    for row in rows:
        change(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _statistics(change: Callable[[dict[str, str]], None]) -> Inject:
    """Return a fault that changes the rows of the statistics."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with _reported(demo, lambda folder, _: _rewrite(folder / "deploycheck_stats.csv", change)):
            yield

    return inject


def _manifest(**values: Any) -> Inject:
    """Return a fault that changes what the manifest says."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        with _reported(demo, lambda _, manifest: manifest.update(values)):
            yield

    return inject


def _no_requests(row: dict[str, str]) -> None:
    quantiles = {name: "N/A" for name in row if name.endswith("%")}
    row.update(quantiles | {"Request Count": "0", "Failure Count": "0", "Requests/s": "0.0"})


def _failures(row: dict[str, str]) -> None:
    row["Failure Count"] = str(int(row["Request Count"]) // 20 + 1)


def _slow_route(row: dict[str, str]) -> None:
    if row["Name"] == "/wallet":
        row.update({"95%": "1900", "98%": "2000", "99%": "2000", "100%": "2000"})


def _rare_route(row: dict[str, str]) -> None:
    if row["Name"] == "/wallet":
        row["Request Count"] = "2"


fault(LOAD, "no request was made", probes=("load",))(_statistics(_no_requests))
fault(LOAD, "5 percent of the requests failed", probes=("load",))(_statistics(_failures))
fault(LOAD, "one slow route behind a quick average", probes=("load",))(_statistics(_slow_route))
fault(LOAD, "a critical route was hardly asked", probes=("load",))(_statistics(_rare_route))
fault(LOAD, "another host was tested", probes=("load",))(_manifest(host="https://mock.example"))
fault(LOAD, "another commit was tested", probes=("load",))(_manifest(commit="f" * 40))
fault(LOAD, "fewer users than asked for", probes=("load",))(_manifest(users=2))
fault(LOAD, "a much shorter test", probes=("load",))(_manifest(duration_s=0.5))
fault(LOAD, "a rate that was never reached", probes=("load",))(_manifest(rps=3000))
fault(LOAD, "the report is old", probes=("load",), becomes=Verdict.UNPROVEN)(
    _manifest(started_at=(datetime.now(UTC) - timedelta(days=45)).isoformat())
)


@fault(LOAD, "the users never came", probes=("load",))
@contextmanager
def no_ramp(demo: Deployment) -> Iterator[None]:
    """Let the history tell of one user where ten were due."""

    def alone(folder: Path, _: dict[str, Any]) -> None:
        _rewrite(folder / "deploycheck_stats_history.csv", lambda row: row.update({"User Count": "1"}))

    with _reported(demo, alone):
        yield


@fault(LOAD, "the locustfile raises", probes=("load",))
@contextmanager
def exceptions(demo: Deployment) -> Iterator[None]:
    """Let Locust's list of exceptions hold one."""

    def raised(folder: Path, _: dict[str, Any]) -> None:
        (folder / "deploycheck_exceptions.csv").write_text(
            "Count,Message,Traceback,Nodes\n3,'id',File x,local\n"
        )

    with _reported(demo, raised):
        yield


@fault(LOAD, "the numbers were touched up", probes=("load",))
@contextmanager
def touched_up(demo: Deployment) -> Iterator[None]:
    """Change the statistics without their digest."""
    stats = demo.world.path("reports", "load", "deploycheck_stats.csv")
    with edited(demo.target, ('"load", ', "")), edited(stats, ("/chain", "/chains")):
        yield


@fault(LOAD, "the report is missing", probes=("load",), becomes=Verdict.UNPROVEN)
@contextmanager
def no_report(demo: Deployment) -> Iterator[None]:
    """Take the manifest away, and with it all knowledge of what was tested."""
    with _reported(demo, lambda folder, _: None):
        demo.world.path("reports", "load", "manifest.json").unlink()
        yield


@fault(LOAD, "the service fails under load", probes=("load",))
@contextmanager
def fails_under_load(demo: Deployment) -> Iterator[None]:
    """Let one of five endpoints fail while a real load test runs: it is to stop by itself."""
    with _put_back(demo.world.path("reports", "load")), switched(demo, fast_404=["/chain"]):
        yield


SHORT = {
    "resource_window_s": 3,
    "resource_rate_s": 3,
    "resource_min_span_s": 1,
    "trend_window_s": 4,
    "memory_projection_s": 40,
    "memory_oom_window_s": 4,
    "cpu_sustained_s": 2,
}
"""Windows so short that one fault does not reach into the next."""
TAIL_S = 1.5
"""Until the next fault is measured, another scrape or two go by; with this, the windows are over."""


def _measured(demo: Deployment, query: str, *, for_s: float = 15.0) -> None:
    """Wait until a query has a result."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        url = f"{demo.world.url('prometheus')}/api/v1/query"
        answer = requests.get(url, params={"query": query}, timeout=5).json()
        if answer["data"]["result"]:
            return
        time.sleep(0.1)
    raise AssertionError(f"Prometheus never saw {query}; the fault would break nothing")


@contextmanager
def _container(demo: Deployment, seen: str, **switches: Any) -> Iterator[None]:
    """Let the container metrics say something else, and wait until it is seen, and until it is gone again."""
    with switches_in(demo.world.path("cadvisor", "switches.json"), **switches):
        _measured(demo, seen)
        yield
    _measured(demo, f"count(container_last_seen) unless count({seen})")
    time.sleep(TAIL_S)


@fault(CPU, "a tiny CPU quota", probes=("resources",), needs=("prometheus",), limits=SHORT)
@contextmanager
def tiny_quota(demo: Deployment) -> Iterator[None]:
    """Give an instance a hundredth of a processor."""
    throttled = 'increase(container_cpu_cfs_throttled_periods_total{name="app1"}[2s]) > 1'
    with _container(demo, throttled, cpus={"app1": 0.01}):
        yield


@fault(CPU, "a busy loop", probes=("resources",), needs=("prometheus",), limits=SHORT)
@contextmanager
def busy_loop(demo: Deployment) -> Iterator[None]:
    """Burn CPU in the service; its quota is such that a busy machine does not hide it."""
    burning = 'rate(container_cpu_usage_seconds_total{name="app1"}[3s]) > 0.15'
    cadvisor = demo.world.path("cadvisor", "switches.json")
    with switched(demo, busy_loop=True), switches_in(cadvisor, cpus={"app1": 0.14}):
        _measured(demo, burning)
        time.sleep(SHORT["cpu_sustained_s"])
        yield
    _measured(demo, f"count(container_last_seen) unless count({burning})")


@fault(MEMORY, "no memory limit", probes=("resources",), needs=("prometheus",), limits=SHORT)
@contextmanager
def no_limit(demo: Deployment) -> Iterator[None]:
    """Take a container's limit away, after which it uses 0 % of it."""
    unlimited = 'container_spec_memory_limit_bytes{name="app1"} == 0'
    with _container(demo, unlimited, memory_limit_bytes={"app1": 0}):
        yield


@fault(MEMORY, "the service holds on to memory", probes=("resources",), needs=("prometheus",), limits=SHORT)
@contextmanager
def leaked(demo: Deployment) -> Iterator[None]:
    """Let the service really hold 390 MB more."""
    with switched(demo, leak_mb=390):
        _measured(demo, 'container_memory_working_set_bytes{name="app1"} > 4.4e8')
        time.sleep(1)  # it is the window's 95th percentile that is judged
        yield
    _measured(demo, 'container_memory_working_set_bytes{name="app1"} < 4e8')
    time.sleep(TAIL_S)


@fault(MEMORY, "a leak that is still small", probes=("resources",), needs=("prometheus",), limits=SHORT)
@contextmanager
def small_leak(demo: Deployment) -> Iterator[None]:
    """Let a container grow by 15 MB a second, far below its limit yet."""
    ended = threading.Event()
    path = demo.world.path("cadvisor", "switches.json")
    begun = time.monotonic()

    def grow() -> None:
        while not ended.wait(0.2):
            extra = int(15e6 * (time.monotonic() - begun))
            partial = path.with_suffix(".leak")
            partial.write_text(json.dumps({"extra_memory_bytes": {"app1": extra}}))
            partial.replace(path)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        time.sleep(SHORT["trend_window_s"])
        yield
    finally:
        ended.set()
        thread.join()
        path.unlink()
        time.sleep(SHORT["trend_window_s"])


@fault(
    MEMORY,
    "a container was killed for want of memory",
    probes=("resources",),
    needs=("prometheus",),
    limits=SHORT,
)
@contextmanager
def oom_killed(demo: Deployment) -> Iterator[None]:
    """Count one kill; the container runs again as if nothing had been."""
    with _container(demo, 'container_oom_events_total{name="app2"} > 0', oom_events={"app2": 1}):
        yield


@fault(
    MEMORY,
    "nobody uses the service",
    probes=("resources",),
    also=(CPU,),
    needs=("prometheus",),
    limits=SHORT,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def idle(demo: Deployment) -> Iterator[None]:
    """Stop the traffic and the journeys; monitoring still asks for the health each second."""
    standins.switch(demo.world, "journeys", stopped=True)
    try:
        with stopped(demo, "traffic"):
            time.sleep(SHORT["resource_window_s"] + 2)
            yield
    finally:
        standins.switch(demo.world, "journeys", stopped=None)


@fault(DB, "a hot query sleeps", probes=("db_stats",), limits={"db_stats_interval_s": 2})
@contextmanager
def slow_query(demo: Deployment) -> Iterator[None]:
    """Let the query behind every protected request take 0.3 s."""
    with switched(demo, slow_query=True):
        yield


@contextmanager
def _superuser(demo: Deployment, count: int = 1) -> Iterator[list[psycopg.Connection[Any]]]:
    """Open sessions that are nobody's of the application."""
    found: list[psycopg.Connection[Any]] = []
    try:
        for _ in range(count):
            found.append(psycopg.connect(postgres.dsn(demo.world, "postgres"), autocommit=True))
        yield found
    finally:
        for one in found:
            one.close()


AT_ONCE = {"db_stats_interval_s": 0.3}


@fault(DB, "somebody waits for a lock", probes=("db_stats",), limits={**AT_ONCE, "db_lock_wait_max_s": 0.5})
@contextmanager
def lock_holder(demo: Deployment) -> Iterator[None]:
    """Hold a table's lock while somebody else waits for it."""
    with _superuser(demo, 2) as (holder, waiter):
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
        waiter.execute("SET lock_timeout = 0")

        def wait() -> None:
            with suppress(psycopg.Error):
                waiter.execute("TABLE schema_migrations")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.5)
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            thread.join()


@fault(DB, "a transaction stays open", probes=("db_stats",), limits={**AT_ONCE, "db_longest_tx_s": 0.8})
@contextmanager
def open_transaction(demo: Deployment) -> Iterator[None]:
    """Begin, read, and never end."""
    with _superuser(demo) as (session,):
        session.execute("BEGIN")
        session.execute("SELECT count(*) FROM purchases")
        time.sleep(0.8)
        yield


@fault(DB, "connections run out", probes=("db_stats",), limits=AT_ONCE)
@contextmanager
def connections_taken(demo: Deployment) -> Iterator[None]:
    """Take most of the sixty connections."""
    with _superuser(demo, 42):
        yield


@fault(DB, "a table full of dead rows", probes=("db_stats",), limits=AT_ONCE)
@contextmanager
def dead_rows(demo: Deployment) -> Iterator[None]:
    """Delete half of a table that nobody vacuums."""
    with _superuser(demo) as (session,):
        session.execute(
            "CREATE TABLE rot WITH (autovacuum_enabled = false) AS SELECT generate_series(1, 30000) AS id"
        )
        session.execute("DELETE FROM rot WHERE id % 2 = 0")
        session.execute("SELECT pg_stat_force_next_flush()")
        try:
            yield
        finally:
            session.execute("DROP TABLE rot")


@fault(DB, "a big table is read from end to end", probes=("db_stats",), limits={"db_stats_interval_s": 1.5})
@contextmanager
def sequential_scans(demo: Deployment) -> Iterator[None]:
    """Look rows up in a big table without an index, again and again."""
    ended = threading.Event()
    with _superuser(demo) as (session,):
        session.execute("CREATE TABLE heap AS SELECT generate_series(1, 120000) AS id")
        session.execute("ANALYZE heap")

        def look_up() -> None:
            while not ended.wait(0.1):
                session.execute("SELECT id FROM heap WHERE id = 7")
                session.execute("SELECT pg_stat_force_next_flush()")

        thread = threading.Thread(target=look_up)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            session.execute("DROP TABLE heap")


@fault(DB, "the statistics are reset", probes=("db_stats",), limits=AT_ONCE, becomes=Verdict.UNPROVEN)
@contextmanager
def reset(demo: Deployment) -> Iterator[None]:
    """Forget whatever was slow before."""
    with _superuser(demo) as (session,):
        session.execute("SELECT pg_stat_reset()")
        yield


@fault(DB, "nobody counts statements", probes=("db_stats",), limits=AT_ONCE, becomes=Verdict.UNPROVEN)
@contextmanager
def no_extension(demo: Deployment) -> Iterator[None]:
    """Drop the extension: there are no slow statements any more."""
    with _superuser(demo) as (session,):
        session.execute("DROP EXTENSION pg_stat_statements")
        try:
            yield
        finally:
            session.execute("CREATE EXTENSION pg_stat_statements")


@fault(DB, "the role may not see other roles' work", probes=("db_stats",), becomes=Verdict.UNPROVEN)
@contextmanager
def no_grant(demo: Deployment) -> Iterator[None]:
    """Revoke what lets the read-only role see statistics."""
    with _superuser(demo) as (session,):
        session.execute("REVOKE pg_monitor FROM deploycheck")
        try:
            yield
        finally:
            session.execute("GRANT pg_monitor TO deploycheck")
