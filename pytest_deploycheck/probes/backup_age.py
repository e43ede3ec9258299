"""When the newest backup succeeded as monitoring has it, and whether somebody is told when that is too long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.rules import RulesFacts, covering
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections


@dataclass(frozen=True)
class BackupAgeFacts:
    """What monitoring knows.

    metric: the series' name.  newest_at: UTC ISO 8601, None without a series.  alerts: loaded rules that use it and
    can fire.
    """

    metric: str
    newest_at: str | None
    alerts: tuple[str, ...]


@probe(facts=BackupAgeFacts, deadline=15, needs=("prom_gate",), uses={"prometheus": "GET"})
def backup_age(target: Target, connect: Connections, rules_facts: RulesFacts) -> BackupAgeFacts:
    """Ask Prometheus for the time of the newest backup, and for alerts on it."""
    metric = target.backup.metric if target.backup else "backup_last_success_timestamp_seconds"
    found = promql.client(target, connect).instant(metric)
    newest = max((one.value for one in found), default=None)
    return BackupAgeFacts(
        metric=metric,
        newest_at=datetime.fromtimestamp(newest, UTC).isoformat() if newest and newest < 1e11 else None,
        alerts=covering(metric.partition("{")[0], rules_facts.alerts),
    )
