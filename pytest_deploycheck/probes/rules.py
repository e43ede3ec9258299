"""The rules probe: which alerts are loaded, whether they can fire, and whether they are those released."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes import promql, rules_released
from pytest_deploycheck.probes.promql_selectors import Need, alive, need, parse
from pytest_deploycheck.probes.rules_released import Drift
from pytest_deploycheck.rules.intents import INTENTS

if TYPE_CHECKING:
    from pytest_deploycheck.probes.promql import PromQL
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

FIRST_EVALUATION_WAIT_S = 65.0
"""After a reload a rule is evaluated within its interval, which is a minute by default."""
RUNBOOKS_MAX = 100
SEVERITIES = ("severity", "priority", "level")
NOTES: Mapping[str, tuple[str, ...]] = {
    "summary": ("summary", "title", "message"),
    "description": ("description", "message", "details"),
    "runbook": ("runbook_url", "runbook", "runbookURL", "playbook"),
}
"""What an alert must tell its reader, and the annotations in which rules usually do."""


@dataclass(frozen=True)
class AlertRule:
    """One loaded alert.

    age_s: since its last evaluation, None if never.  took_s: seconds that it took.  interval_s: of its group.
    for_s: how long its condition must hold, or keep it firing.  lacks: of summary, description and runbook
    those that it has not.  selectors: with the series that each had within the window, negative where it has
    none and only could.  dead: those for want of which it can never fire.  constant: it looks at no series.
    readable: its expression could be parsed.
    """

    name: str
    group: str
    state: str
    health: str
    error: str
    age_s: float | None
    took_s: float
    interval_s: float
    for_s: float
    severity: str
    lacks: tuple[str, ...]
    runbook: str
    query: str
    selectors: tuple[tuple[str, int], ...]
    dead: tuple[str, ...]
    constant: bool
    readable: bool


@dataclass(frozen=True)
class Runbook:
    """One page that alerts link to, and the status it answered with; None for a host that is not asked."""

    page: str
    status: int | None


@dataclass(frozen=True)
class RulesFacts:
    """All alerts of a Prometheus.

    recordings: (name, health) of recording rules.  intents: (intent, names of the sound rules that cover
    it).  watchdog: name of the always-firing alert.  at_once, quiet: alerts that may fire without delay, and
    that may lack series, as the target file says.  window_s: series are looked for this far back.
    runbook_base: the address below which runbooks are asked for.  drift: from the released files, None
    without `alerts.rules_dir`.
    """

    alerts: tuple[AlertRule, ...]
    recordings: tuple[tuple[str, str], ...]
    intents: tuple[tuple[str, tuple[str, ...]], ...]
    watchdog: str
    at_once: tuple[str, ...]
    quiet: tuple[str, ...]
    window_s: float
    runbook_base: str
    runbooks: tuple[Runbook, ...]
    drift: Drift | None


@probe(facts=RulesFacts, deadline=100, needs=("prom_gate",), uses={"prometheus": "GET", "runbooks": "GET"})
def rules(target: Target, connect: Connections) -> RulesFacts:
    """Ask Prometheus for its rules and for the series their expressions select, and for the runbooks."""
    prom = promql.client(target, connect)
    settings, window = target.alerts, target.limits.rules_series_window_s
    loaded = _loaded(prom, connect)
    now = prom.now()
    trees = {str(rule["query"]): parse(str(rule["query"])) for _, rule in loaded if _alerting(rule)}
    needs = {query: need(tree) for query, tree in trees.items() if tree is not None}
    wanted = list(dict.fromkeys(s for one in needs.values() for s in one.selectors()))
    series = alive(prom, wanted, window)
    alerts = tuple(
        _alert(rule, group, now, needs.get(str(rule["query"])), {str(s): n for s, n in series.items()})
        for group, rule in loaded
        if _alerting(rule)
    )
    drift = None
    if settings.rules_dir:
        written = [rules_released.of_api(group, rule) for group, rule in loaded]
        drift = rules_released.compare(rules_released.read(target.file(settings.rules_dir)), written)
    return RulesFacts(
        alerts=alerts,
        recordings=tuple((str(r["name"]), str(r.get("health", ""))) for _, r in loaded if not _alerting(r)),
        intents=tuple((name, covering(pattern, alerts)) for name, pattern in _required(target).items()),
        watchdog=settings.watchdog,
        at_once=tuple(settings.exempt_for),
        quiet=tuple(settings.quiet),
        window_s=window,
        runbook_base=settings.runbook_base,
        runbooks=_runbooks(target, connect, alerts),
        drift=drift,
    )


def _alerting(rule: Mapping[str, Any]) -> bool:
    return rule.get("type") == "alerting"


def _loaded(prom: PromQL, connect: Connections) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (group, rule) of all rules, once each was evaluated: right after a reload none was."""
    waited = 0.0
    while True:
        data = prom.get("rules")
        groups = data.get("groups", ()) if isinstance(data, dict) else ()
        found = [(group, rule) for group in groups for rule in group.get("rules") or ()]
        fresh = [float(group.get("interval") or 60) for group, rule in found if rule["health"] == "unknown"]
        if not fresh or waited > min(max(fresh) + 3, FIRST_EVALUATION_WAIT_S):
            return found
        connect.sleep(0.5)
        waited += 0.5


