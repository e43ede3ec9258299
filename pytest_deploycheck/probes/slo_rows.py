"""The usual indicators of performance as PromQL, over the metrics that the target file names.

`$rate` is the span of rates. Indicators of parts that a target file has no section for do not apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.window_queries import query, with_

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.target import Target

TRAFFIC = "traffic"
RESPONSE_TIME = "response time"
_FILE_SYSTEMS = "fstype!~`tmpfs|ramfs|squashfs|overlay|iso9660|erofs|fuse.*|nsfs`"


@dataclass(frozen=True)
class Row:
    """One indicator: its value compared by `op` with `limit`."""

    name: str
    expression: str
    op: str
    limit: float


def rows(target: Target, limits: Limits) -> tuple[Row, ...]:
    """Return the indicators of a target: the usual ones, but those that it leaves out, and its own."""
    found = {row.name: row for row in _usual(target, limits) if row.name not in target.slo.leave_out}
    for name, own in target.slo.table.items():
        found[name] = Row(name, own.query, own.op, own.limit)
    spaced = f"{round(limits.slo_rate_s * 1000)}ms"
    return tuple(Row(r.name, r.expression.replace("$rate", spaced), r.op, r.limit) for r in found.values())


def _usual(target: Target, limits: Limits) -> Iterator[Row]:
    section = target.prometheus
    assert section is not None  # else its gate were closed
    rate = limits.slo_rate_s
    host = section.host_selector
    space = (host, _FILE_SYSTEMS)

    def usual(name: str) -> str:
        return query(target, name, rate)

    yield Row(TRAFFIC, usual("requests"), ">=", limits.slo_traffic_min_rps)
    yield Row("availability", "avg(avg_over_time(probe_success[$rate]))", ">=", limits.slo_availability_min)
    yield Row(
        "error ratio", f"({usual('errors')}) / ({usual('requests')} > 0)", "<=", limits.slo_error_ratio_max
    )
    yield Row(RESPONSE_TIME, usual("p95"), "<=", limits.slo_p95_s)
    yield Row("processors", usual("cpu"), "<=", limits.slo_cpu_max)
    yield Row("memory", usual("memory"), "<=", limits.slo_memory_max)
    used = (
        f"max(1 - {with_('node_filesystem_avail_bytes', *space)} / "
        f"({with_('node_filesystem_size_bytes', *space)} > 0))"
    )
    yield Row("disk", used, "<=", limits.slo_disk_max)
    if target.db is not None:
        connections = "sum(pg_stat_activity_count) / min(pg_settings_max_connections)"
        yield Row("database connections", connections, "<=", limits.slo_connections_max)
    if target.rpc is not None:
        yield Row("node errors", usual("rpc_errors"), "<=", limits.slo_rpc_errors_max)
        yield Row(
            "indexer lag",
            f"max({target.watch.head_metric}) - max({section.indexer_metric})",
            "<=",
            limits.slo_lag_max_blocks,
        )
        yield Row("queue", f"max({target.slo.queue_metric})", "<=", limits.slo_queue_max)
