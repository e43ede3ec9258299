"""Go-live, final checks: performance by its indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.slo import COMPARE, Indicator, SloFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits

PERF = "Performance metrics within acceptable ranges"


@pytest.mark.checklist("go_live.final.perf", text=PERF)
def test_perf(slo_facts: SloFacts, limits: Limits) -> None:
    """Every indicator is measured, and within its limit now and at its worst of late, under real traffic.

    An indicator without a value proves nothing, whatever the others are: a query with a typing error has none either.
    """
    facts = slo_facts
    assert facts.indicators, "there is no indicator"
    for one in facts.indicators:
        if one.name != facts.traffic:
            for value, when in ((one.now, "now"), (one.worst, "at its worst")):
                assert value is None or COMPARE[one.op](value, one.limit), (
                    f"{one.name} is {value:g} {when}, not {one.op} {one.limit:g}"
                )
    for one in facts.indicators:
        _measured(one)
    traffic = facts.of(facts.traffic)
    if (
        traffic is not None
        and traffic.now is not None
        and not COMPARE[traffic.op](traffic.now, traffic.limit)
    ):
        unproven(
            Reason.NO_TRAFFIC,
            f"{traffic.now:.3g} requests a second; within its limits is an idle system always",
        )
    response_times = [one for one in facts.indicators if one.name != facts.traffic]
    assert response_times, "no indicator besides the traffic is left"
    longest = max(one.span_s for one in response_times)
    if longest < limits.slo_min_span_s:
        unproven(
            Reason.NO_EVIDENCE,
            f"since the release there are {longest:.0f} s of samples; look again after {limits.slo_min_span_s:.0f} s",
        )


def _measured(one: Indicator) -> None:
    if one.refused:
        unproven(Reason.UNPARSEABLE, f"{one.name}: {one.refused}")
    if one.series > 1:
        unproven(
            Reason.NO_CONFIG, f"{one.name} gives {one.series} values; let slo.table.{one.name!r} give one"
        )
    if one.now is None:
        unproven(
            Reason.NO_EVIDENCE,
            f"{one.name} is not measured: {one.expression[:160]} gives nothing; name the metric in "
            f"[prometheus] or [watch], give slo.table, or say in slo.leave_out why it does not apply",
        )


@pytest.mark.checklist("go_live.final.perf", text=PERF)
def test_perf_as_before(slo_facts: SloFacts, limits: Limits) -> None:
    """Responses are not much slower than before the release, where there was a time before it."""
    facts = slo_facts
    if facts.now_s is None:
        unproven(Reason.NO_EVIDENCE, "no response time was measured since the release")
    assert facts.now_s >= 0
    if facts.before_s is not None:
        allowed = limits.slo_regression_max * max(facts.before_s, limits.slo_regression_floor_s)
        assert facts.now_s <= allowed, (
            f"the 95th percentile of response times is {facts.now_s:.3f} s, before the release {facts.before_s:.3f} s"
        )
