"""Stand-in for cAdvisor: metrics of cAdvisor's names and labels, measured on the demo's real process trees.

Each DIR/*/NAME.pid is one "container" called NAME. Memory and CPU time are read from /proc; the limits are
declared here, since no cgroup holds them: throttling is computed as the share of time by which a process
tree overran its CPU quota. DIR/cadvisor/switches.json changes what is reported:
`memory_limit_bytes` {name: bytes, 0 = none}, `cpus` {name: cores, 0 = none}, `oom_events` {name: count},
`extra_memory_bytes` {name: bytes}, `hidden` [names].
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from pytest_deploycheck.demo.standin_http import Listener, Request, Response, Switches
from pytest_deploycheck.demo.world import World

LABEL = "cadvisor"
VERSION = "v0.49.1-stand-in"
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
CPUS = 1.0
_PERIOD_S = 0.1  # the kernel's default bandwidth period
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What one process tree uses now."""

    memory_bytes: int  # anonymous memory of all processes, and the largest shared mapping once
    cpu_s: float  # user and system time of living processes and of the children they have awaited
    started_at: float  # Unix time


def process_tree(root: int, children: dict[int, list[int]]) -> list[int]:
    """Return a process and all its descendants."""
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def children_by_parent() -> dict[int, list[int]]:
    """Every process of this machine under its parent."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                found[int(_stat(int(entry.name))[1])].append(int(entry.name))
    return found


def usage(root: int, children: dict[int, list[int]]) -> Usage | None:
    """Return what the tree under a process uses; None when the process is gone."""
    memory, shared, cpu = 0, 0, 0.0
    started = None
    for pid in process_tree(root, children):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = _stat(pid)
            cpu += sum(int(fields[index]) for index in (11, 12, 13, 14)) / _TICKS
            status = _status_bytes(pid)
            memory += status.get("RssAnon", 0)
            shared = max(shared, status.get("RssShmem", 0))
            if pid == root:
                started = _boot_time() + int(fields[19]) / _TICKS
    return None if started is None else Usage(memory + shared, cpu, started)


class CAdvisor:
    """Renders the metrics page; counters of throttling live as long as this object."""

    def __init__(self, world: World) -> None:
        self._dir = world.dir
        self._switches = Switches(world.path("cadvisor", "switches.json"))
        self._lock = Lock()
        self._last: dict[str, tuple[float, float]] = {}  # name -> monotonic time, CPU seconds
        self._periods: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))

    def __call__(self, request: Request) -> Response:
        """Serve /metrics and /healthz."""
        if request.path == "/healthz":
            return Response("ok")
        if request.path != "/metrics":
            return Response("404 page not found\n", 404)
        with self._lock:
            return Response("\n".join(self._page()) + "\n", content_type="text/plain; version=0.0.4")

    def containers(self) -> dict[str, int]:
        """Return the pid of each running service that left a pid file, by name."""
        found = {}
        for file in sorted(self._dir.glob("*/*.pid")):
            with contextlib.suppress(OSError, ValueError):
                pid = int(file.read_text())
                if Path(f"/proc/{pid}").exists():
                    found[file.stem] = pid
        return found

    def _page(self) -> Iterator[str]:
        children = children_by_parent()
        hidden = self._switches.get("hidden", [])
        rows: dict[str, dict[str, float]] = defaultdict(dict)
        for name, pid in self.containers().items():
            used = usage(pid, children)
            if used is None or name in hidden:
                continue
            cpus = float(self._override("cpus", name, CPUS))
            periods, throttled = self._throttling(name, used.cpu_s, cpus)
            memory = used.memory_bytes + int(self._override("extra_memory_bytes", name, 0))
            rows["container_memory_working_set_bytes"][name] = memory
            rows["container_memory_rss"][name] = memory
            rows["container_spec_memory_limit_bytes"][name] = self._override(
                "memory_limit_bytes", name, MEMORY_LIMIT_BYTES
            )
            rows["container_cpu_usage_seconds_total"][name] = used.cpu_s
            if cpus > 0:
                rows["container_spec_cpu_period"][name] = _PERIOD_S * 1e6
                rows["container_spec_cpu_quota"][name] = cpus * _PERIOD_S * 1e6
                rows["container_cpu_cfs_periods_total"][name] = periods
                rows["container_cpu_cfs_throttled_periods_total"][name] = throttled
            rows["container_oom_events_total"][name] = self._override("oom_events", name, 0)
            rows["container_start_time_seconds"][name] = used.started_at
            rows["container_last_seen"][name] = time.time()
        yield "# TYPE cadvisor_version_info gauge"
        yield f'cadvisor_version_info{{cadvisorVersion="{VERSION}"}} 1'
        yield "# TYPE machine_cpu_cores gauge"
        yield f"machine_cpu_cores {os.cpu_count()}"
        for metric, values in rows.items():
            yield f"# TYPE {metric} {'counter' if metric.endswith('_total') else 'gauge'}"
            for name, value in values.items():
                yield f"{metric}{{{_labels(name)}}} {value!r}"

    def _override(self, switch: str, name: str, default: float) -> Any:
        return self._switches.get(switch, {}).get(name, default)

    def _throttling(self, name: str, cpu_s: float, cpus: float) -> tuple[float, float]:
        now = time.monotonic()
        then, cpu_then = self._last.get(name, (now, cpu_s))
        self._last[name] = (now, cpu_s)
        elapsed, burnt = now - then, cpu_s - cpu_then
        periods, throttled = self._periods[name]
        if elapsed > 0 and burnt >= 0:
            rate = burnt / elapsed
            passed = elapsed / _PERIOD_S
            periods += passed
            throttled += passed * max(0.0, 1 - cpus / rate) if rate > 0 else 0.0
            self._periods[name] = (periods, throttled)
        return round(periods, 3), round(throttled, 3)


def _labels(name: str) -> str:
    return (
        f'container="{name}",container_label_com_docker_compose_service="{name}",'
        f'id="/docker/stand-in-{name}",image="demo/{name}:stand-in",name="{name}"'
    )


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: 1 is the parent, 11 to 14 the CPU times."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _status_bytes(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    split = (line.split() for line in lines if line.startswith("Rss"))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in split}


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def listener(world: World) -> Listener:
    """Return the stand-in on its port."""
    return Listener(world.port("cadvisor"), CAdvisor(world), LABEL)
