"""Post Go-Live Monitoring, First 24 Hours: items 89 and 90 of the default checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import provisional, unproven
from pytest_deploycheck.rules.baseline import silence_s, spikes
from pytest_deploycheck.verdict import Reason
from pytest_deploycheck.windows import at, kept, measured, opened

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.window import WindowFacts
    from pytest_deploycheck.probes.window_issues import WindowIssuesFacts
    from pytest_deploycheck.probes.window_runs import WindowRunsFacts

PERFORMANCE = "post_go_live.first_day.performance"
ERRORS = "post_go_live.first_day.errors"


@pytest.mark.checklist(PERFORMANCE, text="Monitor system performance continuously")
def test_continuity(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """Somebody looked every few minutes, and Prometheus has nearly every sample of every job since go-live.

    The mean of `up` ignores samples that are missing, so that it cannot show a Prometheus that stood still.
    """
    day = opened(window_facts, now)
    assert not window_runs_facts.broken, f"the ledger is broken: {window_runs_facts.broken}"
    if final := kept(window_runs_facts, PERFORMANCE, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    if not day.coverage:
        unproven(Reason.NO_CONFIG, "prometheus.jobs names no job whose samples could be counted")
    for job in day.coverage:
        assert job.share >= limits.window_coverage_min, (
            f"Prometheus has {job.share:.1%} of the samples of job {job.job} since {day.start}; "
            f"the longest gap is of {job.longest_gap_s:.0f} s from {job.gap_at}"
        )
    runs = window_runs_facts.of(PERFORMANCE)
    if runs.missed:
        assert runs.share >= limits.window_runs_min, (
            f"{runs.missed} of {runs.due} scheduled runs are not in the ledger, one is due each "
            f"{runs.slot_s:.0f} s; nobody looked for {runs.longest_gap_s:.0f} s from {runs.gap_at}"
        )


@pytest.mark.checklist(PERFORMANCE, text="Monitor system performance continuously")
def test_performance(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """In nearly every five minutes requests were answered fast and without errors, and the day's budget holds.

    Steps without requests are neither good nor bad; where most are, nothing is proven.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, PERFORMANCE, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    slow = dict(day.points("p95"))
    ratios = dict(day.error_ratio)
    judged = slow.keys() & ratios.keys()
    if len(judged) < limits.window_judged_min * day.steps:
        unproven(
            Reason.NO_TRAFFIC,
            f"{len(judged)} of {day.steps} steps since {day.start} had requests whose time and status are known",
        )
    bad = sorted(
        one
        for one in judged
        if slow[one] > limits.window_p95_s or ratios[one] > limits.window_error_ratio_max
    )
    share = 1 - len(bad) / len(judged)
    assert share >= limits.window_good_min, (
        f"{len(bad)} of {len(judged)} steps were slow or had errors, the first before {at(day, bad[0])}: "
        f"p95 {slow[bad[0]]:.2f} s, {ratios[bad[0]]:.2%} errors"
    )
    requests, errors = dict(day.points("requests")), dict(day.points("errors"))
    ratio = sum(errors[one] for one in ratios) / sum(requests[one] for one in ratios)
    burn = ratio / (1 - limits.window_objective)
    assert burn <= limits.window_burn_max, (
        f"{ratio:.3%} of the requests failed, {burn:.1f} times the error budget"
    )
    outside = [value for _, value in day.points("outside")]
    if outside:
        seen = sum(outside) / len(outside)
        assert seen >= limits.window_outside_min, f"{seen:.1%} of the looks from outside succeeded"


@pytest.mark.checklist(ERRORS, text="Watch for any error spikes")
def test_errors(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """No five minutes have more server errors than limit and chance allow, and no silence hides an outage.

    A step counts when its errors are no accident: each is asked at a level at which a healthy day has a false alarm
    in one of a hundred cases. Where there was a week before, what was usual then counts as well.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, ERRORS, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    requests = measured(day, "requests")
    if not any(rate > 0 for _, rate in requests):
        unproven(Reason.NO_TRAFFIC, f"there was no request since {day.start}")
    errors = dict(measured(day, "errors"))
    highest, usual = limits.window_error_ratio_max, limits.window_error_ratio_max / limits.window_spike_factor
    before = sorted(ratio for _, ratio in window_facts.before.error_ratio) if window_facts.before else []
    if before:
        was = before[len(before) // 2]
        highest = min(highest, max(limits.window_spike_factor * was, 1 - limits.window_objective))
        usual = max(was, highest / limits.window_spike_factor)
    counts = {
        end: (round(errors[end] * day.step_s), round(rate * day.step_s))
        for end, rate in requests
        if end in errors
    }
    found = spikes(counts, ratio_max=highest, usual=usual, chance=limits.window_false_alarm_max)
    assert not found, (
        f"{len(found)} steps with more errors than {highest:.2%}, the first until {at(day, found[0].at_s)}: "
        f"{found[0].errors} of {found[0].requests} requests"
    )
    silent, begun = silence_s(requests, day.step_s, expected=limits.window_silence_requests)
    assert silent == 0, (
        f"no request for {silent:.0f} s from {at(day, begun)}: an outage without a single error"
    )


@pytest.mark.checklist(ERRORS, text="Watch for any error spikes")
def test_error_lines(
    window_facts: WindowFacts, window_runs_facts: WindowRunsFacts, limits: Limits, now: datetime
) -> None:
    """Lines of level error do not come in bursts either: errors may be answered as successes.

    Judged where `watch.queries.log_errors` counts them; the other tests of this item do not need it.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, ERRORS, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    lines = {end: rate * day.step_s for end, rate in day.points("log_errors")}
    before = (
        sorted(rate * day.step_s for _, rate in window_facts.before.points("log_errors"))
        if (window_facts.before)
        else []
    )
    usual = before[len(before) // 2] if before else 0.0
    most = max(limits.window_log_lines_max, limits.window_spike_factor * usual)
    worst = max(lines, key=lambda end: lines[end], default=0.0)
    assert lines.get(worst, 0.0) <= most, (
        f"{lines[worst]:.0f} lines of level error within {day.step_s:.0f} s until {at(day, worst)}"
    )


@pytest.mark.checklist(ERRORS, text="Watch for any error spikes")
def test_new_issues(
    window_facts: WindowFacts,
    window_runs_facts: WindowRunsFacts,
    window_issues_facts: WindowIssuesFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Each new group of errors of the day was assigned, resolved or ignored within hours.

    Judged where `[errors]` names a tracker, which must then be readable; the other tests of this item do not need it.
    """
    day = opened(window_facts, now)
    if final := kept(window_runs_facts, ERRORS, day):
        assert final.final == "passed", (
            f"run {final.final_run} found it {final.final} after its window had closed"
        )
        return
    facts, most = window_issues_facts, timedelta(hours=limits.errors_triage_h)
    late = [
        one
        for one in facts.issues
        if one.is_error and not one.triaged and now - datetime.fromisoformat(one.first_seen) > most
    ]
    assert not late, (
        f"{len(late)} new groups of errors that nobody took up within {limits.errors_triage_h:g} h: "
        f"{late[0].title!r}, first seen {late[0].first_seen}"
    )
    if facts.tracker:
        assert facts.project_found, "the error tracker does not have the project"
        if facts.unread:
            unproven(Reason.NO_EVIDENCE, f"more than the {facts.examined} issues that were read")
        if now < datetime.fromisoformat(facts.closes) + most:
            provisional(datetime.fromisoformat(facts.closes) + most)
