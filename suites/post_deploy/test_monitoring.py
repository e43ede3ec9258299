"""Post-Deployment Verification, Monitoring Setup: items 58 to 63 of the default checklist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.errors import ErrorsFacts
    from pytest_deploycheck.probes.grafana import GrafanaFacts
    from pytest_deploycheck.probes.log_flow import LogFlowFacts
    from pytest_deploycheck.probes.prometheus import PrometheusFacts
    from pytest_deploycheck.probes.rules import RulesFacts
    from pytest_deploycheck.probes.uptime import UptimeFacts


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.prometheus", text="Prometheus metrics collecting")
def test_prometheus(prometheus_facts: PrometheusFacts, limits: Limits) -> None:
    """Every job is scraped now, exporters reach their servers, metrics exist and are kept long enough."""
    facts = prometheus_facts
    assert facts.jobs, "prometheus.jobs names no job"
    assert facts.reload_ok is not False, "Prometheus refused its last configuration and runs on an older one"
    dropped = dict(facts.dropped)
    for job, least in facts.jobs:
        targets = facts.of(job)
        assert len(targets) >= least, (
            f"job {job!r} has {len(targets)} targets, not {least}; relabelling dropped {dropped.get(job, 0)}"
        )
        for target in targets:
            name = f"{job} {target.instance}"
            assert target.health == "up", f"{name} is {target.health}: {target.error}"
            assert target.age_s is not None, f"{name} was never scraped"
            oldest = limits.prom_scrape_age_factor * target.interval_s
            assert target.age_s <= oldest, f"{name} was last scraped {target.age_s:.0f} s ago"
            assert target.samples != 0, f"{name} answers with an empty page"
    for backend in facts.backends:
        assert backend.up, (
            f"{backend.metric} of {backend.job} {backend.instance} is 0: the exporter answers, "
            "the server behind it does not"
        )
    for metric, series in facts.metrics:
        assert series > 0, f"metric {metric!r} has no series"
    assert not facts.exposed, f"anybody can read Prometheus at {', '.join(facts.exposed or ())}"
    least_s = limits.prom_retention_min_d * 86_400
    if facts.retention_s is not None:
        assert facts.retention_s >= least_s, f"data is kept for {facts.retention} only"
    elif facts.retention and (facts.oldest_s or 0) < least_s:
        days = (facts.oldest_s or 0) / 86_400
        unproven(
            Reason.NO_EVIDENCE,
            f"data is kept by size only ({facts.retention}), and reaches back {days:.1f} days so far",
        )


@pytest.mark.checklist("post_deploy.monitoring.grafana", text="Grafana dashboards configured")
def test_grafana(grafana_facts: GrafanaFacts, limits: Limits) -> None:
    """Every required dashboard is there as released, and its panels show data from sources that answer."""
    facts = grafana_facts
    assert facts.database == "ok", f"Grafana's own database is {facts.database!r}"
    assert facts.dashboards, "grafana.dashboards names no dashboard"
    for source in facts.sources:
        assert source.healthy is not False, f"data source {source.name!r} fails: {source.message}"
    for board in facts.dashboards:
        assert board.found, f"there is no dashboard {board.uid!r}"
        assert board.same_as_released is not False, f"{board.title!r} is not the one that was released"
        for variable in board.variables:
            assert not variable.empty, f"variable {variable.name!r} of {board.title!r} has nothing to choose"
        assert board.panels, f"{board.title!r} has no panel that queries anything"
        for panel in board.panels:
            place = f"panel {panel.title!r} of {board.title!r}"
            assert not panel.unresolved, f"{place} uses variables that nobody sets: {panel.unresolved}"
        showing = [panel.title for panel in board.panels if panel.has_data]
        empty = [panel.title for panel in board.panels if not panel.has_data]
        errors = {panel.error for panel in board.panels if panel.error}
        assert len(showing) / len(board.panels) >= limits.grafana_panels_share, (
            f"{board.title!r} shows no data in {empty}; {'; '.join(sorted(errors)) or 'the answers are empty'}"
        )
    every = [panel for board in facts.dashboards for panel in board.panels]
    for title in facts.required_panels:
        named = [panel for panel in every if panel.title == title]
        assert named, f"no dashboard has a panel {title!r}"
        for panel in named:
            assert panel.has_data, f"required panel {title!r} shows no data: {panel.error or 'empty'}"


@pytest.mark.checklist("post_deploy.monitoring.grafana", text="Grafana dashboards configured")
def test_grafana_closed(grafana_facts: GrafanaFacts) -> None:
    """Strangers see no dashboard, and the password that every installation begins with is gone."""
    assert not grafana_facts.anonymous, "dashboards are shown without a login"
    assert grafana_facts.default_admin is not True, "Grafana's administrator still has the password admin"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.rules", text="Alert rules configured")
def test_rules(rules_facts: RulesFacts, limits: Limits) -> None:
    """Every intent has an alert that is loaded, evaluated, able to fire, and tells what to do."""
    facts = rules_facts
    assert facts.alerts, "no alert is loaded"
    assert facts.intents, "no intent is required"
    for name, health in facts.recordings:
        assert health == "ok", f"recording rule {name} cannot be evaluated: {health}"
    for alert in facts.alerts:
        assert alert.health == "ok", f"{alert.name} cannot be evaluated: {alert.error or alert.health}"
        assert alert.age_s is not None, f"{alert.name} was never evaluated"
        oldest = limits.rules_age_factor * alert.interval_s
        assert alert.age_s <= oldest, f"{alert.name} was last evaluated {alert.age_s:.0f} s ago"
        assert alert.took_s < alert.interval_s, f"{alert.name} takes {alert.took_s:.1f} s, its whole interval"
        if alert.name not in facts.quiet:
            assert not alert.dead, (
                f"{alert.name} can never fire: no series of {', '.join(alert.dead)} in {facts.window_s:.0f} s"
            )
        if alert.constant or alert.name == facts.watchdog:
            continue
        assert alert.severity, f"{alert.name} has no severity"
        assert not alert.lacks, f"{alert.name} has no {', '.join(alert.lacks)}"
        if alert.name not in facts.at_once:
            assert alert.for_s >= limits.rules_for_min_s, f"{alert.name} fires after {alert.for_s:.0f} s"
    for intent, names in facts.intents:
        assert names, f"nothing alerts on {intent!r}"
    dogs = {
        alert.name: alert.state for alert in facts.alerts if alert.name == facts.watchdog or alert.constant
    }
    assert dogs, f"there is no {facts.watchdog}, an alert that always fires to prove that alerting works"
    assert "firing" in dogs.values(), f"the alert that should always fire does not: {dogs}"
    unread = [alert.name for alert in facts.alerts if not alert.readable and alert.name not in facts.quiet]
    if unread:
        unproven(Reason.UNPARSEABLE, f"expressions that could not be parsed: {', '.join(unread[:5])}")


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.monitoring.logs", text="Log aggregation working")
def test_logs(log_flow_facts: LogFlowFacts, limits: Limits) -> None:
    """Every service has lines; those that log all the time have fresh ones, stamped right and without holes.

    Where none does yet, the line of our own request tells (see the round trip).
    """
    facts = log_flow_facts
    assert facts.services, "logs.services names no service"
    for flow in facts.services:
        assert flow.newest_age_s is not None, f"no line of {flow.service!r} has arrived"
        assert flow.newest_age_s >= -limits.logs_skew_max_s, (
            f"lines of {flow.service!r} are stamped {-flow.newest_age_s:.0f} s in the future"
        )
        if flow.busy:
            assert flow.newest_age_s <= limits.logs_newest_max_s, (
                f"the newest line of {flow.service!r} is {flow.newest_age_s:.0f} s old"
            )
            assert flow.longest_gap_s is not None
            assert flow.longest_gap_s <= limits.logs_gap_max_s, (
                f"{flow.service!r} was silent for {flow.longest_gap_s:.0f} s"
            )
    for counter, lost in facts.dropped:
        assert lost < 1, f"the log agent lost {lost:.0f} lines, says {counter}"
    if any(flow.lines is None for flow in facts.services):
        unproven(Reason.NO_EVIDENCE, "the backend does not count lines, so that holes cannot be seen")


@pytest.mark.checklist("post_deploy.monitoring.errors", text="Error tracking enabled")
def test_errors(errors_facts: ErrorsFacts, limits: Limits) -> None:
    """The application reports to the declared project, and an error raised in it is found there, scrubbed."""
    facts = errors_facts
    assert facts.project_found, f"the tracker has no project {facts.project!r}"
    assert not facts.dsn_empty, "the application's DSN is empty: it reports nothing"
    assert facts.dsn_fits is not False, (
        f"the application reports to {facts.dsn_place}, which is no active DSN of {facts.project!r}"
    )
    assert facts.alerts is not False, "nobody is told of new issues"
    if facts.releases and facts.released:
        assert any(name in known for name in facts.released for known in facts.releases), (
            f"the tracker does not know release {facts.released[0]}, only {', '.join(facts.releases[:5])}"
        )
    for canary in facts.canaries or ():
        accepted = canary.status < 300 if canary.how == "envelope" else canary.status not in (401, 403, 404)
        assert accepted, f"the {canary.how} for test errors answers {canary.status}"
        assert canary.read_back_s is not None, (
            f"an error by {canary.how} was answered with {canary.status} and never reached the tracker"
        )
        assert canary.read_back_s <= limits.errors_read_back_s, (
            f"an error took {canary.read_back_s:.0f} s to reach the tracker"
        )
        if facts.released:
            assert any(name in canary.release for name in facts.released), (
                f"the event is of release {canary.release!r}, not {facts.released[0]}"
            )
        if facts.environment:
            assert canary.environment == facts.environment, f"the event is from {canary.environment!r}"
        assert not canary.leaked, (
            f"the event carries {', '.join(canary.leaked)} of the request that raised it"
        )
    if not facts.canaries and not facts.since_deploy:
        unproven(
            Reason.NO_EVIDENCE,
            f"no error of this release was reported since the deployment, and none was raised: {facts.no_canary}",
        )


@pytest.mark.checklist("post_deploy.monitoring.uptime", text="Uptime monitoring configured")
def test_uptime(uptime_facts: UptimeFacts, limits: Limits) -> None:
    """Every required address is watched from outside, often, successfully, with an eye on its certificate."""
    facts = uptime_facts
    assert facts.required, "uptime.urls names no address"
    for url in facts.required:
        watching = facts.of(url)
        assert watching, f"nobody watches {url}; there are monitors of {[m.url for m in facts.monitors]}"
        for monitor in watching:
            assert monitor.up, f"{url} is down for its monitor"
            if monitor.status is not None:
                assert 200 <= monitor.status < 300, f"the monitor of {url} is content with {monitor.status}"
            if monitor.interval_s is not None:
                assert monitor.interval_s <= limits.uptime_interval_max_s, (
                    f"{url} is looked at every {monitor.interval_s:.0f} s only"
                )
                oldest = limits.uptime_age_factor * monitor.interval_s
                assert monitor.age_s is not None, f"{url} was never looked at"
                assert monitor.age_s <= oldest, f"{url} was last looked at {monitor.age_s:.0f} s ago"
        if url.startswith("https:"):
            assert any(m.watches_cert for m in watching), f"nobody watches the certificate of {url}"
            assert not all(m.trusts_anything for m in watching), f"any certificate will do for {url}"
        assert not all(m.external is False for m in watching), f"{url} is watched from its own machine only"
    if facts.alerts is not None:
        assert facts.alerts, "no alert looks at probe_success: the monitor sees, and nobody is told"
    told = facts.contacts or facts.notifiers or 0
    assert told >= 1, "nobody is told: set uptime.contacts to the number of channels that are"
    for visit in facts.visits or ():
        if visit.seen is not None:
            assert visit.seen > 0, (
                f"the log shows no visit of the monitor to {visit.url} in {visit.span_s:.0f} s"
            )
    for url in facts.required:
        if not any(monitor.external for monitor in facts.of(url)):
            unproven(
                Reason.NO_EVIDENCE,
                f"nobody can tell on which machine the monitor of {url} runs; set uptime.instance",
            )


@pytest.mark.checklist("post_deploy.monitoring.uptime", text="Uptime monitoring configured")
def test_uptime_content(uptime_facts: UptimeFacts) -> None:
    """At least one monitor looks at what is answered: an error page with status 200 is no uptime."""
    watching = [monitor for url in uptime_facts.required for monitor in uptime_facts.of(url)]
    assert watching, "nobody watches any required address"
    if not any(monitor.content for monitor in watching):
        if any(monitor.content is None for monitor in watching):
            unproven(Reason.NO_CONFIG, "what the probes accept cannot be read; set uptime.exporter")
        assert any(monitor.content for monitor in watching), "every monitor looks at the status only"
