"""The way of an alert: from a rule over Prometheus and Alertmanager to something that reaches a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.rules import RulesFacts, covering
from pytest_deploycheck.rules import alert_routes
from pytest_deploycheck.rules.intents import SECURITY_INTENTS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.probes.promql import PromQL
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.http import Http

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? ([-+0-9.eE]+|NaN)(?: \d+)?$", re.MULTILINE)
# Requests are counted for each try, notifications once their tries are over; older servers have only these.
_COUNTERS = (
    ("alertmanager_notification_requests_total", "alertmanager_notification_requests_failed_total"),
    ("alertmanager_notifications_total", "alertmanager_notifications_failed_total"),
)


@dataclass(frozen=True)
class Routed:
    """Where an alert of a severity goes; "(default)" is one that no route knows."""

    severity: str
    receivers: tuple[str, ...]


@dataclass(frozen=True)
class AlertmanagerFacts:
    """Alertmanager's configuration in force, its tie to Prometheus, and what it delivered.

    integrations: of each receiver.  routed: receivers by severity.  active: Alertmanagers that Prometheus
    sends to, without paths.  linked: an alert that fires in Prometheus is known here; None when none fires.
    same_address: this one is among `active` by its address.  sent, failed: notifications within
    `window_s`, or since the start when that was later; None where nobody counts.  reloaded: whether
    Prometheus and Alertmanager took their last configuration.  security: (intent, rules that cover it).
    """

    version: str
    integrations: tuple[tuple[str, int], ...]
    routed: tuple[Routed, ...]
    active: tuple[str, ...]
    linked: bool | None
    same_address: bool
    sent: float | None
    failed: float | None
    window_s: float
    reloaded: tuple[tuple[str, bool], ...]
    security: tuple[tuple[str, tuple[str, ...]], ...]


@probe(
    facts=AlertmanagerFacts,
    deadline=30,
    needs=("prom_gate", "am_gate"),
    uses={"alertmanager": "GET", "prometheus": "GET"},
)
def alertmanager(target: Target, connect: Connections, rules_facts: RulesFacts) -> AlertmanagerFacts:
    """Ask Alertmanager for its routes and counters, and Prometheus for whom it sends alerts to."""
    section = target.alertmanager
    assert section is not None  # its gate is open
    http, prom = _client(target, connect), promql.client(target, connect)
    status = http.get("/api/v2/status").json()
    config = _config(http, status)
    metrics = _metrics(http)
    active = _active(prom)
    window = target.limits.alert_delivered_max_age_s
    sent, failed = _delivered(prom, metrics, window)
    return AlertmanagerFacts(
        version=str(status.get("versionInfo", {}).get("version", "")),
        integrations=tuple(sorted(alert_routes.integrations(config).items())),
        routed=tuple(_routed(http, config, target.alerts.critical_severities)),
        active=tuple(active),
        linked=_linked(prom, http),
        same_address=urlsplit(section.url).netloc in active,
        sent=sent,
        failed=failed,
        window_s=window,
        reloaded=tuple(_reloaded(prom, metrics)),
        security=tuple(
            (name, covering(pattern, rules_facts.alerts))
            for name, pattern in (target.alerts.required_security or SECURITY_INTENTS).items()
        ),
    )


def routes_of(target: Target, connect: Connections) -> Mapping[str, Any]:
    """Return Alertmanager's configuration in force, with its tree of routes; its gate must be open."""
    http = _client(target, connect)
    return _config(http, http.get("/api/v2/status").json())


def _client(target: Target, connect: Connections) -> Http:
    section = target.alertmanager
    return connect.http(
        "alertmanager", bearer=connect.secret(section.token) if section and section.token else ""
    )


def _config(http: Http, status: Any) -> Mapping[str, Any]:
    import yaml

    text = status.get("config", {}).get("original", "") if isinstance(status, dict) else ""
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"{http.shown}: its configuration is no YAML: {error}"[:200]
        ) from None
    if not isinstance(config, dict) or not isinstance(config.get("route"), dict):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}/api/v2/status shows no configuration")
    return config


def _routed(http: Http, config: Mapping[str, Any], severities: list[str]) -> list[Routed]:
    found = []
    try:
        for severity in severities:
            labels = {"alertname": "deploycheck", "severity": severity}
            found.append(Routed(severity, tuple(alert_routes.receivers(config["route"], labels))))
        unknown = alert_routes.receivers(config["route"], {"alertname": "deploycheck"})
    except alert_routes.BadMatcher as error:
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}: {error}") from None
    return [*found, Routed("(default)", tuple(unknown))]


def _active(prom: PromQL) -> list[str]:
    found = prom.get("alertmanagers").get("activeAlertmanagers") or ()
    return sorted({urlsplit(str(one.get("url", ""))).netloc.rpartition("@")[2] for one in found})


def _linked(prom: PromQL, http: Http) -> bool | None:
    """Whether some alert that fires in Prometheus is known to Alertmanager, by all its labels."""
    firing = [
        set(alert.get("labels", {}).items())
        for alert in prom.get("alerts").get("alerts") or ()
        if alert.get("state") == "firing"
    ]
    if not firing:
        return None
    known = [set(alert.get("labels", {}).items()) for alert in http.get("/api/v2/alerts").json()]
    return any(labels <= other for labels in firing for other in known)


def _metrics(http: Http) -> dict[str, float]:
    """Return Alertmanager's own metrics, summed over labels; empty where it does not show them."""
    answer = http.get("/metrics")
    found: dict[str, float] = {}
    if answer.status == 200:
        for name, value in _SAMPLE.findall(answer.text):
            if name.startswith(("alertmanager_", "process_start")) and value != "NaN":
                found[name] = found.get(name, 0.0) + float(value)
    return found


def _delivered(
    prom: PromQL, metrics: Mapping[str, float], window_s: float
) -> tuple[float | None, float | None]:
    """Return (notifications sent, of these failed) within a window, as Prometheus or the server itself counts."""
    for total, failed in _COUNTERS:
        sent = prom.value(f"sum(increase({total}[{window_s:.0f}s]))")
        if sent is not None:
            return sent, prom.value(f"sum(increase({failed}[{window_s:.0f}s]))") or 0.0
    started = metrics.get("process_start_time_seconds")
    for total, failed in _COUNTERS:
        if total in metrics and started is not None and prom.now() - started <= window_s:
            return metrics[total], metrics.get(failed, 0.0)
    return None, None


def _reloaded(prom: PromQL, metrics: Mapping[str, float]) -> list[tuple[str, bool]]:
    found = [("Prometheus", bool(prom.get("status/runtimeinfo").get("reloadConfigSuccess")))]
    own = metrics.get("alertmanager_config_last_reload_successful")
    return found if own is None else [*found, ("Alertmanager", own == 1)]
