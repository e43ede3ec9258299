"""Post Go-Live Monitoring, First 24 Hours: item 93 of the default checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.rules.extras import growth
from pytest_deploycheck.verdict import Reason
from pytest_deploycheck.windows import kept, measured, opened

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.window import WindowFacts
    from pytest_deploycheck.probes.window_runs import WindowRunsFacts

RESOURCES = "post_go_live.first_day.resources"
SLOPE_S = 6 * 3600
"""A file system's growth over less than this says little about its week."""


@pytest.mark.checklist(RESOURCES, text="Monitor resource usage")
def test_resources(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """No host, container, file system, database or cache came near its limit, and none will within days.

    Each container counts by itself: a host at ease may have one at its limit. A disk with room may fill.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, RESOURCES, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    missing = [
        one for one in window_facts.must_measure if one not in {peak.what for peak in window_facts.peaks}
    ]
    if missing:
        unproven(
            Reason.NO_EVIDENCE,
            f"nobody measures {', '.join(missing)}; scrape node_exporter and cAdvisor, or shorten watch.resources",
        )
    most = {
        "cpu": limits.window_cpu_max,
        "memory": limits.window_memory_max,
        "disk": limits.window_disk_max,
        "inodes": limits.window_disk_max,
        "descriptors": limits.window_descriptors_max,
        "connections": limits.window_connections_max,
        "store memory": limits.window_store_memory_max,
    }
    counts = {
        "restarts": limits.window_counts_max,
        "kills": limits.window_counts_max,
        "evictions": limits.window_evictions_max,
        "network errors": limits.window_network_errors_max,
    }
    for peak in window_facts.peaks:
        if peak.what in most:
            assert peak.value <= most[peak.what], f"{peak.what} of {peak.who}: {peak.value:.0%} at its peak"
        elif peak.what == "disk days" and day.span_s >= SLOPE_S:
            assert peak.value >= limits.window_disk_days_min, f"{peak.who} is full in {peak.value:.1f} days"
        elif peak.what in counts:
            assert peak.value < counts[peak.what] + 1, f"{peak.value:.0f} {peak.what} of {peak.who}"


@pytest.mark.checklist(RESOURCES, text="Monitor resource usage")
def test_log_growth(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """The logs do not grow several times as fast as before.

    Judged where `watch.queries.log_volume` counts their bytes or lines, which must then have an answer.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, RESOURCES, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    if not day.expression("log_volume"):
        assert not day.points("log_volume"), "log_volume was not asked for"
        return
    before = window_facts.before.points("log_volume") if window_facts.before else ()
    points = measured(day, "log_volume")
    factor = growth(points, day.step_s, before)
    if factor is None:
        if day.span_s < 3600:
            pending(datetime.fromisoformat(day.start) + timedelta(hours=1), "an hour of logs is not over")
        unproven(Reason.NO_EVIDENCE, f"nothing to compare the logs since {day.start} with: none were counted")
    assert factor <= limits.window_log_growth_max, f"{factor:.1f} times as many logs in an hour as was usual"
