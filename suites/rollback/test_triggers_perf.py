"""Rollback Plan, Rollback Triggers: the release is not slower and fails no more than what was before (item 105)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.regression import RegressionFacts
    from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts

PERF = "System performance degraded significantly"
DECIDE = "rollback decision needed"


@pytest.mark.checklist("rollback.triggers.perf", text=PERF)
def test_perf_as_before(regression_facts: RegressionFacts, limits: Limits) -> None:
    """Response times and errors since the deployment are like those of the same hours before, at like traffic.

    A first deployment has nothing to be compared with: the target file says so, and Prometheus confirms that
    there was no traffic. Then what is left to see is that requests are counted now.
    """
    facts = regression_facts
    after, before = facts.after, facts.before
    if not after.requests or after.p95_s is None or after.error_ratio is None:
        unproven(Reason.NO_TRAFFIC, "Prometheus has no requests, times or statuses since the deployment")
    if not facts.earlier_requests and facts.first_deploy:
        assert after.requests > 0, "no request was counted since the first deployment"
        return
    if before.requests is None or before.p95_s is None or before.error_ratio is None:
        hint = "" if facts.earlier_requests else "; if this is the first deployment, set release.first_deploy"
        unproven(Reason.NO_TRAFFIC, f"Prometheus has nothing of the same hours before the deployment{hint}")
    least = limits.regression_requests_min
    if min(after.requests, before.requests) < least:
        unproven(
            Reason.NO_TRAFFIC,
            f"{after.requests:.0f} requests since and {before.requests:.0f} before; {least:.0f} say something",
        )
    assert after.per_s is not None and before.per_s is not None
    apart = max(after.per_s, before.per_s) / min(after.per_s, before.per_s)
    if apart > limits.regression_traffic_factor:
        unproven(
            Reason.NO_TRAFFIC,
            f"{after.per_s:.2f} requests a second since, {before.per_s:.2f} before: not to be compared",
        )
    factor = limits.regression_factor
    assert after.p95_s <= factor * before.p95_s, (
        f"{DECIDE}: the 95th percentile is {after.p95_s:.3f} s since {facts.deployed_at}, {before.p95_s:.3f} s before"
    )
    most = max(factor * before.error_ratio, limits.regression_error_ratio_floor)
    assert after.error_ratio <= most, (
        f"{DECIDE}: {after.error_ratio:.3%} of requests fail since {facts.deployed_at}, {before.error_ratio:.3%} before"
    )


@pytest.mark.checklist("rollback.triggers.perf", text=PERF)
def test_perf_plan_has_the_factor(rollback_plan_facts: RollbackPlanFacts, limits: Limits) -> None:
    """The plan says by which factor worse is too much, and it is the one that is checked."""
    said = rollback_plan_facts.trigger("perf")
    assert said is not None, f"{rollback_plan_facts.file} does not speak of 'perf'"
    factor = said.number("regression_factor")
    assert factor is not None, f"{rollback_plan_facts.file}: [perf] has no regression_factor"
    assert factor == limits.regression_factor, (
        f"the plan rolls back at {factor:g} times, the limit regression_factor is {limits.regression_factor:g}"
    )
