"""What watches the product."""

from __future__ import annotations

from typing import Literal

from pytest_deploycheck.secret import SecretRef
from pytest_deploycheck.target.base import HttpUrl, Section


class PrometheusSection(Section):
    """`[prometheus]`: `jobs` maps each job that must be scraped to how many targets it has at least.

    `backends` are metrics by which exporters say whether the server behind them answers (1) or not (0).
    """

    url: HttpUrl
    jobs: dict[str, int]
    required_metrics: list[str] = []
    traffic_metric: str = "http_requests_total"
    latency_metric: str = "http_request_duration_seconds"
    rpc_errors_metric: str = "app_rpc_errors_total"
    indexer_metric: str = "app_indexer_block"
    route_label: str = "route"
    container_selector: str = 'name!=""'
    host_selector: str = ""
    backends: list[str] = ["pg_up", "redis_up", "mysql_up", "mongodb_up", "memcached_up", "nginx_up"]
    token: SecretRef | None = None


class AlertmanagerSection(Section):
    """`[alertmanager]`: where alerts go to be routed.

    `deadman_url`: where the outside watcher, which raises the alarm when the alerting itself falls silent, tells
    as JSON how it is: its `status`, and when it was last pinged (as healthchecks.io and Dead Man's Snitch do).
    """

    url: HttpUrl
    token: SecretRef | None = None
    deadman_url: HttpUrl | None = None


class AlertsSection(Section):
    """`[alerts]`: what rules there must be, and where their files and runbooks are.

    `required` maps intents to a regular expression over name and expression of the rule that covers it;
    empty, the usual intents are required of what the target file has sections for.  `rules_dir`: the rule files as released.  `runbook_base`: the address under which runbooks are served.
    `exempt_for`: alerts that may fire at once.  `quiet`: alerts whose metric exists only once something
    happened.  `required_security`: intents as in `required`, of rules that security needs.
    `required_maintenance`: intents as in `required`, of what fails slowly.  `not_needed`: of these, what does not
    apply here, each with the reason.  `tests_dir`: promtool's tests of the rules.
    `critical_severities`: values of the label `severity` that must reach a person.
    """

    required: dict[str, str] = {}
    required_security: dict[str, str] = {}
    required_maintenance: dict[str, str] = {}
    not_needed: dict[str, str] = {}
    tests_dir: str = ""
    critical_severities: list[str] = ["critical", "page"]
    watchdog: str = "Watchdog"
    rules_dir: str = ""
    runbook_base: HttpUrl | Literal[""] = ""
    exempt_for: list[str] = []
    quiet: list[str] = []


class GrafanaSection(Section):
    """`[grafana]`: dashboards by uid; `dashboards_dir` holds their JSON as released.

    `admin_password`: what the administrator's is said to be; it is tried once.
    """

    url: HttpUrl
    token: SecretRef
    admin_user: str = "admin"
    admin_password: SecretRef | None = None
    dashboards: list[str]
    dashboards_dir: str = ""
    required_panels: list[str] = []


class LogsSection(Section):
    """`[logs]`: where the lines of every service end up; `services` are the values of `service_label`.

    `drop_metric`: the counter in Prometheus of lines that the agent lost, beside the usual agents' own.
    """

    backend: Literal["loki"] = "loki"
    url: HttpUrl
    tenant: str = ""
    token: SecretRef | None = None
    services: list[str]
    service_label: str = "service"
    round_trip_service: str = ""
    drop_metric: str = ""
    public_ui_url: str = ""
    secrets: dict[str, SecretRef] = {}
    env_file: str = ""
    allow: list[str] = []


class ErrorsSection(Section):
    """`[errors]`: a Sentry-compatible tracker. `dsn` is the one the running application uses.

    `environment`: what the application calls the place where it runs; empty is any.  `test_account`: the
    account of `[auth]` that may call `api.test_error_path`.
    """

    kind: Literal["sentry", "glitchtip", "bugsink"]
    api_base: HttpUrl
    project: str
    org: str = ""
    token: SecretRef
    dsn: SecretRef | None = None
    environment: str = ""
    test_account: Literal["test_account", "canary_account", "admin_account"] = "canary_account"


class UptimeSection(Section):
    """`[uptime]`: the eyes outside.

    For a blackbox exporter, `url` is Prometheus, `exporter` the exporter's own address, and `instance` the
    machine it runs on, as the scraped address or a label of its series says.
    """

    kind: Literal["blackbox", "kuma"]
    url: HttpUrl
    urls: list[str]
    exporter: HttpUrl | Literal[""] = ""
    instance: str = ""
    token: SecretRef | None = None
    agent_patterns: list[str] = ["blackbox|uptime-kuma|uptimerobot|better"]
    contacts: int = 0
