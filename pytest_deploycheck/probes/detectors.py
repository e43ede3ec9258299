"""The detectors probe: whether the alerts of the rollback plan are loaded, able to fire, true to it, and quiet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.alertmanager import routes_of
from pytest_deploycheck.probes.promql_selectors import parse
from pytest_deploycheck.probes.rollback_plan import Detector, RollbackPlanFacts
from pytest_deploycheck.rules.alert_routes import BadMatcher, integrations, receivers
from pytest_deploycheck.rules.thresholds import Criterion, criterion
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.promql import PromQL
    from pytest_deploycheck.probes.rules import AlertRule, RulesFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

CHAIN_WATCHES: Mapping[str, str] = {
    "errors of the node": r"rpc\w*(?:err|fail|down)|chain_up|(?:node|rpc)_?(?:is)?_?down",
    "age of the newest block": r"(?:head|block)\w*(?:timestamp|_age|old|stale|stuck)",
    "reverted transactions": r"revert|transactions?_failed|tx_?fail",
    "stuck nonce": r"nonce|pending_transactions|pending_tx|stuck",
    "balance of the signer": r"balance",
    "events of administrators": r"admin|paused|upgraded|ownership|role_?granted",
    "another chain": r"chain_?id",
}
"""What must be watched of a chain, recognised like the intents of alerts: in a rule's name or expression."""


@dataclass(frozen=True)
class Armed:
    """One detector of the plan beside the rule that is loaded under its name.

    rules: how many are; the other fields are those of the one with the plan's severity.  state: inactive, pending
    or firing.  dead: series
    for want of which it can never fire.  compares, windows_s: its criterion as loaded, None when its expression
    cannot be parsed.  ratios: of comparisons of shares, the number above which it fires and the windows.  jobs: of the series that it looks at.  receivers: where a page of it goes, with how many
    integrations; empty without a route.  text: name and expression.
    """

    plan: Detector
    rules: int
    health: str
    state: str
    dead: tuple[str, ...]
    severity: str
    compares: tuple[tuple[str, float], ...] | None
    ratios: tuple[tuple[float, tuple[float, ...]], ...]
    windows_s: tuple[float, ...]
    for_s: float
    jobs: tuple[str, ...]
    receivers: tuple[tuple[str, int], ...]
    text: str


@dataclass(frozen=True)
class DetectorsFacts:
    """Every detector of the plan.

    chain_watches: (what, pattern) of all that must be watched of the chain.  app_jobs: jobs that fall silent
    with the application.  objective: the share of requests that must succeed.  paging: severities that reach
    a person.  sends: whether Prometheus sends alerts to an Alertmanager; that it is this one is another item's.
    """

    detectors: tuple[Armed, ...]
    chain_watches: tuple[tuple[str, str], ...]
    app_jobs: tuple[str, ...]
    objective: float
    paging: tuple[str, ...]
    sends: bool

    def of(self, trigger: str) -> tuple[Armed, ...]:
        """Return the detectors of one trigger."""
        return tuple(one for one in self.detectors if one.plan.trigger == trigger)


@probe(
    facts=DetectorsFacts,
    deadline=40,
    needs=("prom_gate", "am_gate"),
    uses={"prometheus": "GET", "alertmanager": "GET"},
)
def detectors(
    target: Target, connect: Connections, rollback_plan_facts: RollbackPlanFacts, rules_facts: RulesFacts
) -> DetectorsFacts:
    """Hold the rollback plan's alerts against those that Prometheus has loaded and Alertmanager routes."""
    prom = promql.client(target, connect)
    loaded, trees = _loaded(prom)
    config = routes_of(target, connect)
    settings = target.triggers
    return DetectorsFacts(
        detectors=tuple(
            _armed(plan, rules_facts, loaded, trees, prom, config, target)
            for plan in rollback_plan_facts.detectors
        ),
        chain_watches=tuple((settings.chain_watches or CHAIN_WATCHES).items()),
        app_jobs=tuple(settings.app_jobs),
        objective=settings.objective,
        paging=tuple(target.alerts.critical_severities),
        sends=_sends(prom),
    )


