"""Post-Deployment Verification, Monitoring Setup: items 58 to 63 of the default checklist."""

from __future__ import annotations

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.errors import ErrorsFacts
from pytest_deploycheck.probes.grafana import GrafanaFacts
from pytest_deploycheck.probes.log_flow import LogFlowFacts
from pytest_deploycheck.probes.prometheus import PrometheusFacts
from pytest_deploycheck.probes.rules import RulesFacts
from pytest_deploycheck.probes.uptime import UptimeFacts
from pytest_deploycheck.verdict import Reason


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.prometheus", text="Prometheus metrics collecting")
def test_prometheus(prometheus_facts: PrometheusFacts, limits: Limits) -> None:
    """Every job is scraped now and was all along, exporters reach their servers, and metrics exist."""
    facts = prometheus_facts
    assert facts.expected, "prometheus.jobs names no job"
    assert facts.reload_ok is not False, "Prometheus refused its last configuration and runs on an older one"
    for job, least in facts.expected:
        found = [target for target in facts.targets if target.job == job]
        assert len(found) >= least, f"job {job!r} has {len(found)} targets, not {least}"
    for target in facts.targets:
        name = f"{target.job} {target.instance}"
        assert target.health == "up", f"{name} is {target.health}: {target.error}"
        assert target.age_s is not None, f"{name} was never scraped"
        oldest = limits.prom_scrape_age_factor * target.interval_s
        assert target.age_s <= oldest, f"{name} was last scraped {target.age_s:.0f} s ago"
    for entry in facts.shares:
        name = f"{entry.job} {entry.instance}"
        assert entry.share >= limits.prom_up_min, f"{name} was up in {entry.share:.0%} of its scrapes"
        least_samples = limits.prom_up_min * entry.expected - 2
        assert entry.samples >= least_samples, (
            f"{name} has {entry.samples:.0f} of {entry.expected:.0f} scrapes"
        )
    for metric, instance, up in facts.backends:
        assert up, f"{metric} at {instance} is 0: the exporter answers, the server behind it does not"
    for metric, series in facts.metrics:
        assert series > 0, f"metric {metric!r} has no series"
    if facts.retention_d is not None:
        assert facts.retention_d >= limits.prom_retention_min_d


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.prometheus", text="Prometheus metrics collecting")
def test_prometheus_moves(prometheus_facts: PrometheusFacts, limits: Limits) -> None:
    """Requests that were just sent show in the traffic counter, and no instance has stopped counting."""
    movement = prometheus_facts.movement
    if movement is None:
        unproven(Reason.NO_TRAFFIC, "the API took no request, so no counter could move")
    metric = prometheus_facts.traffic_metric
    assert movement.rise >= movement.sent, (
        f"{metric} rose by {movement.rise:.0f} in {movement.waited_s:.0f} s after {movement.sent} requests"
    )
    for instance, rise in movement.by_instance:
        still = rise <= 0 and movement.rise >= limits.prom_still_min_requests
        assert not still, f"{metric} of {instance} stands still while the others count"


@pytest.mark.checklist("post_deploy.monitoring.grafana", text="Grafana dashboards configured")
def test_grafana(grafana_facts: GrafanaFacts, limits: Limits) -> None:
    """Every required dashboard is there, its panels show data, and strangers see none of it."""
    facts = grafana_facts
    assert facts.database == "ok", f"Grafana's own database is {facts.database!r}"
    assert not facts.anonymous, "dashboards are shown without a login"
    for source in facts.sources:
        assert source.healthy is not False, f"data source {source.name!r} fails: {source.message}"
    assert facts.dashboards, "grafana.dashboards names no dashboard"
    titles = []
    for board in facts.dashboards:
        assert board.found, f"there is no dashboard {board.uid!r}"
        assert board.same_as_released is not False, f"{board.title!r} is not the one that was released"
        assert board.panels, f"{board.title!r} has no panel that queries anything"
        for panel in board.panels:
            titles.append(panel.title)
            place = f"panel {panel.title!r} of {board.title!r}"
            assert not panel.unresolved, f"{place} uses variables that nobody sets: {panel.unresolved}"
            if panel.title in facts.required_panels:
                assert panel.has_data, f"{place} shows no data: {panel.error or 'empty'}"
        showing = sum(panel.has_data for panel in board.panels)
        empty = [panel.title for panel in board.panels if not panel.has_data]
        assert showing / len(board.panels) >= limits.grafana_panels_share, (
            f"{board.title!r}: no data in {empty}"
        )
    for title in facts.required_panels:
        assert title in titles, f"no dashboard has a panel {title!r}"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.rules", text="Alert rules configured")
