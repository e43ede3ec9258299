"""The alerts_now probe: which critical alerts there are at this moment, and whether silence means anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import promql
from pytest_deploycheck.probes.promql import PromQL, QueryRefused, duration
from pytest_deploycheck.probes.rules import SEVERITIES
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DISCOVERY_S = 7.0
"""After a reload Prometheus finds its Alertmanagers within five seconds."""


@dataclass(frozen=True)
class Alert:
    """One critical alert.

    state: firing or pending in Prometheus; active, suppressed or unprocessed in Alertmanager.  suppressed_by: how
    many silences, inhibiting alerts and muted times keep it from being sent.  since_s: for how long it has been there.
    """

    name: str
    severity: str
    state: str
    suppressed_by: int
    since_s: float


@dataclass(frozen=True)
class Group:
    """One rule group: age_s: since its last evaluation, None if never.  unhealthy: rules that cannot be evaluated."""

    name: str
    rules: int
    interval_s: float
    age_s: float | None
    unhealthy: tuple[str, ...]


@dataclass(frozen=True)
class AlertsNowFacts:
    """Critical alerts, in Alertmanager and in Prometheus, and what shows that an alert would be here.

    severities: those that count as critical.  recent: (alert, severity) that fired in Prometheus within `recent_s`.
    watchdog: the always-firing alert's name.  watchdog_fires: in Prometheus.  watchdog_known: by Alertmanager, by
    all its labels.  watchdog_age_s: since Alertmanager heard of it last, None where it does not know it.  active:
    Alertmanagers that Prometheus sends to.
    """

    severities: tuple[str, ...]
    known: tuple[Alert, ...]
    raised: tuple[Alert, ...]
    recent: tuple[tuple[str, str], ...]
    recent_s: float
    watchdog: str
    watchdog_fires: bool
    watchdog_known: bool
    watchdog_age_s: float | None
    active: int
    groups: tuple[Group, ...]


@probe(
    facts=AlertsNowFacts,
    deadline=15,
    needs=("prom_gate", "am_gate"),
    uses={"prometheus": "GET", "alertmanager": "GET"},
)
def alerts_now(target: Target, connect: Connections) -> AlertsNowFacts:
    """Ask Alertmanager and Prometheus for their alerts, and Prometheus for its rule groups."""
    settings, window = target.alerts, target.limits.critical_recent_s
    section = target.alertmanager
    assert section is not None  # its gate is open
    http = connect.http("alertmanager", bearer=connect.secret(section.token) if section.token else "")
    prom = promql.client(target, connect)
    now = prom.now()
    raised = [one for one in prom.get("alerts").get("alerts") or () if isinstance(one, Mapping)]
    everything = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
    known = http.get("/api/v2/alerts", params=everything).json()
    if not isinstance(known, list):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}/api/v2/alerts is no list")
    critical = frozenset(settings.critical_severities)
    ours = [_labels(one) for one in raised if _is(one, settings.watchdog) and one.get("state") == "firing"]
    theirs = [one for one in known if isinstance(one, Mapping) and _is(one, settings.watchdog)]
    ages = [now - at for one in theirs if (at := promql.moment(one.get("updatedAt")))]
    linked = any(labels.items() <= _labels(one).items() for labels in ours for one in theirs)
    return AlertsNowFacts(
        severities=tuple(settings.critical_severities),
        known=tuple(_alerts(known, critical, now)),
        raised=tuple(_alerts(raised, critical, now)),
        recent=tuple(_recent(prom, critical, window)),
        recent_s=window,
        watchdog=settings.watchdog,
        watchdog_fires=bool(ours),
        watchdog_known=linked,
        watchdog_age_s=round(min(ages), 1) if ages else None,
        active=_active(prom, connect, patient=linked),
        groups=tuple(_groups(prom, now)),
    )


def _active(prom: PromQL, connect: Connections, *, patient: bool) -> int:
    """Count the Alertmanagers that Prometheus knows, which for some seconds after a reload are none."""
    waited = 0.0
    while True:
        count = len(prom.get("alertmanagers").get("activeAlertmanagers") or ())
        if count or not patient or waited >= DISCOVERY_S:
            return count
        connect.sleep(0.5)
        waited += 0.5


def _labels(alert: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (alert.get("labels") or {}).items()}


def _is(alert: Mapping[str, Any], name: str) -> bool:
    return _labels(alert).get("alertname") == name


def _severity(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in SEVERITIES if labels.get(name)), "")


def _alerts(listed: list[Any], critical: frozenset[str], now: float) -> Iterator[Alert]:
    """Yield the critical ones of either server's list."""
    for one in listed:
        labels = _labels(one)
        status = one.get("status")
        told: Mapping[str, Any] = status if isinstance(status, Mapping) else {}
        if _severity(labels) in critical:
            began = promql.moment(one.get("startsAt") or one.get("activeAt"))
            yield Alert(
                name=labels.get("alertname", ""),
                severity=_severity(labels),
                state=str(told.get("state") or one.get("state") or ""),
                suppressed_by=sum(len(told.get(by) or ()) for by in ("silencedBy", "inhibitedBy", "mutedBy")),
                since_s=round(now - began, 1) if began else 0.0,
            )


def _recent(prom: PromQL, critical: frozenset[str], window_s: float) -> Iterator[tuple[str, str]]:
    """Yield the critical alerts that fired within the window, from Prometheus's own series of them."""
    names = ", ".join(SEVERITIES)
    try:
        found = prom.instant(
            f'count by (alertname, {names}) (count_over_time(ALERTS{{alertstate="firing"}}[{duration(window_s)}]))'
        )
    except QueryRefused:
        return  # a compatible server that keeps no such series; what fires now was asked for by itself
    for sample in found:
        if _severity(dict(sample.labels)) in critical:
            yield sample.label("alertname"), _severity(dict(sample.labels))


def _groups(prom: PromQL, now: float) -> Iterator[Group]:
    for group in prom.get("rules").get("groups") or ():
        rules = [one for one in group.get("rules") or () if isinstance(one, Mapping)]
        # Older servers tell it of each rule only.
        moments = [promql.moment(one.get("lastEvaluation")) for one in (group, *rules)]
        last = max(moments, default=0.0)
        yield Group(
            name=str(group.get("name", "")),
            rules=len(rules),
            interval_s=float(group.get("interval") or 0),
            age_s=round(now - last, 1) if last else None,
            unhealthy=tuple(str(one.get("name", "")) for one in rules if one.get("health") == "err"),
        )
