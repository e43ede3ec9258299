"""The checks of items 58 to 63 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.errors import Canary, ErrorsFacts
from pytest_deploycheck.probes.grafana import Dashboard, DataSource, GrafanaFacts
from pytest_deploycheck.probes.grafana_panels import Panel, Variable
from pytest_deploycheck.probes.log_flow import LogFlowFacts, RoundTrip, ServiceFlow
from pytest_deploycheck.probes.prometheus import Backend, Movement, PrometheusFacts
from pytest_deploycheck.probes.prometheus_targets import JobScrapes, ScrapeTarget
from pytest_deploycheck.probes.rules import AlertRule, RulesFacts, Runbook
from pytest_deploycheck.probes.rules_released import Drift
from pytest_deploycheck.probes.uptime import UptimeFacts, Visits
from pytest_deploycheck.probes.uptime_monitors import Monitor
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_monitoring.py")
LIMITS = Limits()
DAY_S = 86_400.0

TARGET = ScrapeTarget("app", "a:1", "up", "", 15.0, 9.0, 120.0, 1.0, 240)
MOVED = Movement("http_requests_total", "/me", 5, 8.0, 12.0, (), 40.0)
PROMETHEUS = PrometheusFacts(
    version="2.42.0",
    jobs=(("app", 1),),
    targets=(TARGET,),
    dropped=(),
    window_s=3600.0,
    scrapes=(JobScrapes("app", 240, 240),),
    backends=(Backend("pg_up", "postgres", "p:1", True),),
    metrics=(("http_requests_total", 7),),
    movement=MOVED,
    reload_ok=True,
    retention="30d",
    retention_s=30 * DAY_S,
    oldest_s=20 * DAY_S,
    head_age_s=3.0,
    exposed=(),
)
PANEL = Panel("Requests", "timeseries", "prom", True, "", ())
BOARD = Dashboard("a", "A", True, "v1", True, (Variable("job", "app", False),), (PANEL,))
GRAFANA = GrafanaFacts(
    version="12",
    database="ok",
    anonymous=False,
    default_admin=False,
    window_s=3600.0,
    sources=(DataSource("prom", "Prometheus", "prometheus", True, "OK"),),
    dashboards=(BOARD,),
    required_panels=("Requests",),
)
ALERT = AlertRule(
    name="ApiDown",
    group="api",
    state="inactive",
    health="ok",
    error="",
    age_s=20.0,
    took_s=0.01,
    interval_s=60.0,
    for_s=120.0,
    severity="critical",
    lacks=(),
    runbook="https://wiki/api",
    query="up == 0",
    selectors=(("up", 3),),
    dead=(),
    constant=False,
    readable=True,
)
DOG = replace(
    ALERT, name="Watchdog", state="firing", for_s=0.0, severity="", lacks=("runbook",), constant=True
)
RULES = RulesFacts(
    alerts=(ALERT, DOG),
    recordings=(("job:up", "ok"),),
    intents=(("target down", ("ApiDown",)),),
    watchdog="Watchdog",
    at_once=(),
    quiet=(),
    window_s=DAY_S,
    runbook_base="https://wiki",
    runbooks=(Runbook("https://wiki/api", 200),),
    drift=Drift(2, (), (), ()),
)
BUSY = ServiceFlow("app", 2.0, 9000, True, 40.0)
QUIET = ServiceFlow("redis", 7200.0, 3, False, 0.0)
LOGS = LogFlowFacts(
    window_s=DAY_S,
    services=(BUSY, QUIET),
    round_trip=RoundTrip("", ("/health",), ("edge",), 1.5, 0.2),
    dropped=(("promtail_dropped_entries_total", 0.0),),
    retention_d=31.0,
    keeps_all=False,
)
RAISED = Canary("route", 500, 1.0, "app@1.4.2", "production", ())
ERRORS = ErrorsFacts(
    project="api",
    project_found=True,
    dsn_place="o1.ingest.example.org/42",
    dsn_empty=False,
    dsn_fits=True,
    released=("1.4.2",),
    releases=("app@1.4.2", "app@1.4.1"),
    environment="production",
    alerts=True,
    since_deploy=0,
    canaries=(RAISED,),
    no_canary="",
)
URL = "https://api.example.org/health"
EYE = Monitor(URL, True, 200, 60.0, 30.0, True, False, True, "probe.example.net", True)
UPTIME = UptimeFacts(
    kind="blackbox",
    required=(URL,),
    monitors=(EYE,),
    contacts=0,
    alerts=("SiteDown",),
    notifiers=1,
    visits=(Visits(URL, 4, 120.0),),
)


def judge(prefix: str, facts: Any) -> None:
    """Run every check of an item, the worst of which counts; an unproven one only if none fails."""
    doubt = None
    for name, check in CHECKS.items():
        if name == prefix or name.startswith(f"{prefix}_"):
            try:
                check(facts, LIMITS) if check.__code__.co_argcount > 1 else check(facts)
            except Unproven as why:
                doubt = why
    if doubt is not None:
        raise doubt


def prom(**changes: Any) -> PrometheusFacts:
    """Return Prometheus's facts with something changed."""
    return replace(PROMETHEUS, **changes)