def _required(target: Target) -> Mapping[str, str]:
    """Return the required intents: those of the target file, else the usual ones of what it has."""
    if target.alerts.required:
        return target.alerts.required
    return {
        intent.name: intent.pattern
        for intent in INTENTS
        if not intent.when or getattr(target, intent.when) is not None
    }


def covering(pattern: str, alerts: Sequence[AlertRule]) -> tuple[str, ...]:
    """Return the alerts that a pattern finds by name or expression and that are able to fire."""
    found = re.compile(pattern, re.IGNORECASE)
    return tuple(
        alert.name
        for alert in alerts
        if alert.health == "ok" and not alert.dead and found.search(f"{alert.name}\n{alert.query}")
    )


def _alert(
    rule: Mapping[str, Any],
    group: Mapping[str, Any],
    now: float,
    needed: Need | None,
    series: Mapping[str, int],
) -> AlertRule:
    last = promql.moment(rule.get("lastEvaluation"))
    notes = {name: str(text).strip() for name, text in (rule.get("annotations") or {}).items()}
    labels = rule.get("labels") or {}
    selectors = list(dict.fromkeys(needed.selectors())) if needed is not None else []
    dead = needed.dead(lambda selector: series[str(selector)] != 0) if needed is not None else []
    return AlertRule(
        name=str(rule["name"]),
        group=str(group.get("name", "")),
        state=str(rule.get("state", "")),
        health=str(rule.get("health", "")),
        error=str(rule.get("lastError", ""))[:300],
        age_s=round(now - last, 2) if last > 0 else None,
        took_s=float(rule.get("evaluationTime") or 0),
        interval_s=float(group.get("interval") or 0),
        for_s=max(float(rule.get("duration") or 0), float(rule.get("keepFiringFor") or 0)),
        severity=next((str(labels[name]) for name in SEVERITIES if labels.get(name)), ""),
        lacks=tuple(note for note, names in NOTES.items() if not any(notes.get(name) for name in names)),
        runbook=next((notes[name] for name in NOTES["runbook"] if notes.get(name)), ""),
        query=str(rule["query"]),
        selectors=tuple((str(selector), series[str(selector)]) for selector in selectors),
        dead=tuple(map(str, dead)),
        constant=needed is not None and not selectors and "absent" not in str(rule["query"]),
        readable=needed is not None,
    )


def _runbooks(target: Target, connect: Connections, alerts: Sequence[AlertRule]) -> tuple[Runbook, ...]:
    """Ask for each page below `alerts.runbook_base`; others are on hosts that are not ours to ask."""
    base = target.alerts.runbook_base
    pages = list(dict.fromkeys(urldefrag(alert.runbook)[0] for alert in alerts if alert.runbook))
    if not base:
        return tuple(Runbook(page, None) for page in pages)
    http = connect.http("runbooks")
    return tuple(
        Runbook(page, http.get(page).status if f"{page}/".startswith(f"{base}/") else None)
        for page in pages[:RUNBOOKS_MAX]
    )
