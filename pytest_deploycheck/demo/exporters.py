"""The exporters of host, database and cache metrics, each used when this machine has it."""

from __future__ import annotations

import time

from pytest_deploycheck.demo import postgres, tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import World

_COLLECTORS = (
    "cpu",
    "diskstats",
    "filefd",
    "filesystem",
    "loadavg",
    "meminfo",
    "netdev",
    "stat",
    "textfile",
    "timex",
    "uname",
    "vmstat",
)


def missing_node() -> str | None:
    """None, or why the node exporter is absent here."""
    return tools.missing("node_exporter")


def missing_postgres() -> str | None:
    """None, or why the PostgreSQL exporter is absent here."""
    return tools.missing("postgres_exporter")


def missing_redis() -> str | None:
    """None, or why the Redis exporter is absent here."""
    return tools.missing("redis_exporter")


def available() -> str | None:
    """None when at least one exporter is here; else why none is."""
    reasons = [missing_node(), missing_postgres(), missing_redis()]
    return None if None in reasons else "; ".join(filter(None, reasons))


def daemons(world: World) -> list[Daemon]:
    """Return the exporters that this machine has; the servers they ask may come up later."""
    found = []
    if missing_node() is None:
        found.append(_node(world))
    if missing_postgres() is None:
        found.append(_postgres(world))
    if missing_redis() is None:
        found.append(_redis(world))
    return found


def _node(world: World) -> Daemon:
    jobs = world.path("node_exporter", "textfile", "jobs.prom")
    if not jobs.exists():
        render("host_jobs.prom", jobs, now=round(time.time()))
    return _exporter(
        world,
        "node_exporter",
        "node_exporter",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in _COLLECTORS),
        # By default overlay is left out, which is all that a container has.
        "--collector.filesystem.fs-types-exclude=^(autofs|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl"
        "|hugetlbfs|mqueue|nsfs|proc|pstore|rpc_pipefs|securityfs|squashfs|sysfs|tmpfs|ramfs|tracefs)$",
        f"--collector.textfile.directory={jobs.parent}",
        f"--web.listen-address=127.0.0.1:{world.port('node_exporter')}",
        "--log.level=warn",
    )


def _postgres(world: World) -> Daemon:
    queries = render("postgres_queries.yaml", world.path("pg_exporter", "queries.yaml"))
    return _exporter(
        world,
        "pg_exporter",
        "postgres_exporter",
        f"--extend.query-path={queries}",
        "--disable-settings-metrics",
        "--no-collector.bgwriter",  # the columns that it reads are gone since PostgreSQL 17
        f"--web.listen-address=127.0.0.1:{world.port('pg_exporter')}",
        "--log.level=error",
        env={"DATA_SOURCE_NAME": postgres.dsn(world, "metrics")},
    )


def _redis(world: World) -> Daemon:
    return _exporter(
        world,
        "redis_exporter",
        "redis_exporter",
        f"-web.listen-address=127.0.0.1:{world.port('redis_exporter')}",
        "-connection-timeout=1s",
        env={
            "REDIS_ADDR": f"redis://127.0.0.1:{world.port('valkey')}",
            "REDIS_PASSWORD": world.secret("redis_password"),
        },
    )


def _exporter(world: World, name: str, tool: str, *options: str, env: dict[str, str] | None = None) -> Daemon:
    root = f"{world.url(name)}/"
    return Daemon(
        name,
        [tools.path_of(tool), *options],
        home=world.path(name),
        ready=lambda: tools.answers_200(root),
        env={"GOMAXPROCS": "1", **(env or {})},
    )
