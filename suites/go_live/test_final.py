"""Go-live, final checks: monitoring is green, and no critical alert is active."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import provisional, unproven
from pytest_deploycheck.claims.scope import GREEN
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.alerts_now import AlertsNowFacts
    from pytest_deploycheck.probes.grafana import GrafanaFacts
    from pytest_deploycheck.probes.green import GreenFacts
    from pytest_deploycheck.probes.health import HealthFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts

SYSTEMS = "All systems green in monitoring dashboard"
CRITICAL = "No critical alerts active"
BEFORE = ("pre_deploy.", "deploy.", "post_deploy.", "operations.")


@pytest.mark.checklist("go_live.final.green", text=SYSTEMS)
def test_green(green_facts: GreenFacts, limits: Limits, now: datetime) -> None:
    """Every target and every look from outside was good without a pause, and no sample of it is missing.

    The first failures of a target that is new within the window are its start; with less than a window to judge by,
    the result is provisional.
    """
    facts = green_facts
    assert facts.jobs, "prometheus.jobs names no job"
    ups = [one for one in facts.watched if one.metric == "up"]
    for job, least in facts.jobs:
        found = [one for one in ups if one.job == job]
        assert len(found) >= least, f"{len(found)} of {least} targets of job {job!r} have samples"
    assert facts.watched, "nothing is watched"
    for one in facts.watched:
        assert one.good, f"{one.name} is down"
        assert one.failed <= limits.green_failed_max, (
            f"{one.name} failed in {one.failed} of {one.samples} samples of the last {one.span_s:.0f} s"
        )
        assert one.starting_s <= limits.green_settle_s, f"{one.name} took {one.starting_s:.0f} s to start"
        # One sample more or less is a matter of when the window was cut out.
        assert one.samples + 1 >= limits.green_coverage_min * one.due, (
            f"{one.name} has {one.samples} of {one.due:.0f} samples of the last {one.span_s:.0f} s"
        )
    if not any(one.metric == "probe_success" for one in facts.watched):
        unproven(
            Reason.NO_EVIDENCE, "nobody looks from outside (no series probe_success); add a blackbox exporter"
        )
    if facts.span_s < limits.green_window_s:
        provisional(now + timedelta(seconds=limits.green_window_s - facts.span_s))


@pytest.mark.checklist("go_live.final.green", text=SYSTEMS)
def test_green_dashboard(grafana_facts: GrafanaFacts, health_facts: HealthFacts) -> None:
    """The panels that must be there show data, and every part of the service says of itself that it is well."""
    panels = [panel for board in grafana_facts.dashboards for panel in board.panels]
    assert panels, "no dashboard with panels was seen"
    wanted = grafana_facts.required_panels or tuple(panel.title for panel in panels)
    for title in wanted:
        found = [panel for panel in panels if panel.title == title]
        assert found, f"no panel {title!r} on {', '.join(board.uid for board in grafana_facts.dashboards)}"
        for panel in found:
            assert panel.has_data, (
                f"panel {title!r} shows no data: {panel.error or 'its queries give nothing'}"
            )
    assert health_facts.samples, f"{health_facts.path} was not asked"
    for sample in health_facts.samples:
        assert sample.status < 400 and sample.ok, (
            f"{health_facts.path} answers {sample.status} {sample.word!r}"
        )
        bad = [name for name, good in sample.components if not good]
        assert not bad, f"{health_facts.path} says that not all is well: {', '.join(bad)}"


@pytest.mark.checklist("go_live.final.green", text=SYSTEMS)
def test_green_ledger(ledger_facts: LedgerFacts, limits: Limits, now: datetime) -> None:
    """By earlier runs every item before the go-live is proven for this release, and lately.

    A run never counts for itself: the first run of a release cannot prove this item, the next one can.
    """
    facts = ledger_facts
    assert not facts.broken, f"the ledger's chain does not hold: {facts.broken}"
    items = [item for item in facts.items if item.startswith(BEFORE)]
    assert items, "the checklist has no items before the go-live"
    latest = facts.latest()
    if not latest:
        unproven(
            Reason.NO_EVIDENCE,
            "the ledger has no earlier run of this release, and a run never counts for itself: "
            "when this run is over, look again with the same command",
        )
    for item in items:
        if item in latest:
            verdict, entry = latest[item]
            assert verdict not in ("failed", "error"), f"{item} was {verdict} in the run of {entry.time}"
    missing = [item for item in items if latest.get(item, ("not_run", None))[0] not in GREEN]
    if missing:
        unproven(
            Reason.NO_EVIDENCE,
            f"{len(missing)} of {len(items)} items have no good verdict in earlier runs, such as "
            f"{', '.join(missing[:3])}; run their suites, then this one",
        )
    oldest = min(items, key=lambda item: latest[item][1].at)
    age = now - latest[oldest][1].at
    if age > timedelta(hours=limits.green_run_max_age_h):
        unproven(
            Reason.STALE, f"{oldest} was last looked at {age.total_seconds() / 3600:.0f} h ago; run it again"
        )


@pytest.mark.smoke
@pytest.mark.checklist("go_live.final.no_critical", text=CRITICAL)
def test_no_critical(alerts_now_facts: AlertsNowFacts, limits: Limits) -> None:
    """No critical alert is active, silenced ones included, none is about to be, and none has just been."""
    facts = alerts_now_facts
    assert facts.severities, "alerts.critical_severities names none"
    known = [
        f"{alert.name} ({alert.severity}) is {alert.state}"
        + (", kept from being sent," if alert.suppressed_by else "")
        for alert in facts.known
    ]
    assert not known, f"{'; '.join(known[:5])} in Alertmanager"
    raised = [
        f"{alert.name} ({alert.severity}) is {alert.state} for {alert.since_s:.0f} s"
        for alert in facts.raised
        if alert.state == "firing" or alert.since_s > limits.critical_pending_max_s
    ]
    assert not raised, f"{'; '.join(raised[:5])} in Prometheus"
    recent = [f"{name} ({severity})" for name, severity in facts.recent]
    assert not recent, f"{', '.join(recent[:5])} fired within the last {facts.recent_s:.0f} s"


@pytest.mark.smoke
@pytest.mark.checklist("go_live.final.no_critical", text=CRITICAL)
def test_no_critical_means_something(alerts_now_facts: AlertsNowFacts, limits: Limits) -> None:
    """An alert would be here if there were one: rules are evaluated, and one that always fires arrives."""
    facts = alerts_now_facts
    groups = [group for group in facts.groups if group.rules]
    assert groups, "Prometheus has loaded no rule, so that nothing can ever fire"
    for group in groups:
        assert not group.unhealthy, f"group {group.name}: {', '.join(group.unhealthy)} cannot be evaluated"
        assert group.age_s is not None, f"group {group.name} was never evaluated"
        oldest = max(limits.evaluation_age_factor * group.interval_s, limits.evaluation_age_min_s)
        assert group.age_s <= oldest, f"group {group.name} was last evaluated {group.age_s:.0f} s ago"
    assert facts.watchdog_fires, f"{facts.watchdog}, which always fires, does not fire in Prometheus"
    assert facts.active > 0, "Prometheus knows no Alertmanager, so that no alert arrives there"
    assert facts.watchdog_age_s is not None, f"{facts.watchdog} fires, and Alertmanager does not know it"
    assert facts.watchdog_known, f"Alertmanager knows a {facts.watchdog} of another Prometheus only"
    assert facts.watchdog_age_s <= limits.watchdog_max_age_s, (
        f"Alertmanager heard of {facts.watchdog} {facts.watchdog_age_s:.0f} s ago"
    )
