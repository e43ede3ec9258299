"""The first day's peaks of what can run out, and what happened that should not: one query each over the window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.probes.promql import PromQL, QueryRefused, duration, quoted
from pytest_deploycheck.probes.window_queries import REAL_DISKS, with_

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

_STEP = "5m"
_MACHINE = "container, name, pod, namespace"


@dataclass(frozen=True)
class Peak:
    """The worst of one thing in the window: `what` it is, `who` had it, and the share, count or days.

    what: cpu, memory, disk, inodes, descriptors, connections, store memory (shares); disk days (days until it
    is full); restarts, kills, evictions, network errors (counts).
    """

    what: str
    who: str
    value: float


def peaks(prom: PromQL, target: Target, start: float, end: float) -> tuple[Peak, ...]:
    """Return the peaks between two Unix times, by what they are and who had them; absent what nobody counts."""
    section = target.prometheus
    assert section is not None  # else its gate were closed
    found = []
    for what, expression, labels in _expressions(
        section.host_selector, section.container_selector, tuple(section.jobs)
    ):
        text = expression.replace("$window", duration(end - start))
        try:
            samples = prom.instant(text, end)
        except QueryRefused:
            continue  # e.g. pairs that do not match one to one; then it is not counted
        for sample in samples:
            who = " ".join(filter(None, (sample.label(name) for name in labels)))
            found.append(Peak(what, who, round(sample.value, 6)))
    return tuple(sorted(found, key=lambda one: (one.what, one.who)))


def _expressions(host: str, container: str, jobs: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    over = f"[$window:{_STEP}]"
    ours = f"job=~{quoted('|'.join(map(re.escape, jobs)))}"
    box = ("namespace", "pod", "container", "name")
    place = ("instance", "mountpoint")

    def of(metric: str, *more: str) -> str:
        return with_(metric, host, *more)

    def share_left(left: str, all_: str) -> str:
        """Return the greatest share in use of a file system, whatever device it is on."""
        share = f"1 - {of(left, REAL_DISKS)} / ({of(all_, REAL_DISKS)} > 0)"
        return f"max by (instance, mountpoint) (max_over_time(({share}){over}))"

    def counted(metric: str, by: str, selector: str) -> str:
        return f"sum by ({by}) (increase({with_(metric, selector)}[$window]))"

    containers = with_("container_spec_memory_limit_bytes", container)
    working = with_("container_memory_working_set_bytes", container)
    used = f"max by ({_MACHINE}) ({working}) / (max by ({_MACHINE}) ({containers}) > 0)"
    started = f"max by ({_MACHINE}) ({with_('container_start_time_seconds', container)})"
    left = of("node_filesystem_avail_bytes", REAL_DISKS)
    # In days, at the smaller one of the rates of the last six hours and of all the time, since logs are rotated each
    # night; a file system that does not fill has no such day.
    late, all_day = f"(-deriv({left}[6h]))", f"(-deriv({left}[$window]))"
    full = f"{left} / ((({late} < {all_day}) or {all_day}) > 0) / 86400"
    redis = f"{with_('redis_memory_used_bytes', ours)} / ({with_('redis_memory_max_bytes', ours)} > 0)"
    connected = (
        f"sum({with_('pg_stat_activity_count', ours)}) / min({with_('pg_settings_max_connections', ours)})"
    )
    errors = " + ".join(
        f"sum by (instance) (increase({of(f'node_network_{way}_errs_total')}[$window]))"
        for way in ("receive", "transmit")
    )
    busy = f"1 - avg by (instance) (rate({of('node_cpu_seconds_total', 'mode=`idle`')}[5m]))"
    memory = f"1 - {of('node_memory_MemAvailable_bytes')} / {of('node_memory_MemTotal_bytes')}"
    return [
        ("cpu", f"quantile_over_time(0.95, ({busy}){over})", ("instance",)),
        ("memory", f"max by (instance) (max_over_time(({memory}){over}))", ("instance",)),
        ("memory", f"max_over_time(({used}){over})", box),
        ("disk", share_left("node_filesystem_avail_bytes", "node_filesystem_size_bytes"), place),
        ("disk days", f"min by (instance, mountpoint) ({full})", place),
        ("inodes", share_left("node_filesystem_files_free", "node_filesystem_files"), place),
        (
            "descriptors",
            f"max by (instance) (max_over_time(({of('node_filefd_allocated')} / "
            f"{of('node_filefd_maximum')}){over}))",
            ("instance",),
        ),
        (
            "connections",
            f"max_over_time(({connected}){over})",
            (),
        ),
        ("store memory", f"max by (instance) (max_over_time(({redis}){over}))", ("instance",)),
        (
            "restarts",
            # Of the newest by name: a container that is made anew is another series.
            f"changes(({started}){over})",
            box,
        ),
        ("kills", counted("container_oom_events_total", _MACHINE, container), box),
        ("kills", counted("node_vmstat_oom_kill", "instance", host), ("instance",)),
        ("evictions", counted("redis_evicted_keys_total", "instance", ours), ("instance",)),
        ("network errors", errors, ("instance",)),
    ]