def _sends(prom: PromQL) -> bool:
    """Whether Prometheus knows an Alertmanager; for some seconds after a reload it does by its configuration only."""
    import yaml

    if prom.get("alertmanagers").get("activeAlertmanagers"):
        return True
    try:
        config = yaml.safe_load(str(prom.get("status/config").get("yaml", "")))
    except yaml.YAMLError:
        return False
    alerting = config.get("alerting") if isinstance(config, dict) else None
    return bool(alerting and alerting.get("alertmanagers"))


def _loaded(prom: PromQL) -> tuple[dict[tuple[str, str], dict[str, str]], dict[str, Any]]:
    """Return the labels of each alert by name and expression, and the expressions of recording rules."""
    labels: dict[tuple[str, str], dict[str, str]] = {}
    trees: dict[str, Any] = {}
    for group in prom.get("rules").get("groups", ()):
        for rule in group.get("rules") or ():
            name = str(rule.get("name", ""))
            if rule.get("type") == "alerting":
                found = {str(k): str(v) for k, v in (rule.get("labels") or {}).items()}
                labels.setdefault((name, str(rule.get("query", ""))), found)
            elif (tree := parse(str(rule.get("query", "")))) is not None:
                trees[name] = tree
    return labels, trees


def _armed(
    plan: Detector,
    facts: RulesFacts,
    loaded: Mapping[tuple[str, str], Mapping[str, str]],
    trees: Mapping[str, Any],
    prom: PromQL,
    config: Mapping[str, Any],
    target: Target,
) -> Armed:
    # Of several rules of one name, mostly a warning and a page, the plan means the one with its severity.
    wanted = (plan.severity,) if plan.severity else tuple(target.alerts.critical_severities)
    named = [alert for alert in facts.alerts if alert.name == plan.alert]
    named.sort(key=lambda alert: alert.severity not in wanted)
    if not named:
        return Armed(plan, 0, "", "", (), "", None, (), (), 0.0, (), (), plan.alert)
    alert = named[0]
    tree = parse(alert.query)
    found: Criterion | None = criterion(tree, trees.get) if tree is not None else None
    return Armed(
        plan=plan,
        rules=len(named),
        health=alert.health,
        state=alert.state,
        dead=alert.dead,
        severity=alert.severity,
        compares=found.compares if found else None,
        ratios=found.ratios if found else (),
        windows_s=found.windows_s if found else (),
        for_s=alert.for_s,
        jobs=_jobs(prom, alert, target.limits.rules_series_window_s) if plan.trigger == "chain" else (),
        receivers=_receivers(config, {"alertname": alert.name, **loaded.get((alert.name, alert.query), {})}),
        text=f"{alert.name} {' '.join(alert.query.split())}",
    )


def _jobs(prom: PromQL, alert: AlertRule, window_s: float) -> tuple[str, ...]:
    """Return the jobs of the series that an alert looks at; empty where none has series."""
    jobs: set[str] = set()
    for selector, count in alert.selectors:
        if count:
            span = promql.duration(window_s)
            jobs |= {
                s.label("job") for s in prom.instant(f"count by (job) (last_over_time({selector}[{span}]))")
            }
    return tuple(sorted(jobs))


def _receivers(config: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    known = integrations(config)
    try:
        return tuple((name, known.get(name, 0)) for name in receivers(config["route"], labels))
    except BadMatcher as error:
        raise CannotLook(Reason.UNPARSEABLE, f"Alertmanager's routes: {error}") from None


def watching(found: tuple[Armed, ...], pattern: str) -> tuple[Armed, ...]:
    """Return the detectors that a pattern finds by name or expression."""
    wanted = re.compile(pattern, re.IGNORECASE)
    return tuple(one for one in found if wanted.search(one.text))
