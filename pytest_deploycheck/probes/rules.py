"""The rules probe: which alerts are loaded, whether they can fire, and whether they are those released."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.promql import PromQL
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.verdict import Reason

USUAL_INTENTS = {
    "target down": r"\bup\b.*== ?0",
    "absent job": r"absent(_over_time)?\(",
    "5xx ratio": r"5\.\.|5xx|5\[0-9\]",
    "latency": r"duration.*bucket|latency|quantile",
    "disk": r"filesystem_avail|disk",
    "memory": r"MemAvailable|memory",
    "certificate": r"cert_expiry|cert_not_after|certificate",
    "database down": r"pg_up|mysql_up|database",
}
"""What every service needs to be told of; more by `[alerts] required`."""


@dataclass(frozen=True)
class AlertRule:
    """One loaded alert.

    age_s: since its last evaluation, None if never.  interval_s: of its group.  for_s: how long it must hold.
    selectors: (selector, series within the window) of its expression; () where exempt or unreadable.
    annotations: those that it has, by name.
    """

    name: str
    group: str
    state: str
    health: str
    age_s: float | None
    interval_s: float
    for_s: float
    severity: str
    annotations: tuple[str, ...]
    runbook: str
    query: str
    selectors: tuple[tuple[str, int], ...]
    may_be_quiet: bool
    may_fire_at_once: bool


@dataclass(frozen=True)
class RulesFacts:
    """All alerts of a Prometheus.

    intents: (intent, names of the rules that cover it).  watchdog: name of the always-firing alert.
    runbooks: (address, status) of each that could be asked for.  released: alerts in the released files,
    missing: of those not loaded as they are written there; None without `alerts.rules_dir`.
    """

    alerts: tuple[AlertRule, ...]
    intents: tuple[tuple[str, tuple[str, ...]], ...]
    watchdog: str
    runbooks: tuple[tuple[str, int], ...]
    released: int | None
    missing: tuple[str, ...]


@probe(facts=RulesFacts, deadline=30, needs=("prom_gate",), uses={"prometheus": "GET", "runbooks": "GET"})
def rules(target: Target, connect: Connections) -> RulesFacts:
    """Ask Prometheus for its alerts, and for the series that their expressions select."""
    prom = promql.client(target, connect)
    data = prom.get("rules", type="alert")
    now = prom.now()
    settings = target.alerts
    known: dict[str, int] = {}
    alerts = []
    for group in data.get("groups", ()):
        for rule in group.get("rules", ()):
            if rule.get("type") == "alerting":
                quiet = rule["name"] in settings.quiet
                chosen = () if quiet else _selectors(prom, rule["query"], target, known)
                exempt = rule["name"] in (*settings.exempt_for, settings.watchdog)
                alerts.append(_alert(rule, group, now, chosen, quiet, exempt))
    wanted = settings.required or USUAL_INTENTS
    intents = tuple((name, _covering(pattern, alerts)) for name, pattern in wanted.items())
    folder = target.file(settings.rules_dir) if settings.rules_dir else None
    released = _released(folder) if folder else None
    loaded = {(alert.name, _plain(alert.query)) for alert in alerts}
    return RulesFacts(
        alerts=tuple(alerts),
        intents=intents,
        watchdog=settings.watchdog,
        runbooks=_runbooks(target, connect, alerts),
        released=len(released) if released is not None else None,
        missing=tuple(sorted(name for name, query in released or () if (name, _plain(query)) not in loaded)),
    )


def _alert(
    rule: dict[str, Any],
    group: dict[str, Any],
    now: float,
    selectors: tuple[tuple[str, int], ...],
    quiet: bool,
    exempt: bool,
) -> AlertRule:
    last = promql.moment(rule.get("lastEvaluation"))
    notes = rule.get("annotations", {})
    return AlertRule(
        name=rule["name"],
        group=str(group.get("name", "")),
        state=str(rule.get("state", "")),
        health=str(rule.get("health", "")),
        age_s=round(now - last, 2) if last > 0 else None,
        interval_s=float(group.get("interval", 0)),
        for_s=float(rule.get("duration", 0)),
        severity=str(rule.get("labels", {}).get("severity", "")),
        annotations=tuple(sorted(name for name, text in notes.items() if str(text).strip())),
        runbook=str(notes.get("runbook_url", "")),
        query=rule["query"],
        selectors=selectors,
        may_be_quiet=quiet,
        may_fire_at_once=exempt,
    )


def _covering(pattern: str, alerts: list[AlertRule]) -> tuple[str, ...]:
    found = re.compile(pattern, re.IGNORECASE)
    return tuple(alert.name for alert in alerts if found.search(f"{alert.name} {alert.query}"))


def _selectors(
    prom: PromQL, query: str, target: Target, known: dict[str, int]
) -> tuple[tuple[str, int], ...]:
    """Return each vector selector of an expression with the number of its series within the window."""
    found = []
    for selector in dict.fromkeys(selectors_of(query)):
        if selector not in known:
            span = promql.duration(target.limits.rules_series_window_s)
            known[selector] = int(prom.value(f"count(last_over_time({selector}[{span}]))") or 0)
        found.append((selector, known[selector]))
    return tuple(found)


def selectors_of(query: str) -> Iterator[str]:
    """Yield the vector selectors of a PromQL expression, without offsets and ranges."""
    try:
        import promql_parser
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS,
            "promql-parser is not installed here; pip install 'pytest-deploycheck[monitoring]'",
        ) from None
    try:
        todo: list[Any] = [promql_parser.parse(query)]
    except ValueError:
        return
    while todo:
        node = todo.pop(0)
        if isinstance(node, promql_parser.VectorSelector):
            name = node.name or ""
            kept = [m for m in node.matchers.matchers if not (name and m.name == "__name__")]
            matchers = ", ".join(_matcher(m) for m in kept)
            yield f"{name}{{{matchers}}}" if matchers or not name else name
            continue
        for attribute in ("expr", "lhs", "rhs", "param", "vector_selector", "vs"):
            child = getattr(node, attribute, None)
            if child is not None:
                todo.append(child)
        todo.extend(getattr(node, "args", None) or ())


def _matcher(matcher: Any) -> str:
    operators = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    kind = str(matcher.op).rpartition(".")[2]
    return f"{matcher.name}{operators.get(kind, kind)}{promql.quoted(str(matcher.value))}"


def _plain(query: str) -> str:
    """Return an expression in one form, whoever wrote its spaces and parentheses."""
    import promql_parser

    try:
        return str(promql_parser.parse(query).prettify())
    except ValueError:
        return " ".join(query.split())


def _released(folder: Path) -> list[tuple[str, str]]:
    """Return (alert, expression) of the rule files as they were released."""
    import yaml

    found = []
    files = [path for pattern in ("*.yml", "*.yaml", "*.rules") for path in sorted(folder.glob(pattern))]
    if not files:
        raise CannotLook(Reason.NO_EVIDENCE, f"no rule files in alerts.rules_dir {folder.name}/")
    for path in files:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            groups = document.get("groups") or ()
            rules = [rule for group in groups for rule in group.get("rules") or ()]
        except (OSError, yaml.YAMLError, AttributeError) as error:
            raise CannotLook(Reason.UNPARSEABLE, f"{path.name}: {str(error)[:200]}") from None
        found += [(str(rule["alert"]), str(rule["expr"])) for rule in rules if "alert" in rule]
    return found


def _runbooks(target: Target, connect: Connections, alerts: list[AlertRule]) -> tuple[tuple[str, int], ...]:
    """Ask for each runbook under `alerts.runbook_base`; others are on hosts that are not ours to ask."""
    base = target.alerts.runbook_base
    if not base:
        return ()
    pages = dict.fromkeys(urldefrag(alert.runbook)[0] for alert in alerts)
    http = connect.http("runbooks")
    return tuple((page, http.get(page).status) for page in pages if page.startswith(base + "/"))
