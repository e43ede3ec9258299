"""Item 61 in depth: a line of our own arrives, and lines are kept long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.log_flow import LogFlowFacts


@pytest.mark.checklist("post_deploy.monitoring.logs", text="Log aggregation working")
def test_logs_round_trip(log_flow_facts: LogFlowFacts, limits: Limits) -> None:
    """A request of our own is found in the log within a minute, stamped with the time it was sent."""
    trip = log_flow_facts.round_trip
    if trip is None:
        unproven(Reason.NO_TRAFFIC, "the API took no request, so no line of it could arrive")
    where = repr(trip.service) if trip.service else "any service"
    assert trip.arrived_s is not None, (
        f"our requests to {' and '.join(trip.paths)} never appeared in the log of {where}"
    )
    assert trip.arrived_s <= limits.logs_round_trip_s, f"our line took {trip.arrived_s:.0f} s to arrive"
    assert trip.skew_s is not None and abs(trip.skew_s) <= limits.logs_skew_max_s, (
        f"lines of {', '.join(trip.found_in)} are stamped {trip.skew_s} s beside the time"
    )


@pytest.mark.checklist("post_deploy.monitoring.logs", text="Log aggregation working")
def test_logs_retention(log_flow_facts: LogFlowFacts, limits: Limits) -> None:
    """Lines are kept long enough to look into what is noticed late."""
    if log_flow_facts.retention_d is None and not log_flow_facts.keeps_all:
        unproven(
            Reason.NO_EVIDENCE, "neither the backend's configuration nor an old line tells how long it keeps"
        )
    days = log_flow_facts.retention_d
    assert log_flow_facts.keeps_all or (days is not None and days >= limits.logs_retention_min_d), (
        f"lines are deleted after {days} days"
    )
