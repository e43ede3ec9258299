"""What the final checks before a go-live need of the demo: promtool's tests of its rules, beside the rules."""

from __future__ import annotations

from typing import Any

from pytest_deploycheck.demo import alertmanager, prometheus
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

# A demonstration is minutes old, on a machine that others use meanwhile: what a busy processor does to scrapes,
# and how full the disk is, says nothing about the deployment.
LIMITS: dict[str, float] = {
    "green_window_s": 20,
    "green_coverage_min": 0.5,
    "green_failed_max": 4,
    "slo_min_span_s": 2,
    "slo_rate_s": 20,
    "slo_availability_min": 0.5,
    # A look at everything causes errors on purpose, and asks more at once than two cores answer quickly.
    "slo_error_ratio_max": 0.05,
    "slo_p95_s": 5,
    "slo_rpc_errors_max": 1,
    # Blocks of one second.
    "slo_lag_max_blocks": 120,
    "critical_pending_max_s": 90,
    # Its start is nobody's incident.
    "critical_recent_s": 60,
    "slo_cpu_max": 1.0,
    "slo_memory_max": 1.0,
    "slo_disk_max": 1.0,
}


def available() -> str | None:
    """Return None, or why there are no rules to test."""
    return prometheus.available() or alertmanager.available()


def daemons(world: World) -> list[Daemon]:
    """Put the tests of the rules beside the rules as released; there is no server."""
    for file in sorted(prometheus.RULE_TESTS.glob("*.yml")):
        world.path("release", "rule_tests", file.name).write_text(file.read_text())
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return where the tests of rules and the outside watcher are, and windows for a deployment so young."""
    return {
        "alerts": {"tests_dir": "release/rule_tests"},
        "alertmanager": {"deadman_url": f"{world.url('webhook')}/deadman"},
        "slo": {
            "table": {
                "database connections": {
                    "query": "max(deploycheck_connections_used) / max(deploycheck_connections_max)",
                    "limit": 0.8,
                }
            }
        },
        "limits": LIMITS,
        "standins": {"contract audit": "nobody audited the contract: auditor and report are made up"},
    }
