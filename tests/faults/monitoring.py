"""Faults of Monitoring Setup."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults import tools
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


def scraped(demo: Deployment) -> set[tuple[str, str, str]]:
    """Return what Prometheus scrapes now: labels, address and interval of each target."""
    with urllib.request.urlopen(f"{demo.world.url('prometheus')}/api/v1/targets?state=active") as answer:
        found = json.load(answer)["data"]["activeTargets"]
    return {(str(sorted(one["labels"].items())), one["scrapeUrl"], one["scrapeInterval"]) for one in found}


def until(condition: Callable[[], bool], seconds: float = 12.0) -> None:
    """Wait for a condition, and fail when it does not come true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "the change never became effective"
        time.sleep(0.1)


@contextmanager
def configured(demo: Deployment, *changes: tuple[str, str], other_targets: bool = True) -> Iterator[None]:
    """Change Prometheus's configuration, and wait until it is in force: new targets come after five seconds."""
    path = demo.world.path("prometheus", "prometheus.yml")
    before = scraped(demo)
    with reloaded(demo, "prometheus", path, *changes):
        if other_targets:
            until(lambda: scraped(demo) != before)
        time.sleep(SCRAPES_S)
        yield
    until(lambda: scraped(demo) == before)
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


@fault(PROMETHEUS, "a required metric is renamed", probes=("prometheus",))
@contextmanager
def metric_renamed(demo: Deployment) -> Iterator[None]:
    """Drop a metric at the scrape, as a renamed one looks from outside."""
    rule = "{source_labels: [__name__], regex: app_queue_depth, action: drop}"
    dropped = f"  - job_name: app\n    metric_relabel_configs:\n      - {rule}\n"
    with configured(demo, ("  - job_name: app\n", dropped), other_targets=False):
        yield


@fault(PROMETHEUS, "the configuration was refused", probes=("prometheus",))
@contextmanager
def configuration_refused(demo: Deployment) -> Iterator[None]:
    """Reload a file that Prometheus cannot read: it goes on with the old one and says so only if asked."""
    with configured(demo, ("scrape_configs:\n", "scrape_configs: none\nnonsense:\n"), other_targets=False):
        yield


@fault(PROMETHEUS, "relabelling drops the targets", probes=("prometheus",))
@contextmanager
def targets_dropped(demo: Deployment) -> Iterator[None]:
    """Drop a job's targets by a rule that matches too much."""
    rule = "{source_labels: [service], regex: .*, action: drop}"
    dropped = f"  - job_name: chain\n    relabel_configs:\n      - {rule}\n"
    with configured(demo, ("  - job_name: chain\n", dropped)):
        yield


@fault(PROMETHEUS, "strangers can read it", probes=("prometheus",))
@contextmanager
def exposed(demo: Deployment) -> Iterator[None]:
    """Let the edge pass everybody on to Prometheus."""
    place = f"location /prometheus/ {{ proxy_pass {demo.world.url('prometheus')}/; }}\n        location /metrics {{"
    with reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), ("location /metrics {", place)):
        time.sleep(0.5)
        yield
    time.sleep(0.5)


@fault(PROMETHEUS, "an exporter is flaky", probes=("prometheus",), needs=("node_exporter",))
@contextmanager
def flaky(demo: Deployment) -> Iterator[None]:
    """Let an exporter be away for most of the window, and be back when somebody looks."""
    with stopped(demo, "node_exporter"):
        time.sleep(5)
    time.sleep(1.2)
    yield
    time.sleep(6)


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


@fault(GRAFANA, "the data source was never chosen", probes=("grafana",))
@contextmanager
def source_unresolved(demo: Deployment) -> Iterator[None]:
    """Import a dashboard without choosing its data source; Grafana would quietly take none."""
    path = demo.world.path("grafana", "dashboards", "platform.json")
    with edited(path, ('"uid": "prometheus"', '"uid": "${DS_PROMETHEUS}"')):
        yield


@fault(GRAFANA, "a variable has no choices", probes=("grafana",))
@contextmanager
def variable_empty(demo: Deployment) -> Iterator[None]:
    """Let a template variable look at a job that does not exist."""
    path = demo.world.path("grafana", "dashboards", "token-service.json")
    with edited(path, ('label_values(up{job=\\"app\\"}', 'label_values(up{job=\\"api\\"}')):
        yield


@fault(GRAFANA, "the default password works", probes=("grafana",))
@contextmanager
def default_admin(demo: Deployment) -> Iterator[None]:
    """Leave the administrator with the password of a new installation."""
    with switches_in(demo.world.path("grafana", "switches.json"), default_admin=True):
        yield