def test_rules(rules_facts: RulesFacts, limits: Limits) -> None:
    """Every intent has an alert that is loaded, evaluated, able to fire, and tells what to do."""
    facts = rules_facts
    assert facts.alerts, "no alert is loaded"
    for intent, names in facts.intents:
        assert names, f"nothing alerts on {intent!r}"
    for alert in facts.alerts:
        assert alert.health == "ok", f"{alert.name} cannot be evaluated: {alert.health}"
        assert alert.age_s is not None, f"{alert.name} was never evaluated"
        oldest = limits.rules_age_factor * alert.interval_s
        assert alert.age_s <= oldest, f"{alert.name} was last evaluated {alert.age_s:.0f} s ago"
        assert alert.severity, f"{alert.name} has no severity"
        for note in ("summary", "description", "runbook_url"):
            assert note in alert.annotations or alert.name == facts.watchdog, f"{alert.name} has no {note}"
        if not alert.may_fire_at_once:
            assert alert.for_s >= limits.rules_for_min_s, f"{alert.name} fires after {alert.for_s:.0f} s"
        for selector, series in alert.selectors:
            assert series > 0, f"{alert.name} can never fire: {selector} has no series"
    for page, status in facts.runbooks:
        assert status == 200, f"runbook {page} answers {status}"
    assert not facts.missing, f"released, but not loaded as released: {facts.missing}"
    states = [alert.state for alert in facts.alerts if alert.name == facts.watchdog]
    assert states == ["firing"], f"{facts.watchdog} should always fire; it is {states or 'not there'}"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.logs", text="Log aggregation working")
def test_logs(log_flow_facts: LogFlowFacts, limits: Limits) -> None:
    """Every service's lines arrive, busy ones fresh and without holes, and one of our own was found in time."""
    facts = log_flow_facts
    assert facts.services, "logs.services names no service"
    for flow in facts.services:
        assert flow.newest_age_s is not None, f"no line of {flow.service!r} has arrived"
        if flow.longest_gap_s is not None:
            assert flow.longest_gap_s <= limits.logs_gap_max_s, f"{flow.service!r} was silent in between"
            assert flow.newest_age_s <= limits.logs_newest_max_s, (
                f"the newest line of {flow.service!r} is {flow.newest_age_s:.0f} s old"
            )
    trip = facts.round_trip
    if trip is None:
        unproven(Reason.NO_TRAFFIC, "the API took no request, so no line of it could arrive")
    assert trip.arrived_s is not None, f"our own request never appeared in the log of {trip.service!r}"
    assert trip.arrived_s <= limits.logs_round_trip_s
    assert trip.skew_s is not None and abs(trip.skew_s) <= limits.logs_skew_max_s, (
        f"lines of {trip.service!r} are stamped {trip.skew_s} s beside the time"
    )
    assert not facts.dropped, f"the log agent lost {facts.dropped:.0f} lines"
    if facts.retention_d is not None:
        assert facts.retention_d >= limits.logs_retention_min_d


@pytest.mark.checklist("post_deploy.monitoring.errors", text="Error tracking enabled")
def test_errors(errors_facts: ErrorsFacts, limits: Limits) -> None:
    """The application reports to the declared project, and an error raised in it was found there."""
    facts = errors_facts
    assert facts.project_found, f"the tracker has no project {facts.project!r}"
    if facts.dsn_project:
        assert facts.dsn_project == facts.project, f"the application reports to project {facts.dsn_project!r}"
    if facts.ingest_status is not None:
        assert facts.ingest_status == 200, f"the tracker refuses the application's DSN: {facts.ingest_status}"
    if facts.canaries is None:
        if not facts.since_deploy:
            unproven(
                Reason.NO_EVIDENCE,
                "no error since the deployment; set api.test_error_path and give --allow canary to raise one",
            )
        assert facts.since_deploy > 0
        return
    for canary in facts.canaries:
        assert canary.status == 500, f"the test route answered {canary.status}, not 500"
        assert canary.read_back_s is not None, "an error raised in the application never reached the tracker"
        assert canary.read_back_s <= limits.errors_read_back_s
        assert facts.released in canary.release, f"the event is of release {canary.release!r}"
        if facts.expected_environment:
            assert canary.environment == facts.expected_environment
        assert not canary.leaked, "the event carries the credentials of the request that raised it"


@pytest.mark.checklist("post_deploy.monitoring.uptime", text="Uptime monitoring configured")
def test_uptime(uptime_facts: UptimeFacts, limits: Limits) -> None:
    """Every required address is watched from outside, often, with an eye on its certificate."""
    facts = uptime_facts
    assert facts.required, "uptime.urls names no address"
    for url in facts.required:
        watching = [monitor for monitor in facts.monitors if monitor.url == url and monitor.active]
        assert watching, f"nobody watches {url}"
        assert any(monitor.external for monitor in watching), f"{url} is watched from its own host only"
        assert any(monitor.up for monitor in watching), f"{url} is down for its monitor"
        assert any(monitor.checks_content for monitor in watching), f"only the status of {url} is watched"
        for monitor in watching:
            if url.startswith("https:"):
                assert monitor.watches_cert, f"the monitor of {url} does not know when its certificate ends"
            if monitor.interval_s is not None:
                assert monitor.interval_s <= limits.uptime_interval_max_s
                oldest = limits.uptime_age_factor * monitor.interval_s
                assert monitor.age_s is not None and monitor.age_s <= oldest, f"{url}: no check lately"
    assert facts.contacts >= 1, "nobody is told: set uptime.contacts to the channels of its alerts"
    if facts.seen_in_log is not None:
        assert facts.seen_in_log > 0, "the edge's log shows no visit of the monitor"
