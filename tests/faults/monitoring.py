"""Faults of Monitoring Setup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.harness import fault
from tests.faults.tools import edited, reloaded, stopped, switched, switches_in

PROMETHEUS = "post_deploy.monitoring.prometheus"
GRAFANA = "post_deploy.monitoring.grafana"
RULES = "post_deploy.monitoring.rules"
LOGS = "post_deploy.monitoring.logs"
ERRORS = "post_deploy.monitoring.errors"
UPTIME = "post_deploy.monitoring.uptime"
SCRAPES_S = 2.5
"""Seconds after which Prometheus, which scrapes each second, has seen a change."""


@contextmanager
def configured(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Change Prometheus's configuration, and wait until it is in force."""
    path = demo.world.path("prometheus", "prometheus.yml")
    with reloaded(demo, "prometheus", path, *changes):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@contextmanager
def ruled(demo: Deployment, file: str, *changes: tuple[str, str]) -> Iterator[None]:
    """Change a rule file, and wait until it is evaluated."""
    with reloaded(demo, "prometheus", demo.world.path("prometheus", "rules", file), *changes):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@contextmanager
def shipping(demo: Deployment, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the log agent's configuration."""
    path = demo.world.path("shipper", "config.json")
    config = json.loads(path.read_text())
    change(config)
    with reloaded(demo, "shipper", path, (path.read_text(), json.dumps(config))):
        yield


@fault(PROMETHEUS, "an exporter is stopped", probes=("prometheus",), needs=("node_exporter",))
@contextmanager
def exporter_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the node exporter."""
    with stopped(demo, "node_exporter"):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@fault(PROMETHEUS, "a job is missing", probes=("prometheus",))
@contextmanager
def job_missing(demo: Deployment) -> Iterator[None]:
    """Rename a job: nothing has up == 0 for a job that is not there."""
    with configured(demo, ("job_name: cadvisor", "job_name: something_else")):
        yield


@fault(PROMETHEUS, "the counter stands still", probes=("prometheus",))
@contextmanager
def counter_frozen(demo: Deployment) -> Iterator[None]:
    """Let the application count nothing any more, while its targets stay up."""
    with switched(demo, freeze_metrics=True):
        time.sleep(SCRAPES_S)
        yield


@fault(PROMETHEUS, "an exporter's server is down", probes=("prometheus",))
@contextmanager
def backend_down(demo: Deployment) -> Iterator[None]:
    """Stop Valkey: its exporter stays up and says redis_up 0."""
    with stopped(demo, "valkey"):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@fault(PROMETHEUS, "a required metric is renamed", probes=("prometheus",), limits={"prom_window_s": 2})
@contextmanager
def metric_renamed(demo: Deployment) -> Iterator[None]:
    """Drop a metric at the scrape, as a renamed one looks from outside."""
    rule = "{source_labels: [__name__], regex: app_queue_depth, action: drop}"
    dropped = f"  - job_name: app\n    metric_relabel_configs:\n      - {rule}\n"
    with configured(demo, ("  - job_name: app\n", dropped)):
        yield


@fault(GRAFANA, "the data source points nowhere", probes=("grafana",))
@contextmanager
def source_dead(demo: Deployment) -> Iterator[None]:
    """Point the Prometheus data source to a closed port."""
    path = demo.world.path("grafana", "provisioning", "datasources.json")
    with edited(path, (demo.world.url("prometheus"), "http://127.0.0.1:1")):
        yield


@fault(GRAFANA, "a panel's metric is renamed", probes=("grafana",))
@contextmanager
def panel_renamed(demo: Deployment) -> Iterator[None]:
    """Let the panels ask for a metric that does not exist."""
    path = demo.world.path("grafana", "dashboards", "token-service.json")
    with edited(path, ("http_requests_total", "http_requests_totals")):
        yield


@fault(GRAFANA, "strangers see the dashboards", probes=("grafana",))
@contextmanager
def anonymous(demo: Deployment) -> Iterator[None]:
    """Turn anonymous access on."""
    with switches_in(demo.world.path("grafana", "switches.json"), anonymous=True):
        yield


@fault(GRAFANA, "a dashboard is missing", probes=("grafana",))
@contextmanager
def dashboard_missing(demo: Deployment) -> Iterator[None]:
    """Give a dashboard another uid, as an import into the wrong folder does."""
    path = demo.world.path("grafana", "dashboards", "token-service.json")
    with edited(path, ('"uid": "token-service"', '"uid": "another"')):
        yield


@fault(RULES, "a rule's metric is renamed", probes=("rules",), limits={"rules_series_window_s": 2})
@contextmanager
def rule_renamed(demo: Deployment) -> Iterator[None]:
    """Let an alert look at a metric that does not exist: it stays inactive, and healthy, for ever."""
    with ruled(
        demo, "api.yml", ('http_requests_total{job="app",status', 'http_request_total{job="app",status')
    ):
        yield


@fault(RULES, "a runbook link is missing", probes=("rules",))
@contextmanager
def runbook_missing(demo: Deployment) -> Iterator[None]:
    """Take the runbook from an alert."""
    with ruled(demo, "api.yml", ("runbook_url:", "see:")):
        yield


@fault(RULES, "a group is deleted", probes=("rules",))
@contextmanager
def group_deleted(demo: Deployment) -> Iterator[None]:
    """Leave a whole rule file out."""
    path = demo.world.path("prometheus", "rules", "database.yml")
    with reloaded(demo, "prometheus", path, (path.read_text(), "groups: []\n")):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@fault(RULES, "the watchdog is silent", probes=("rules",))
@contextmanager
def watchdog_silent(demo: Deployment) -> Iterator[None]:
    """Let the alert that always fires never fire."""
    with ruled(demo, "monitoring.yml", ("expr: vector(1)\n", "expr: vector(1) > 1\n")):
        yield


@fault(RULES, "a runbook is gone", probes=("rules",))
@contextmanager
def runbook_gone(demo: Deployment) -> Iterator[None]:
    """Take away the page that an alert's runbook links to."""
    path = demo.world.path("docs", "runbooks", "api.md")
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@fault(LOGS, "the log agent is stopped", probes=("log_flow",), limits={"logs_round_trip_s": 2})
@contextmanager
def agent_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the agent; the backend stays ready and full of old lines."""
    with stopped(demo, "shipper"):
        yield


@fault(
    LOGS, "a service is missing", probes=("log_flow",), limits={"logs_gap_window_s": 2, "logs_lookback_s": 2}
)
@contextmanager
def service_missing(demo: Deployment) -> Iterator[None]:
    """Let the lines of an instance arrive under another name."""

    def change(config: dict[str, Any]) -> None:
        for source in config["sources"]:
            if source["labels"]["service"] == "app1":
                source["labels"]["service"] = "unknown"

    with shipping(demo, change):
        time.sleep(3)
        yield


@fault(LOGS, "the clock is off", probes=("log_flow",))
@contextmanager
def clock_off(demo: Deployment) -> Iterator[None]:
    """Stamp lines two minutes early."""
    with shipping(demo, lambda config: config.update(skew_s=-60)):
        time.sleep(0.5)
        yield


@fault(
    ERRORS, "a worker has no SDK", probes=("errors",), needs=("bugsink",), limits={"errors_read_back_s": 2}
)
@contextmanager
def no_sdk(demo: Deployment) -> Iterator[None]:
    """Let the application report nothing, though its DSN is right and the tracker well."""
    with switched(demo, errors_off=True):
        yield


@fault(ERRORS, "the key is revoked", probes=("errors",), needs=("bugsink",))
@contextmanager
def key_revoked(demo: Deployment) -> Iterator[None]:
    """Give the application a key that the tracker does not know."""
    path = demo.world.path("secrets", "errors_dsn")
    before = path.read_text()
    key = before.partition("//")[2].partition("@")[0]
    with edited(path, (key, "0" * 32)):
        yield


@fault(ERRORS, "the events go to another project", probes=("errors",), needs=("bugsink",))
@contextmanager
def other_project(demo: Deployment) -> Iterator[None]:
    """Let the DSN name a project of somebody else."""
    path = demo.world.path("secrets", "errors_dsn")
    before = path.read_text().strip()
    with edited(path, (before, before.rpartition("/")[0] + "/2")):
        yield


@fault(UPTIME, "the monitor is paused", probes=("uptime",), needs=("blackbox",), also=(PROMETHEUS,))
@contextmanager
def monitor_paused(demo: Deployment) -> Iterator[None]:
    """Stop looking at one of the addresses."""
    health = f"{demo.world.url('edge')}/health"
    with configured(demo, (f'      - targets: ["{health}"]', "      - targets: []")):
        time.sleep(3)
        yield


@fault(UPTIME, "the monitor looks at the wrong path", probes=("uptime",), needs=("blackbox",))
@contextmanager
def wrong_path(demo: Deployment) -> Iterator[None]:
    """Look at a page that always answers instead of at the health path."""
    edge = demo.world.url("edge")
    with configured(demo, (f"{edge}/health", f"{edge}/token")):
        time.sleep(3)
        yield


@fault(UPTIME, "no visit in the log", probes=("uptime",), needs=("blackbox",))
@contextmanager
def no_visits(demo: Deployment) -> Iterator[None]:
    """Let the edge's log lack the monitor: its successes come from elsewhere."""
    path = demo.target
    with edited(path, ('agent_patterns = ["Blackbox Exporter"]', 'agent_patterns = ["some-other-monitor"]')):
        yield


@fault(UPTIME, "the monitor runs on the host itself", probes=("uptime",), needs=("blackbox",))
@contextmanager
def on_the_host(demo: Deployment) -> Iterator[None]:
    """Let the exporter say that it looks from the machine that it watches."""
    with configured(demo, ("vantage: outside-stand-in", "vantage: the-host-itself")):
        time.sleep(3)
        yield
