"""Prometheus: scrapes every server of the demo each second, evaluates the alert rules, tells Alertmanager.

DIR/prometheus/prometheus.yml and DIR/prometheus/rules/*.yml are what it runs on; after an edit, `reload`
(SIGHUP) makes them effective. The rules as released stay in DIR/release/rules.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pytest_deploycheck.demo import alertmanager, blackbox, exporters, runbooks, tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

RULES = Path(__file__).with_name("files") / "rules"
RULE_TESTS = Path(__file__).with_name("files") / "rule_tests"
RUNBOOK_MARK = "@RUNBOOKS@"
RETENTION = "30d"
SCRAPE_INTERVAL_S = 1

_JUST_BEGUN = {
    "window_slot_s": 3600,
    "window_cpu_max": 1.0,
    "window_memory_max": 1.0,
    "window_disk_max": 1.0,
    "window_disk_days_min": 0,
    "window_counts_max": 10,
    "window_network_errors_max": 10000,
}
_HEAD = """\
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
  evaluation_interval: {interval}s
  external_labels:
    deployment: demo
rule_files:
  - rules/*.yml
"""
_ALERTING = """\
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["127.0.0.1:{port}"]
"""
_JOB = """\
  - job_name: {job}
    static_configs:
"""
_TARGET = """\
      - targets: ["127.0.0.1:{port}"]
        labels: {{service: {service}}}
"""
_BLACKBOX = """\
  - job_name: blackbox
    metrics_path: /probe
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__address__], target_label: instance}}
      - {{target_label: __address__, replacement: "127.0.0.1:{port}"}}
    static_configs:
"""
_PROBED = """\
      - targets: ["{url}"]
        labels: {{service: edge, vantage: {vantage}, __param_module: {module}}}
"""


def available() -> str | None:
    """None, or why Prometheus is absent here; promtool comes with it."""
    return tools.missing("prometheus")


def scraped(world: World) -> Mapping[str, Mapping[str, int]]:
    """Return the jobs that this machine can serve, each with its targets: service -> port."""
    jobs = {
        "app": {"app1": world.port("app1"), "app2": world.port("app2")},
        "node": {"node_exporter": world.port("node_exporter")},
        "postgres": {"postgres": world.port("pg_exporter")},
        "redis": {"valkey": world.port("redis_exporter")},
        "blackbox": {service: world.port("edge") for service in blackbox.probed(world)},
        "cadvisor": {"cadvisor": world.port("cadvisor")},
        "chain": {"chain": world.port("chain_exporter")},
        "journeys": {"journeys": world.port("journeys")},
        "logs": {"shipper": world.port("shipper"), "loki": world.port("loki")},
        "prometheus": {"prometheus": world.port("prometheus")},
        "alertmanager": {"alertmanager": world.port("alertmanager")},
    }
    absent = {
        "node": exporters.missing_node(),
        "postgres": exporters.missing_postgres(),
        "redis": exporters.missing_redis(),
        "blackbox": blackbox.available(),
        "alertmanager": alertmanager.available(),
    }
    return {job: targets for job, targets in jobs.items() if not absent.get(job)}


def configuration(world: World) -> str:
    """Return the text of prometheus.yml."""
    text = _HEAD.format(interval=SCRAPE_INTERVAL_S)
    if alertmanager.available() is None:
        text += _ALERTING.format(port=world.port("alertmanager"))
    text += "scrape_configs:\n"
    for job, targets in scraped(world).items():
        if job == "blackbox":
            text += _BLACKBOX.format(port=world.port("blackbox"))
            for url, module in blackbox.probed(world).items():
                text += _PROBED.format(url=url, module=module, vantage=blackbox.VANTAGE)
            continue
        text += _JOB.format(job=job)
        for service, port in targets.items():
            text += _TARGET.format(port=port, service=service)
    return text


def rule_files(world: World) -> dict[str, str]:
    """Return the alert rules of this deployment by file name, with its runbooks' address filled in."""
    address = runbooks.url(world)
    return {
        file.name: file.read_text().replace(RUNBOOK_MARK, address) for file in sorted(RULES.glob("*.yml"))
    }


def configure(world: World) -> None:
    """Write the configuration and the rules, over whatever was there."""
    world.path("prometheus", "prometheus.yml").write_text(configuration(world))
    for name, text in rule_files(world).items():
        world.path("prometheus", "rules", name).write_text(text)
        world.path("release", "rules", name).write_text(text)


def daemon(world: World) -> Daemon:
    """Return the server, ready when its storage is open."""
    from pytest_deploycheck.demo import past

    configure(world)
    home = world.path("prometheus")
    past.ensure(world, datetime.now(UTC))
    url = world.url("prometheus")
    return Daemon(
        "prometheus",
        [
            tools.path_of("prometheus"),
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{world.port('prometheus')}",
            # The first alerts fire before Alertmanager is discovered; the default sends them after a minute.
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ],
        home=home,
        ready=lambda: tools.answers_200(f"{url}/-/ready"),
        env={"GOMAXPROCS": "1"},
    )


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return how the windows after the go-live are judged, and that the past of a deployment is made up.

    Of a deployment that has just begun nobody expects a run each five minutes; its host is shared, as for LIMITS of
    the target file.
    """
    watch: dict[str, object] = {
        "queries": {
            "log_errors": 'sum(rate(shipper_lines_total{level="error"}[$step]))',
            "log_volume": "sum(rate(shipper_lines_total[$step]))",
        },
    }
    pending = " UNION ALL ".join(
        f"SELECT created_at FROM {table} WHERE status = 'pending'"  # noqa: S608 - our own tables
        for table in ("purchases", "redemptions")
    )
    watch["queue_queries"] = {"orders": pending}
    if not world.lived:
        return {"watch": watch, "limits": dict(_JUST_BEGUN)}
    days = world.lived.total_seconds() / 86_400
    made_up = f"the {days:g} days before this folder was made: samples in Prometheus, runs in the ledger, times of orders and backups"
    return {"watch": watch, "standins": {"past": made_up}}


def reload(world: World, daemon: Daemon) -> None:
    """Make edited configuration and rule files effective; a broken file leaves the old ones in force."""
    del world
    daemon.signal(signal.SIGHUP)
