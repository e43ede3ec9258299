"""Item 58 in depth: the last hour of scrapes, and counters that move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.prometheus import PrometheusFacts


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.prometheus", text="Prometheus metrics collecting")
def test_prometheus_history(prometheus_facts: PrometheusFacts, limits: Limits) -> None:
    """Over the last hour every job was scraped as often as it should be, nearly always with success.

    Scrapes are counted by job, since a rolling release replaces targets.
    """
    facts = prometheus_facts
    assert facts.jobs, "prometheus.jobs names no job"
    if facts.oldest_s is not None and facts.oldest_s < limits.prom_up_min * facts.window_s:
        unproven(
            Reason.NO_EVIDENCE,
            f"Prometheus has {facts.oldest_s:.0f} s of data; look again after {facts.window_s:.0f} s",
        )
    # A Prometheus that is younger than the window owes the scrapes of its own life only.
    lived_s = min(facts.window_s, facts.oldest_s) if facts.oldest_s is not None else facts.window_s
    scrapes = {entry.job: entry for entry in facts.scrapes}
    for job, least in facts.jobs:
        assert job in scrapes, f"job {job!r} has no scrape in {facts.window_s:.0f} s"
        kept, good = scrapes[job].kept, scrapes[job].good
        assert good / kept >= limits.prom_up_min, f"{good} of {kept} scrapes of {job!r} succeeded"
        intervals = [target.interval_s for target in facts.of(job) if target.interval_s]
        if intervals:
            due = least * lived_s / max(intervals)
            assert kept >= limits.prom_up_min * due - 1, f"{job!r} has {kept} of {due:.0f} scrapes"
        for target in facts.of(job):
            assert target.up_ratio is not None, f"{job} {target.instance} has no scrape in the window"
            assert target.up_ratio >= limits.prom_up_min, (
                f"{job} {target.instance} was up in {target.up_ratio:.0%} of its scrapes"
            )


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.prometheus", text="Prometheus metrics collecting")
def test_prometheus_moves(prometheus_facts: PrometheusFacts, limits: Limits) -> None:
    """Requests that were just sent show in the traffic counter, and no instance has stopped counting."""
    movement = prometheus_facts.movement
    if movement is None or not movement.sent:
        unproven(Reason.NO_TRAFFIC, "the API took no request, so no counter could move")
    assert movement.grown is not None, f"{movement.metric} has no series"
    assert movement.grown >= movement.sent, (
        f"{movement.metric} rose by {movement.grown:.0f} in {movement.waited_s:.0f} s "
        f"after {movement.sent} requests to {movement.path}"
    )
    if movement.others >= limits.prom_still_min_requests:
        assert not movement.still, (
            f"{movement.metric} of {', '.join(movement.still)} stands still, while others counted "
            f"{movement.others:.0f} requests"
        )
