"""What a window is judged by, as PromQL: the usual expressions over the target's metrics, by name.

requests     requests a second, monitoring aside
errors       of these, answered with a server error; 0 only where the requests say how they were answered
p95          their 95th percentile in seconds
outside      share of looks from outside that succeeded
log_errors   lines of level error a second; no usual expression, since agents count them in their own ways
log_volume   bytes or lines of all logs a second; no usual expression
reorg_depth, failovers, dropped, reference_lag   blocks that were taken back, changes to another node, and transactions that
             were dropped or replaced, of a step; greatest distance to another node's head, in blocks: no usual expression
rpc_errors   calls to the node without a usable answer, a second
head_age     greatest age of the newest block, in seconds: a mean hides a stall
lag          greatest number of blocks that the indexer was behind
sent, failed transactions of a step
signer       the signer's balance in wei
cpu, memory, disk   of the fullest host, as shares
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.probes.promql import duration, quoted
from pytest_deploycheck.probes.resources import work

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target

DAY = (
    *("requests", "errors", "p95", "outside", "log_errors"),
    *("rpc_errors", "head_age", "lag", "sent", "failed", "signer"),
    *("log_volume", "reorg_depth", "reference_lag", "failovers", "dropped"),
)
"""Measured over the first day, in steps of five minutes."""
BEFORE = ("requests", "errors", "p95", "log_errors", "log_volume")
"""Measured over the week before, in steps of an hour."""
WEEK = (*BEFORE, "cpu", "memory", "disk")
"""Measured over the first week, in steps of an hour."""
STATUS_LABELS = ("status", "code", "status_code", "http_status_code", "http_response_status_code")

REAL_DISKS = "fstype!~`tmpfs|ramfs|squashfs|erofs|iso9660|fuse.*`"
"""File systems that can fill: images are full from the start, and those in memory count as memory."""


def query(target: Target, name: str, step_s: float) -> str:
    """Return the expression of a name for steps of a width; empty where there is none."""
    found = target.watch.queries.get(name) or _usual(target).get(name, "")
    return found.replace("$step", duration(step_s))


def _usual(target: Target) -> dict[str, str]:
    section, watch = target.prometheus, target.watch
    assert section is not None  # else its gate were closed
    requests = work(target)
    failed = " or ".join(f"rate({with_(requests, f'{one}=~`5..`')}[$step])" for one in STATUS_LABELS)
    told = " or ".join(f"rate({with_(requests, f'{one}!=``')}[$step])" for one in STATUS_LABELS)
    routes = re.search(rf'{section.route_label}!~"(?:[^"\\]|\\.)*"', requests)
    metric, _, labels = section.latency_metric.partition("{")
    buckets = with_(f"{metric}_bucket{{{labels or '}'}", routes.group() if routes else "")
    host = section.host_selector
    # As old as it was when it was read: a value that Prometheus carries through a gap of its own ages by itself.
    age = f"timestamp({watch.head_time_metric}) - {watch.head_time_metric}"
    return {
        "requests": f"sum(rate({requests}[$step]))",
        "errors": f"sum({failed}) or 0 * sum({told})",
        "p95": f"histogram_quantile(0.95, sum by (le) (rate({buckets}[$step])))",
        "outside": f"avg(avg_over_time(probe_success{{instance=~{_public(target)}}}[$step]))",
        "rpc_errors": f"sum(rate({section.rpc_errors_metric}[$step]))",
        "head_age": f"max_over_time((min({age}))[$step:1m])",
        "lag": f"max_over_time((max({watch.head_metric}) - max({section.indexer_metric}))[$step:1m])",
        "sent": f"sum(increase({watch.sent_metric}[$step]))",
        "failed": f"sum(increase({watch.failed_metric}[$step]))",
        "signer": f"min(min_over_time({watch.signer_metric}[$step]))",
        "cpu": f"max(1 - avg by (instance) (rate({with_('node_cpu_seconds_total', 'mode=`idle`', host)}[$step])))",
        "memory": f"max(1 - {with_('node_memory_MemAvailable_bytes', host)} / "
        f"{with_('node_memory_MemTotal_bytes', host)})",
        "disk": f"max(1 - {with_('node_filesystem_avail_bytes', host, REAL_DISKS)} / "
        f"({with_('node_filesystem_size_bytes', host, REAL_DISKS)} > 0))",
    }


def _public(target: Target) -> str:
    """Return the regular expression of the instances of looks from outside at this product, and no other's."""
    urls = [target.target.base_url, *(target.uptime.urls if target.uptime is not None else ())]
    names = sorted({*(str(urlsplit(url).hostname) for url in urls), *target.target.domains})
    return quoted(f"(https?://)?({'|'.join(map(re.escape, names))})([:/].*)?")


def with_(selector: str, *matchers: str) -> str:
    """Return a selector with more matchers."""
    metric, _, labels = selector.partition("{")
    inside = labels.rstrip().removesuffix("}").strip(" ,")
    return f"{metric}{{{', '.join(filter(None, (inside, *matchers)))}}}"
