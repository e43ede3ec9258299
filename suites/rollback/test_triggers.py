"""Rollback Plan, Rollback Triggers: armed. An alert notices each trigger, and it is the one that the plan means.

Items 104 to 108. Each trigger has two halves. Here: the plan names a criterion, a decision and whoever decides, and
the alerts that it relies on are loaded, able to fire, routed to a person, as the plan says, and silent. What else
would show that a trigger is tripped is looked for in the other files of this section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.detectors import Armed, DetectorsFacts, watching
from pytest_deploycheck.rules.thresholds import same
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts

VULN = "Critical security vulnerability discovered"
PERF = "System performance degraded significantly"
CORRUPTION = "Data corruption detected"
CHAIN = "Blockchain integration failures"
BUGS = "User-impacting bugs discovered"
DECIDE = "rollback decision needed"


@pytest.mark.checklist("rollback.triggers.vuln", text=VULN)
def test_vuln_armed(
    rollback_plan_facts: RollbackPlanFacts, detectors_facts: DetectorsFacts, limits: Limits
) -> None:
    """The plan's alerts on new holes page somebody, and one tells when nobody scans any more, in time."""
    found = _armed("vuln", rollback_plan_facts, detectors_facts)
    assert watching(found, r"vuln|cve|exploit|scan\w*_(?:find|critical)"), (
        f"no alert of the plan is on findings of a scan: {_names(found)}"
    )
    stale = [one for one in watching(found, r"scan") if "time()" in one.text or "age" in one.text.lower()]
    assert stale, f"no alert of the plan tells that scanning stopped: {_names(found)}"
    allowed_s = limits.trigger_scan_max_age_h * 3600
    assert any(number <= allowed_s for one in stale for _, number in one.compares or ()), (
        f"{_names(tuple(stale))} tells only after {allowed_s / 3600:g} h that scanning stopped"
    )
    _quiet(found)


@pytest.mark.checklist("rollback.triggers.perf", text=PERF)
def test_perf_armed(
    rollback_plan_facts: RollbackPlanFacts, detectors_facts: DetectorsFacts, limits: Limits
) -> None:
    """A fast and a slow burn of the error budget page somebody, each seen over a long and a short window.

    Source: SRE workbook, chapter 5: 14.4 times over 1 h and 5 min, 6 times over 6 h and 30 min.
    """
    found = _armed("perf", rollback_plan_facts, detectors_facts)
    budget = 1 - detectors_facts.objective
    for factor, windows in (
        (limits.burn_fast_factor, (300.0, 3600.0)),
        (limits.burn_slow_factor, (1800.0, 21600.0)),
    ):
        over = " and ".join(f"{one / 60:g} min" for one in windows)
        burning = [one for one in found if set(windows) <= set(one.windows_s)]
        assert burning, f"no alert of the plan looks over {over}: {_names(found)}"
        most = factor * budget * (1 + 1e-9)
        assert any(_burns(one, windows, most) for one in burning), (
            f"{_names(tuple(burning))} fires only above {factor:g} times the budget of {budget:.3%} over {over}"
        )
    _quiet(found)


@pytest.mark.checklist("rollback.triggers.corruption", text=CORRUPTION)
def test_corruption_armed(rollback_plan_facts: RollbackPlanFacts, detectors_facts: DetectorsFacts) -> None:
    """One page with a wrong checksum pages somebody."""
    found = _armed("corruption", rollback_plan_facts, detectors_facts)
    counting = watching(found, r"checksum")
    assert counting, f"no alert of the plan is on failed checksums: {_names(found)}"
    assert any(_fires_at(one, 0.0) or _fires_at(one, 1.0, at_least=True) for one in counting), (
        f"{_names(counting)} does not fire at the first page: {[one.compares for one in counting]}"
    )
    _quiet(found)


@pytest.mark.checklist("rollback.triggers.chain", text=CHAIN)
def test_chain_armed(rollback_plan_facts: RollbackPlanFacts, detectors_facts: DetectorsFacts) -> None:
    """All that can fail at the chain is watched, and not only by the application that would fail with it."""
    found = _armed("chain", rollback_plan_facts, detectors_facts)
    assert detectors_facts.chain_watches, "nothing of the chain is to be watched"
    for name, pattern in detectors_facts.chain_watches:
        assert watching(found, pattern), f"no alert of the plan is on the {name}: {_names(found)}"
    outside = [one for one in found if set(one.jobs) - set(detectors_facts.app_jobs)]
    assert outside, (
        f"every alert on the chain hangs on {', '.join(detectors_facts.app_jobs)}, and falls silent with it"
    )
    said = rollback_plan_facts.trigger("chain")
    words = dict(said.words) if said else {}
    for key in ("pause_when", "roll_back_when"):
        assert words.get(key), f"{rollback_plan_facts.file}: [chain] does not say {key}"
    _quiet(found)


