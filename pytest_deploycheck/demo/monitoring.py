"""What the target file says about monitoring: only what this machine runs, and which parts are stand-ins."""

from __future__ import annotations

import json
from typing import Any

from pytest_deploycheck.demo import (
    alertmanager,
    blackbox,
    bugsink,
    cadvisor,
    exporters,
    grafana,
    loki,
    pager,
    prometheus,
    reports,
    runbooks,
    shipper,
)
from pytest_deploycheck.demo.world import World

REQUIRED_METRICS = (
    "http_requests_total",
    "http_request_duration_seconds_count",
    "app_build_info",
    "app_chain_head_block",
    "app_indexer_block",
    "app_queue_depth",
    "app_rpc_errors_total",
)
# Metrics that come from an exporter which a machine may not have.
_EXPORTED = {
    "node": "node_cpu_seconds_total",
    "postgres": "pg_up",
    "redis": "redis_up",
    "blackbox": "probe_success",
}
# Intents of an alert, each with a regular expression over name and expression of the rule that covers it.
INTENTS = {
    "target down": r"\bup == 0",
    "absent job": r"absent\(up\{job=\"app\"\}\)",
    "5xx ratio": r"status=~\"5\.\.\"",
    "latency": r"http_request_duration_seconds_bucket",
    "disk": r"node_filesystem_avail_bytes",
    "memory": r"node_memory_MemAvailable_bytes",
    "cert": r"probe_ssl_earliest_cert_expiry",
    "backup age": r"backup_last_success_timestamp_seconds",
    "DB down": r"pg_up",
    "Redis down": r"redis_up",
    "RPC down": r"chain_up",
    "head lag": r"app_indexer_block",
    "signer balance": r"chain_signer_balance_wei",
    "queue": r"app_queue_depth",
    "error burst": r"shipper_lines_total",
}
_COLLECTED = ("prometheus", "alertmanager", "node", "postgres", "redis", "blackbox")
# Servers that are not everywhere, by the items that nothing can be said of without them. The rules and the
# dashboards look at metrics of every exporter.
NEEDS = {
    "post_deploy.performance.memory": ("prometheus", "node"),
    "post_deploy.performance.cpu": ("prometheus", "node"),
    "post_deploy.monitoring.prometheus": ("prometheus",),
    "post_deploy.monitoring.grafana": _COLLECTED,
    "post_deploy.monitoring.rules": _COLLECTED,
    "post_deploy.monitoring.errors": ("bugsink",),
    "post_deploy.monitoring.uptime": ("prometheus", "blackbox"),
}
# Secrets that must never be in a log, beside those of DIR/app/.env.
LOG_SECRETS = (
    "jwt_secret",
    "signer_key",
    "db_owner_password",
    "db_app_password",
    "db_readonly_password",
    "redis_password",
    "test_account_password",
    "canary_account_password",
)


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return the sections of monitoring: each a mapping of plain values, by its name in the target file.

    A server that this machine does not have gets no section, and its items are named under
    `[not_applicable]` with what is missing.
    """
    sections: dict[str, dict[str, Any]] = {
        "logs": _logs(world),
        "load": reports.load_section(world),
        "reports": reports.report_section(),
        "standins": standins(),
    }
    if prometheus.available() is None:
        jobs = prometheus.scraped(world)
        sections["prometheus"] = {
            "url": world.url("prometheus"),
            "jobs": {job: len(targets) for job, targets in jobs.items()},
            "required_metrics": [*REQUIRED_METRICS, *(m for job, m in _EXPORTED.items() if job in jobs)],
        }
        sections["alerts"] = {
            "required": INTENTS,
            "rules_dir": "release/rules",
            "exempt_for": ["Watchdog"],
            "runbook_base": world.url("runbooks"),
        }
        sections["grafana"] = _grafana(world)
        if blackbox.available() is None:
            sections["uptime"] = {
                "kind": "blackbox",
                "url": world.url("prometheus"),
                "urls": list(blackbox.probed(world)),
                "exporter": world.url("blackbox"),
                "instance": blackbox.VANTAGE,
                "agent_patterns": [blackbox.AGENT],
                "contacts": len(pager.CHANNELS),
            }
    if alertmanager.available() is None:
        sections["alertmanager"] = {"url": world.url("alertmanager")}
    if bugsink.available() is None:
        bugsink.dsn(world)
        bugsink.token(world)
        sections["errors"] = {
            "kind": "bugsink",
            "api_base": world.url("bugsink"),
            "project": str(bugsink.PROJECT_ID),
            "token": {"file": "secrets/errors_token"},
            "dsn": {"file": "secrets/errors_dsn"},
            "environment": "production",
            "test_account": "admin_account",
        }
    missing = not_applicable()
    return sections | ({"not_applicable": missing} if missing else {})


def not_applicable() -> dict[str, str]:
    """Return the items that this machine has no servers for, each with which are missing."""
    lacking = {
        "prometheus": prometheus.available(),
        "alertmanager": alertmanager.available(),
        "node": exporters.missing_node(),
        "postgres": exporters.missing_postgres(),
        "redis": exporters.missing_redis(),
        "blackbox": blackbox.available(),
        "bugsink": bugsink.available(),
    }
    found = {}
    for item, needs in NEEDS.items():
        reasons = [reason for need in needs if (reason := lacking[need])]
        if reasons:
            found[item] = "; ".join(reasons)
    return found


def standins() -> dict[str, str]:
    """Return the stand-ins by name, each with what it stands in for, as the evidence shows them."""
    return {
        grafana.LABEL: f"Grafana ({grafana.VERSION}): its documented API over the real Prometheus",
        loki.LABEL: f"Loki ({loki.VERSION}): its documented API, fed by a real log agent",
        cadvisor.LABEL: f"cAdvisor ({cadvisor.VERSION}): real processes under declared limits",
        pager.LABEL: "pager, tickets and dead man's switch: a sink that records what Alertmanager sends",
        runbooks.LABEL: "the team's wiki: runbooks served from files",
        "vantage": "another network: the blackbox exporter runs on the same machine",
        "scans": f"Trivy ({reports.TRIVY_VERSION}) and ZAP ({reports.ZAP_VERSION}): files in their format",
    }


def _grafana(world: World) -> dict[str, Any]:
    boards = [json.loads(file.read_text()) for file in sorted(grafana.DASHBOARDS.glob("*.json"))]
    return {
        "url": world.url("grafana"),
        "token": {"file": "secrets/grafana_token"},
        "admin_password": {"file": "secrets/grafana_admin_password"},
        "dashboards": [board["uid"] for board in boards],
        "dashboards_dir": "release/dashboards",
        "required_panels": ["Requests", "Error ratio", "Response time"],
    }


def _logs(world: World) -> dict[str, Any]:
    known = {name: {"file": f"secrets/{name}"} for name in LOG_SECRETS}
    return {
        "backend": "loki",
        "url": world.url("loki"),
        "services": list(shipper.SERVICES),
        "service_label": "service",
        "round_trip_service": "nginx",
        "drop_metric": "shipper_dropped_total",
        "secrets": known,
        "env_file": "app/.env",
    }