def scraped(**changes: Any) -> PrometheusFacts:
    """Return facts with a changed target."""
    return prom(targets=(replace(TARGET, **changes),))


def moved(**changes: Any) -> PrometheusFacts:
    """Return facts with another movement."""
    return prom(movement=replace(MOVED, **changes))


def panel(**changes: Any) -> GrafanaFacts:
    """Return facts with a changed panel."""
    return replace(GRAFANA, dashboards=(replace(BOARD, panels=(replace(PANEL, **changes),)),))


def board(**changes: Any) -> GrafanaFacts:
    """Return facts with a changed dashboard."""
    return replace(GRAFANA, dashboards=(replace(BOARD, **changes),))


def alert(**changes: Any) -> RulesFacts:
    """Return facts with a changed alert."""
    return replace(RULES, alerts=(replace(ALERT, **changes), DOG))


def flow(**changes: Any) -> LogFlowFacts:
    """Return facts with a changed busy service."""
    return replace(LOGS, services=(replace(BUSY, **changes), QUIET))


def trip(**changes: Any) -> LogFlowFacts:
    """Return facts with another round trip."""
    assert LOGS.round_trip is not None
    return replace(LOGS, round_trip=replace(LOGS.round_trip, **changes))


def canary(**changes: Any) -> ErrorsFacts:
    """Return facts with a changed canary."""
    return replace(ERRORS, canaries=(replace(RAISED, **changes),))


def eye(**changes: Any) -> UptimeFacts:
    """Return facts with a changed monitor."""
    return replace(UPTIME, monitors=(replace(EYE, **changes),))


