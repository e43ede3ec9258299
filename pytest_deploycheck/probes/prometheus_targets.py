"""What Prometheus scrapes: its targets as they are now, and what it kept of them over a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes.promql import PromQL, QueryRefused, duration, moment, seconds
from pytest_deploycheck.verdict import Reason


@dataclass(frozen=True)
class ScrapeTarget:
    """One active target.

    age_s: seconds since its last scrape by the server's clock, None when it was never scraped.  samples:
    how many the last scrape brought, None when nothing says so.  up_ratio: share of the scrapes in the
    window that succeeded, of `up_count` that were kept; None when none was.
    """

    job: str
    instance: str
    health: str
    error: str
    interval_s: float
    age_s: float | None
    samples: float | None
    up_ratio: float | None
    up_count: int


@dataclass(frozen=True)
class JobScrapes:
    """Scrapes of a whole job within the window: `kept` of them, `good` of which succeeded."""

    job: str
    kept: int
    good: int


def scraped(prom: PromQL, window_s: float) -> tuple[tuple[ScrapeTarget, ...], tuple[tuple[str, int], ...]]:
    """Return the active targets, and how many targets of each job relabelling dropped."""
    listed = prom.get("targets")
    now = prom.now()
    if not isinstance(listed, dict) or not isinstance(listed.get("activeTargets"), list):
        raise CannotLook(Reason.UNPARSEABLE, "/api/v1/targets lists no activeTargets")
    span = f"[{duration(window_s)}]"
    ratios = _by_target(prom, f"avg_over_time(up{span})", now)
    counts = _by_target(prom, f"count_over_time(up{span})", now)
    samples = _by_target(prom, "scrape_samples_scraped", now)
    found = []
    for entry in listed["activeTargets"]:
        labels = entry.get("labels", {})
        key = (str(labels.get("job", "")), str(labels.get("instance", "")))
        last = moment(entry.get("lastScrape"))
        found.append(
            ScrapeTarget(
                job=key[0],
                instance=key[1],
                health=str(entry.get("health", "")),
                error=str(entry.get("lastError", ""))[:300],
                interval_s=seconds(str(entry.get("scrapeInterval", ""))),
                age_s=round(now - last, 3) if last else None,
                samples=samples.get(key),
                up_ratio=ratios.get(key),
                up_count=int(counts.get(key, 0)),
            )
        )
    found.sort(key=lambda target: (target.job, target.instance))
    return tuple(found), _dropped(listed)


def job_scrapes(prom: PromQL, window_s: float) -> tuple[JobScrapes, ...]:
    """Return the scrapes of each job over the window: targets come and go, a job stays."""
    now = prom.now()
    span = f"[{duration(window_s)}]"
    kept = {s.label("job"): s.value for s in prom.instant(f"sum by (job) (count_over_time(up{span}))", now)}
    good = {s.label("job"): s.value for s in prom.instant(f"sum by (job) (sum_over_time(up{span}))", now)}
    return tuple(JobScrapes(job, int(kept[job]), int(good.get(job, 0))) for job in sorted(kept))


def _by_target(prom: PromQL, query: str, now: float) -> dict[tuple[str, str], float]:
    try:
        found = prom.instant(query, now)
    except QueryRefused:
        return {}
    return {(sample.label("job"), sample.label("instance")): sample.value for sample in found}


def _dropped(listed: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Count dropped targets by job: newer versions count themselves, older ones list them."""
    counts = listed.get("droppedTargetCounts")
    if not isinstance(counts, dict):
        counts = {}
        for entry in listed.get("droppedTargets") or ():
            job = str(entry.get("discoveredLabels", {}).get("job", ""))
            counts[job] = counts.get(job, 0) + 1
    return tuple((str(job), int(count)) for job, count in sorted(counts.items()) if count)