@fault(GRAFANA, "a dashboard was edited by hand", probes=("grafana",))
@contextmanager
def edited_by_hand(demo: Deployment) -> Iterator[None]:
    """Change a threshold on the server that the released file does not have."""
    path = demo.world.path("grafana", "dashboards", "token-service.json")
    with edited(path, ('"refresh": "10s"', '"refresh": "1h"')):
        yield


@fault(GRAFANA, "a required panel is gone", probes=("grafana",))
@contextmanager
def panel_gone(demo: Deployment) -> Iterator[None]:
    """Give a required panel another title, here and in the released file."""
    change = ('"title": "Error ratio"', '"title": "Errors"')
    with (
        edited(demo.world.path("grafana", "dashboards", "token-service.json"), change),
        edited(demo.world.path("release", "dashboards", "token-service.json"), change),
    ):
        yield


@fault(RULES, "a rule's metric is renamed", probes=("rules",))
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


@contextmanager
def ruled_everywhere(demo: Deployment, file: str, *changes: tuple[str, str]) -> Iterator[None]:
    """Change a rule file as loaded and as released, so that the two agree."""
    with edited(demo.world.path("release", "rules", file), *changes), ruled(demo, file, *changes):
        yield


@fault(RULES, "a label is renamed", probes=("rules",))
@contextmanager
def label_renamed(demo: Deployment) -> Iterator[None]:
    """Look at a label that the metric does not have: no outcome will ever match."""
    with ruled_everywhere(demo, "api.yml", ('status=~"5.."', 'code=~"5.."')):
        yield


@fault(RULES, "a job is renamed", probes=("rules",))
@contextmanager
def rule_job_renamed(demo: Deployment) -> Iterator[None]:
    """Look at a job that nobody scrapes."""
    with ruled_everywhere(demo, "api.yml", ('up{job="app"}', 'up{job="api"}')):
        yield


@fault(RULES, "an alert fires at the first glitch", probes=("rules",))
@contextmanager
def no_delay(demo: Deployment) -> Iterator[None]:
    """Let alerts fire after five seconds."""
    with ruled_everywhere(demo, "api.yml", ("for: 1m", "for: 5s")):
        yield


@fault(RULES, "an alert has no severity", probes=("rules",))
@contextmanager
def no_severity(demo: Deployment) -> Iterator[None]:
    """Give alerts a label that no route knows instead of a severity."""
    with ruled_everywhere(demo, "backup.yml", ("labels: {severity: critical}", "labels: {team: ops}")):
        yield


@fault(RULES, "an alert cannot be evaluated", probes=("rules",))
@contextmanager
def not_evaluable(demo: Deployment) -> Iterator[None]:
    """Match many series with many, which fails at each evaluation only."""
    broken = "max without (service) (up) + on (job) up == 0"
    with ruled_everywhere(demo, "api.yml", ('up{job="app"} == 0', broken)):
        yield


@fault(RULES, "a released rule is not loaded", probes=("rules",))
@contextmanager
def not_loaded(demo: Deployment) -> Iterator[None]:
    """Release a rule file that nobody put on the server."""
    path = demo.world.path("release", "rules", "late.yml")
    rule = "{alert: Late, expr: up == 0, for: 5m, labels: {severity: critical}}"
    path.write_text(f"groups: [{{name: late, rules: [{rule}]}}]\n")
    try:
        yield
    finally:
        path.unlink()


@fault(RULES, "a rule was changed on the server", probes=("rules",))
@contextmanager
def rule_changed(demo: Deployment) -> Iterator[None]:
    """Raise a threshold on the server to have some quiet."""
    with ruled(demo, "api.yml", ("> 0.01", "> 0.99")):
        yield


@fault(LOGS, "the log agent is stopped", probes=("log_flow",), limits={"logs_round_trip_s": 2})
@contextmanager
def agent_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the agent; the backend stays ready and full of old lines."""
    with stopped(demo, "shipper"):
        yield


@fault(LOGS, "a service is missing", probes=("log_flow",), limits={"logs_newest_max_s": 2})
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


@fault(LOGS, "lines of the future", probes=("log_flow",))
@contextmanager
def from_the_future(demo: Deployment) -> Iterator[None]:
    """Stamp lines a minute late, as with a clock that runs ahead."""
    with shipping(demo, lambda config: config.update(skew_s=60)):
        time.sleep(0.5)
        yield
    time.sleep(0.5)


@fault(LOGS, "lines are lost", probes=("log_flow",), limits={"logs_round_trip_s": 1})
@contextmanager
def lines_lost(demo: Deployment) -> Iterator[None]:
    """Let the backend refuse what the agent sends, which it then drops."""
    with shipping(demo, lambda config: config.update(skew_s=3600)):
        time.sleep(SCRAPES_S)
        yield


@fault(LOGS, "lines are deleted too soon", probes=("log_flow",))
@contextmanager
def deleted_soon(demo: Deployment) -> Iterator[None]:
    """Keep lines for three days only."""
    path = demo.world.path("loki", "config.yaml")
    with edited(path, ("retention_period: 744h", "retention_period: 72h")):
        yield


@fault(LOGS, "the backend is not ready", probes=("log_flow",))
@contextmanager
def not_ready(demo: Deployment) -> Iterator[None]:
    """Let the backend say that it is not ready."""
    with switches_in(demo.world.path("loki", "switches.json"), ready=False):
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


@fault(ERRORS, "the DSN is empty", probes=("errors",), needs=("bugsink",))
@contextmanager
def dsn_empty(demo: Deployment) -> Iterator[None]:
    """Deploy without a DSN, which turns reporting off without a word."""
    path = demo.world.path("secrets", "errors_dsn")
    with edited(path, (path.read_text(), "\n")):
        yield


@fault(ERRORS, "nobody is told", probes=("errors",), needs=("bugsink",))
@contextmanager
def nobody_told(demo: Deployment) -> Iterator[None]:
    """Turn the project's alert on new issues off."""
    with tools.nobody_told(demo):
        yield