@pytest.mark.parametrize(
    ("item", "facts"),
    [
        ("test_prometheus", PROMETHEUS),
        (
            "test_prometheus",
            prom(reload_ok=None, retention="", retention_s=None, oldest_s=None, exposed=None),
        ),
        ("test_prometheus", prom(retention="50GiB", retention_s=None)),
        ("test_prometheus", prom(backends=(), metrics=())),
        ("test_prometheus", scraped(samples=None)),
        ("test_prometheus", moved(still=("standby:1",), others=20.0)),
        # A rolling release replaces targets: the new one is young, its job is not.
        ("test_prometheus", scraped(instance="new:1", up_count=4)),
        ("test_grafana", GRAFANA),
        ("test_grafana", replace(GRAFANA, default_admin=None)),
        ("test_grafana", replace(GRAFANA, sources=(replace(GRAFANA.sources[0], healthy=None),))),
        ("test_grafana", board(same_as_released=None, variables=())),
        ("test_grafana", board(panels=(*[PANEL] * 9, replace(PANEL, title="Rare", has_data=False)))),
        ("test_rules", RULES),
        ("test_rules", replace(RULES, drift=None, recordings=())),
        ("test_rules", replace(alert(dead=("rare_total",)), quiet=("ApiDown",))),
        ("test_rules", replace(alert(for_s=0.0), at_once=("ApiDown",))),
        (
            "test_rules",
            replace(RULES, runbooks=(Runbook("https://wiki/a", 302), Runbook("https://b/c", None))),
        ),
        ("test_rules", replace(RULES, runbooks=(Runbook("https://wiki/a", 401),))),
        ("test_rules", replace(RULES, alerts=(ALERT, replace(DOG, name="DeadMansSwitch")))),
        ("test_logs", LOGS),
        ("test_logs", replace(LOGS, dropped=(), retention_d=None, keeps_all=True)),
        ("test_logs", trip(skew_s=-4.0)),
        ("test_logs", replace(LOGS, services=(QUIET,))),  # a young deployment: our own line tells
        ("test_errors", ERRORS),
        ("test_errors", replace(ERRORS, dsn_fits=None, alerts=None, releases=(), dsn_place="")),
        ("test_errors", replace(ERRORS, canaries=None, since_deploy=3, no_canary="not allowed")),
        ("test_errors", canary(how="envelope", status=200)),
        ("test_errors", canary(status=502)),
        ("test_errors", replace(canary(environment=""), environment="")),
        ("test_uptime", UPTIME),
        ("test_uptime", replace(UPTIME, visits=None)),
        ("test_uptime", replace(UPTIME, visits=(Visits(URL, None, 120.0),))),
        (
            "test_uptime",
            replace(eye(interval_s=None, age_s=None, status=None), kind="kuma", alerts=None, contacts=1),
        ),
        # A second monitor on the host itself does no harm.
        ("test_uptime", replace(UPTIME, monitors=(EYE, replace(EYE, external=False, content=False)))),
        ("test_uptime", eye(url="https://API.example.org:443/health/")),
    ],
)
def test_sound_monitoring_passes(item: str, facts: Any) -> None:
    """What other servers do not tell, and what other people do otherwise, is not held against them."""
    judge(item, facts)


