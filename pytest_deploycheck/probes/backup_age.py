"""When the newest backup succeeded as monitoring has it, and whether somebody is told when that is too long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.rules import RulesFacts, covering

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_OLDEST, _LATEST = 1e9, 1e11
"""Seconds since 1970 of backups; what is less is an age, what is more is in other units."""


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
    values = [one.value for one in found]
    # Of ages the least is that of the newest backup.
    newest = (max(values) if max(values) > _OLDEST else min(values)) if values else None
    return BackupAgeFacts(
        metric=metric,
        newest_at=moment(newest, connect.now()),
        alerts=covering(metric.partition("{")[0], rules_facts.alerts),
    )


def moment(value: float | None, now: datetime) -> str | None:
    """Return the time that a series tells: as seconds since 1970, or as an age in seconds; None for neither."""
    if value is None or not 0 < value < _LATEST:
        return None
    at = datetime.fromtimestamp(value, UTC) if value > _OLDEST else now - timedelta(seconds=value)
    return at.isoformat()