@pytest.mark.checklist("rollback.triggers.bugs", text=BUGS)
def test_bugs_armed(rollback_plan_facts: RollbackPlanFacts, detectors_facts: DetectorsFacts) -> None:
    """Failing journeys page somebody, and so does it when nobody makes them any more."""
    found = _armed("bugs", rollback_plan_facts, detectors_facts)
    assert watching(found, r"journey|synthetic|browser|e2e|scenario|probe_success"), (
        f"no alert of the plan is on synthetic journeys: {_names(found)}"
    )
    assert watching(found, r"time\(\)|absent|age|stale|stopped"), (
        f"no alert of the plan tells that journeys are made no more: {_names(found)}"
    )
    said = rollback_plan_facts.trigger("bugs")
    assert said is not None
    assert dict(said.words).get("intake"), (
        f"{rollback_plan_facts.file}: [bugs] does not say who takes users' reports"
    )
    _quiet(found)


def _armed(name: str, plan: RollbackPlanFacts, facts: DetectorsFacts) -> tuple[Armed, ...]:
    """Return a trigger's detectors, of which each is loaded, sound, routed and equal to the plan's criterion."""
    said = plan.trigger(name)
    assert said is not None, f"{plan.file} does not speak of {name!r}"
    for what in ("criterion", "decision", "decider"):
        assert getattr(said, what), f"{plan.file}: [{name}] has no {what}"
    found = facts.of(name)
    assert found, f"{plan.file}: [{name}] names no alert that would notice"
    assert facts.sends, "Prometheus sends its alerts to nobody"
    for one in found:
        _loaded(one)
        _told(one, facts)
        _as_planned(one)
    assert any(one.severity in facts.paging for one in found), (
        f"no alert of {name!r} pages anybody: {_names(found)}"
    )
    return found


def _loaded(one: Armed) -> None:
    alert = one.plan.alert
    assert one.rules > 0, f"the plan relies on {alert!r}, and no alert of that name is loaded"
    assert one.health == "ok", f"{alert} cannot be evaluated: {one.health}"
    assert not one.dead, f"{alert} can never fire: no series of {', '.join(one.dead)}"


def _told(one: Armed, facts: DetectorsFacts) -> None:
    wanted = one.plan.severity
    assert not wanted or one.severity == wanted, (
        f"the plan has {one.plan.alert} tell as {wanted!r}; its severity is {one.severity!r}"
    )
    assert wanted or one.severity in facts.paging, (
        f"{one.plan.alert} has severity {one.severity or 'none'}; those that reach a person are {', '.join(facts.paging)}"
    )
    assert one.receivers, f"no route takes {one.plan.alert}"
    for receiver, count in one.receivers:
        assert count > 0, f"{one.plan.alert} goes to receiver {receiver!r}, which sends nothing"


def _as_planned(one: Armed) -> None:
    plan = one.plan
    assert plan.compares, f"the plan's criterion of {plan.alert} is no comparison: {plan.when!r}"
    if one.compares is None:
        unproven(Reason.UNPARSEABLE, f"the expression of {plan.alert} cannot be parsed")
    agree = all(any(same(wanted, found) for found in one.compares) for wanted in plan.compares) and all(
        any(same(wanted, found) for wanted in plan.compares) for found in one.compares
    )
    assert agree, (
        f"the plan says {plan.alert} {plan.when}; the rule compares with "
        f"{', '.join(f'{operator} {number:g}' for operator, number in one.compares) or 'nothing'}"
    )
    if plan.over_s is not None:
        assert plan.over_s == one.windows_s, (
            f"the plan has {plan.alert} look over {_spans(plan.over_s)}; the rule does over {_spans(one.windows_s)}"
        )
    if plan.holds_s is not None:
        assert plan.holds_s == one.for_s, (
            f"the plan has {plan.alert} hold for {plan.holds_s:g} s; the rule waits {one.for_s:g} s"
        )


def _quiet(found: tuple[Armed, ...]) -> None:
    """End the check where a detector fires, or is about to."""
    for one in found:
        assert one.state != "firing", f"{DECIDE}: {one.plan.alert} fires ({one.plan.when})"
    for one in found:
        if one.state == "pending":
            unproven(
                Reason.NO_EVIDENCE,
                f"{one.plan.alert} is pending: its condition holds, and for {one.for_s:g} s it must; look again then",
            )


def _fires_at(one: Armed, most: float, *, at_least: bool = False) -> bool:
    operators = (">=",) if at_least else (">", ">=", "!=")
    return any(operator in operators and number <= most for operator, number in one.compares or ())


def _burns(one: Armed, windows: tuple[float, ...], most: float) -> bool:
    """Whether shares over each of the windows are compared, and no comparison of shares asks for more."""
    over = {window for _, spans in one.ratios for window in spans}
    return set(windows) <= over and all(number <= most for number, _ in one.ratios)


def _names(found: tuple[Armed, ...]) -> str:
    return ", ".join(one.plan.alert for one in found) or "none"


def _spans(seconds: tuple[float, ...]) -> str:
    return ", ".join(f"{one:g} s" for one in seconds) or "no window"