@pytest.mark.parametrize(
    ("item", "facts", "words"),
    [
        ("test_prometheus", prom(jobs=()), "prometheus.jobs names no job"),
        ("test_prometheus", prom(reload_ok=False), "refused its last configuration"),
        ("test_prometheus", prom(jobs=(("app", 2),)), "job 'app' has 1 targets, not 2"),
        ("test_prometheus", prom(jobs=(("db", 1),), dropped=(("db", 3),)), "relabelling dropped 3"),
        ("test_prometheus", scraped(health="down", error="refused"), "app a:1 is down: refused"),
        ("test_prometheus", scraped(age_s=None), "app a:1 was never scraped"),
        ("test_prometheus", scraped(age_s=31.0), "was last scraped 31 s ago"),
        ("test_prometheus", scraped(samples=0.0), "answers with an empty page"),
        ("test_prometheus", scraped(up_ratio=0.9), "app a:1 was up in 90%"),
        ("test_prometheus", scraped(up_ratio=None), "has no scrape in the window"),
        ("test_prometheus", prom(scrapes=()), "job 'app' has no scrape"),
        ("test_prometheus", prom(scrapes=(JobScrapes("app", 240, 220),)), "220 of 240 scrapes"),
        ("test_prometheus", prom(scrapes=(JobScrapes("app", 200, 200),)), "'app' has 200 of 240 scrapes"),
        ("test_prometheus", prom(backends=(Backend("pg_up", "pg", "p:1", False),)), "pg_up of pg p:1 is 0"),
        ("test_prometheus", prom(metrics=(("x_total", 0),)), "metric 'x_total' has no series"),
        ("test_prometheus", prom(retention="2d", retention_s=2 * DAY_S), "data is kept for 2d only"),
        ("test_prometheus", prom(exposed=("/prometheus",)), "anybody can read Prometheus"),
        ("test_prometheus", moved(grown=0.0), "rose by 0 in 12 s after 5 requests to /me"),
        ("test_prometheus", moved(grown=None), "http_requests_total has no series"),
        ("test_prometheus", moved(still=("b:1",), others=500.0), "of b:1 stands still"),
        ("test_grafana", replace(GRAFANA, database="failing"), "own database is 'failing'"),
        ("test_grafana", replace(GRAFANA, anonymous=True), "shown without a login"),
        ("test_grafana", replace(GRAFANA, default_admin=True), "password admin"),
        ("test_grafana", replace(GRAFANA, dashboards=()), "names no dashboard"),
        (
            "test_grafana",
            replace(GRAFANA, sources=(replace(GRAFANA.sources[0], healthy=False, message="refused"),)),
            "'Prometheus' fails: refused",
        ),
        ("test_grafana", board(found=False), "there is no dashboard 'a'"),
        ("test_grafana", board(same_as_released=False), "is not the one that was released"),
        ("test_grafana", board(variables=(Variable("job", "", True),)), "'job' of 'A' has nothing to choose"),
        ("test_grafana", board(panels=()), "no panel that queries anything"),
        ("test_grafana", panel(unresolved=("DS_X",)), "variables that nobody sets: ('DS_X',)"),
        (
            "test_grafana",
            panel(has_data=False, error="bad gateway"),
            "shows no data in ['Requests']; bad gateway",
        ),
        ("test_grafana", replace(GRAFANA, required_panels=("Errors",)), "no dashboard has a panel 'Errors'"),
        (
            "test_grafana",
            board(panels=(*[replace(PANEL, title="x")] * 19, replace(PANEL, has_data=False))),
            "required panel 'Requests' shows no data",
        ),
        ("test_rules", replace(RULES, alerts=()), "no alert is loaded"),
        ("test_rules", replace(RULES, intents=()), "no intent is required"),
        ("test_rules", replace(RULES, intents=(("disk", ()),)), "nothing alerts on 'disk'"),
        ("test_rules", replace(RULES, recordings=(("job:up", "err"),)), "recording rule job:up"),
        ("test_rules", alert(health="err", error="many-to-many"), "cannot be evaluated: many-to-many"),
        ("test_rules", alert(age_s=None), "was never evaluated"),
        ("test_rules", alert(age_s=121.0), "was last evaluated 121 s ago"),
        ("test_rules", alert(took_s=61.0), "its whole interval"),
        ("test_rules", alert(dead=("u{}",)), "can never fire: no series of u{} in 86400 s"),
        ("test_rules", alert(severity=""), "has no severity"),
        ("test_rules", alert(lacks=("summary",)), "has no summary"),
        ("test_rules", alert(for_s=30.0), "fires after 30 s"),
        ("test_rules", replace(RULES, alerts=(ALERT,)), "there is no Watchdog"),
        ("test_rules", replace(RULES, alerts=(ALERT, replace(DOG, state="inactive"))), "should always fire"),
        ("test_rules", replace(RULES, drift=Drift(2, ("Late",), (), ())), "released, but not loaded: Late"),
        (
            "test_rules",
            replace(RULES, drift=Drift(2, (), ("A: for 1 s",), ())),
            "otherwise than released: A: for",
        ),
        ("test_rules", replace(RULES, drift=Drift(2, (), (), ("B",))), "loaded, but not released: B"),
        (
            "test_rules",
            replace(RULES, runbooks=(Runbook("https://wiki/a", 404),)),
            "https://wiki/a answers 404",
        ),
        ("test_rules", replace(RULES, runbooks=(Runbook("ask Joe", None),)), "runbook 'ask Joe' is no link"),
        ("test_logs", replace(LOGS, services=()), "logs.services names no service"),
        ("test_logs", flow(newest_age_s=None), "no line of 'app' has arrived"),
        ("test_logs", flow(newest_age_s=301.0), "the newest line of 'app' is 301 s old"),
        ("test_logs", flow(newest_age_s=-60.0), "stamped 60 s in the future"),
        ("test_logs", flow(longest_gap_s=640.0), "'app' was silent for 640 s"),
        ("test_logs", replace(LOGS, dropped=(("x_total", 12.0),)), "lost 12 lines, says x_total"),
        ("test_logs", trip(arrived_s=None, skew_s=None), "never appeared in the log of any service"),
        ("test_logs", trip(arrived_s=61.0), "our line took 61 s to arrive"),
        ("test_logs", trip(skew_s=3600.0), "stamped 3600.0 s beside the time"),
        ("test_logs", replace(LOGS, retention_d=7.0), "deleted after 7.0 days"),
        ("test_errors", replace(ERRORS, project_found=False), "no project 'api'"),
        ("test_errors", replace(ERRORS, dsn_empty=True), "DSN is empty"),
        ("test_errors", replace(ERRORS, dsn_fits=False), "which is no active DSN of 'api'"),
        ("test_errors", replace(ERRORS, alerts=False), "nobody is told of new issues"),
        ("test_errors", replace(ERRORS, releases=("app@1.3.0",)), "does not know release 1.4.2"),
        ("test_errors", canary(status=403), "the route for test errors answers 403"),
        ("test_errors", canary(how="envelope", status=403), "the envelope for test errors answers 403"),
        ("test_errors", canary(read_back_s=None), "never reached the tracker"),
        ("test_errors", canary(read_back_s=61.0), "took 61 s to reach the tracker"),
        ("test_errors", canary(release="app@1.3.0"), "of release 'app@1.3.0', not 1.4.2"),
        ("test_errors", canary(environment="staging"), "the event is from 'staging'"),
        ("test_errors", canary(leaked=("Authorization",)), "carries Authorization"),
        ("test_uptime", replace(UPTIME, required=()), "uptime.urls names no address"),
        ("test_uptime", replace(UPTIME, monitors=()), f"nobody watches {URL}"),
        ("test_uptime", eye(url="http://api.example.org/health"), f"nobody watches {URL}"),
        ("test_uptime", eye(url=f"{URL}/live"), f"nobody watches {URL}"),
        ("test_uptime", eye(up=False), "is down for its monitor"),
        ("test_uptime", eye(status=301), "is content with 301"),
        ("test_uptime", eye(interval_s=900.0), "every 900 s only"),
        ("test_uptime", eye(age_s=121.0), "was last looked at 121 s ago"),
        ("test_uptime", eye(age_s=None), "was never looked at"),
        ("test_uptime", eye(watches_cert=False), "nobody watches the certificate"),
        ("test_uptime", eye(trusts_anything=True), "any certificate will do"),
        ("test_uptime", eye(external=False), "from its own machine only"),
        ("test_uptime", eye(content=False), "looks at the status only"),
        ("test_uptime", replace(UPTIME, alerts=()), "no alert looks at probe_success"),
        ("test_uptime", replace(UPTIME, notifiers=0), "nobody is told"),
        ("test_uptime", replace(UPTIME, visits=(Visits(URL, 0, 120.0),)), "no visit of the monitor"),
    ],
)
def test_each_defect_is_named(item: str, facts: Any, words: str) -> None:
    """One defect at a time makes its item fail, with a message that says what and where."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        judge(item, facts)


@pytest.mark.parametrize(
    ("item", "facts", "reason"),
    [
        ("test_prometheus", prom(movement=None), Reason.NO_TRAFFIC),
        ("test_prometheus", moved(sent=0), Reason.NO_TRAFFIC),
        ("test_prometheus", prom(oldest_s=600.0), Reason.NO_EVIDENCE),
        ("test_prometheus", prom(retention="5GiB", retention_s=None, oldest_s=DAY_S), Reason.NO_EVIDENCE),
        ("test_rules", alert(readable=False), Reason.UNPARSEABLE),
        ("test_rules", replace(RULES, runbooks=(Runbook("https://wiki/a", None),)), Reason.NO_CONFIG),
        ("test_logs", flow(lines=None, busy=False, longest_gap_s=None), Reason.NO_EVIDENCE),
        ("test_logs", replace(LOGS, round_trip=None), Reason.NO_TRAFFIC),
        ("test_logs", replace(LOGS, retention_d=None), Reason.NO_EVIDENCE),
        ("test_errors", replace(ERRORS, canaries=None, no_canary="not allowed"), Reason.NO_EVIDENCE),
        ("test_errors", replace(ERRORS, canaries=None, since_deploy=None), Reason.NO_EVIDENCE),
        ("test_uptime", eye(external=None), Reason.NO_EVIDENCE),
        ("test_uptime", eye(content=None), Reason.NO_CONFIG),
    ],
)
def test_what_proves_nothing_is_unproven(item: str, facts: Any, reason: Reason) -> None:
    """Where something could not be seen, the item is neither passed nor failed, and the reason says why."""
    with pytest.raises(Unproven) as why:
        judge(item, facts)
    assert why.value.reason is reason
