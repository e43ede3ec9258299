"""What the servers used while a load test ran: how near containers and database were to their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes.promql import PromQL, Sample, client, duration

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

_BY = "instance, id, namespace, pod, container, name"
WINDOW_MIN_S = 5.0
"""A shorter window would hold too few scrapes."""


@dataclass(frozen=True)
class Saturation:
    """The share of its limit that a server used.

    kind: memory and connections at most, processors on average.
    """

    kind: Literal["memory", "processors", "connections"]
    name: str
    share: float


def saturation(target: Target, connect: Connections, start: float, end: float) -> tuple[Saturation, ...]:
    """Return every share known between two Unix times; none where Prometheus does not answer."""
    try:
        return _read(client(target, connect), target, start, end)
    except (CannotLook, Dead):
        return ()


def _read(prom: PromQL, target: Target, start: float, end: float) -> tuple[Saturation, ...]:
    section = target.prometheus
    assert section is not None  # else the client could not be made
    window = f"[{duration(max(end - start, WINDOW_MIN_S))}]"
    chosen = f"{{{section.container_selector}}}"
    memory = (
        f"sum by ({_BY}) (max_over_time(container_memory_working_set_bytes{chosen}{window}))"
        f" / (max by ({_BY}) (container_spec_memory_limit_bytes{chosen}) > 0)"
    )
    cpu = (
        f"sum by ({_BY}) (rate(container_cpu_usage_seconds_total{chosen}{window}))"
        f" / (max by ({_BY}) (container_spec_cpu_quota{chosen} / container_spec_cpu_period{chosen}) > 0)"
    )
    sessions = f"max_over_time(sum(pg_stat_activity_count){window[:-1]}:]) / max(pg_settings_max_connections)"
    queries: dict[Literal["memory", "processors", "connections"], str] = {
        "memory": memory,
        "processors": cpu,
        "connections": sessions,
    }
    return tuple(
        Saturation(kind, _name(sample), round(sample.value, 4))
        for kind, query in queries.items()
        for sample in prom.instant(query, end)
    )


def _name(sample: Sample) -> str:
    return sample.label("name") or sample.label("container") or "PostgreSQL"