@fault(UPTIME, "the monitor is paused", probes=("uptime",), needs=("blackbox",), also=(PROMETHEUS,))
@contextmanager
def monitor_paused(demo: Deployment) -> Iterator[None]:
    """Stop looking at one of the addresses."""
    health = f"{demo.world.url('edge')}/health"
    with configured(demo, (f'      - targets: ["{health}"]', "      - targets: []")):
        yield


@fault(UPTIME, "the monitor looks at the wrong path", probes=("uptime",), needs=("blackbox",))
@contextmanager
def wrong_path(demo: Deployment) -> Iterator[None]:
    """Look at a page that always answers instead of at the health path."""
    edge = demo.world.url("edge")
    with configured(demo, (f"{edge}/health", f"{edge}/token")):
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
        yield


@fault(UPTIME, "nobody looks at the content", probes=("uptime",), needs=("blackbox",))
@contextmanager
def content_ignored(demo: Deployment) -> Iterator[None]:
    """Be content with any page that has status 200."""
    path = demo.world.path("blackbox", "blackbox.yml")
    line = next(line for line in path.read_text().splitlines(keepends=True) if "fail_if_body" in line)
    with reloaded(demo, "blackbox", path, (line, "")):
        time.sleep(0.5)
        yield
    time.sleep(0.5)


@fault(UPTIME, "any certificate will do", probes=("uptime",), needs=("blackbox",))
@contextmanager
def any_certificate(demo: Deployment) -> Iterator[None]:
    """Let the monitor accept certificates of anybody."""
    path = demo.world.path("blackbox", "blackbox.yml")
    with reloaded(demo, "blackbox", path, ("tls_config: {", "tls_config: {insecure_skip_verify: true, ")):
        time.sleep(0.5)
        yield
    time.sleep(0.5)


@fault(UPTIME, "a redirect is enough", probes=("uptime",), needs=("blackbox",), also=(PROMETHEUS,))
@contextmanager
def redirect_enough(demo: Deployment) -> Iterator[None]:
    """Watch the unencrypted address, which only redirects, and call that success."""
    path = demo.world.path("blackbox", "blackbox.yml")
    secure, plain = f"{demo.world.url('edge')}/health", f"{demo.world.url('edge_http')}/health"
    lenient = (("fail_if_not_ssl: true", "fail_if_not_ssl: false"), ("[200]", "[200, 301, 302, 307, 308]"))
    with reloaded(demo, "blackbox", path, *lenient), configured(demo, (secure, plain)):
        yield


@fault(UPTIME, "the alert on it is gone", probes=("uptime",), needs=("blackbox",), also=(RULES,))
@contextmanager
def alert_gone(demo: Deployment) -> Iterator[None]:
    """Let no rule look at what the monitor sees."""
    with ruled(demo, "api.yml", ('probe_success{job="blackbox"} == 0', 'up{job="blackbox"} == 0')):
        yield


@fault(UPTIME, "the edge is down for it", probes=("uptime",), needs=("blackbox",))
@contextmanager
def down_for_it(demo: Deployment) -> Iterator[None]:
    """Let the health page say something that the monitor does not take for health."""
    with switched(demo, health_degraded_200=True):
        time.sleep(SCRAPES_S)
        yield
    time.sleep(SCRAPES_S)


@fault(UPTIME, "it looks once an hour", probes=("uptime",), needs=("blackbox",))
@contextmanager
def once_an_hour(demo: Deployment) -> Iterator[None]:
    """Scrape the monitor every hour."""
    with configured(demo, ("  - job_name: blackbox\n", "  - job_name: blackbox\n    scrape_interval: 1h\n")):
        yield
    time.sleep(SCRAPES_S)
