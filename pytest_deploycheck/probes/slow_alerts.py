"""The slow_alerts probe: rules that warn of what fails slowly, where they go, that they fire, and silences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import promql, rule_tests
from pytest_deploycheck.probes.alertmanager import routes_of
from pytest_deploycheck.probes.rule_tests import RuleTest, digest
from pytest_deploycheck.probes.rules import SEVERITIES, RulesFacts, covering
from pytest_deploycheck.rules import alert_routes
from pytest_deploycheck.rules.slow_intents import SLOW_INTENTS
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

GOOD_WORDS = frozenset({"up", "ok", "healthy", "good", "alive"})
PING_KEYS = ("last_ping", "checked_in_at", "last_seen", "lastPing", "last_check_in")


@dataclass(frozen=True)
class SlowAlert:
    """One loaded rule. severity: empty where it has none.  receivers: where it ends.  query: digest of its expression."""

    name: str
    severity: str
    receivers: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Quiet:
    """One silence, also one that has ended. state: active, pending or expired; times as ISO 8601."""

    matchers: tuple[str, ...]
    starts_at: str
    ends_at: str
    state: str
    created_by: str


@dataclass(frozen=True)
class SlowAlertsFacts:
    """What is warned of, and by which rules.

    intents: (what fails slowly, rules able to fire that cover it).  not_needed: what does not apply, and why.
    alerts: all those rules.  sending: receivers that send anything.  tests: promtool's tests of the rules; None
    without `alerts.tests_dir`.  watchdog_receivers: where the always-firing alert ends.  deadman: status of the
    outside watcher, deadman_ping: when it was last pinged (ISO 8601); None without `alertmanager.deadman_url`.
    """

    intents: tuple[tuple[str, tuple[str, ...]], ...]
    not_needed: tuple[tuple[str, str], ...]
    alerts: tuple[SlowAlert, ...]
    sending: tuple[str, ...]
    watchdog: str
    watchdog_receivers: tuple[str, ...]
    tests: tuple[RuleTest, ...] | None
    silences: tuple[Quiet, ...]
    deadman: str | None
    deadman_ping: str | None

    def alert(self, name: str) -> tuple[SlowAlert, ...]:
        """Return the rules of a name: there may be several, of several severities."""
        return tuple(one for one in self.alerts if one.name == name)


@probe(
    facts=SlowAlertsFacts,
    deadline=100,
    needs=("prom_gate", "am_gate"),
    uses={"prometheus": "GET", "alertmanager": "GET", "deadman": "GET", "files": "read"},
)
def slow_alerts(target: Target, connect: Connections, rules_facts: RulesFacts) -> SlowAlertsFacts:
    """Ask Prometheus for its rules and Alertmanager for routes and silences; run promtool's tests of the rules."""
    settings = target.alerts
    required = settings.required_maintenance or {
        intent.name: intent.pattern
        for intent in SLOW_INTENTS
        if not intent.when or getattr(target, intent.when) is not None
    }
    intents = tuple(
        (name, covering(pattern, rules_facts.alerts))
        for name, pattern in required.items()
        if name not in settings.not_needed
    )
    config = routes_of(target, connect)
    sending = tuple(sorted(name for name, count in alert_routes.integrations(config).items() if count))
    wanted = {name for _, names in intents for name in names}
    tests = None
    if settings.tests_dir:
        connect.socket_allowed("files", "read", settings.tests_dir)
        tests = rule_tests.read(target.file(settings.tests_dir), max(1.0, connect.remaining() - 10))
    status, ping = _deadman(target, connect)
    return SlowAlertsFacts(
        intents=intents,
        not_needed=tuple(sorted(settings.not_needed.items())),
        alerts=tuple(_alerts(target, connect, config, wanted)),
        sending=sending,
        watchdog=settings.watchdog,
        watchdog_receivers=_receivers(config, {"alertname": settings.watchdog, "severity": "none"}),
        tests=tests,
        silences=_silences(target, connect),
        deadman=status,
        deadman_ping=ping,
    )


def _alerts(
    target: Target, connect: Connections, config: Mapping[str, Any], wanted: set[str]
) -> list[SlowAlert]:
    groups = promql.client(target, connect).get("rules").get("groups") or ()
    found = []
    for rule in (rule for group in groups for rule in group.get("rules") or ()):
        if rule.get("type") != "alerting" or rule.get("name") not in wanted:
            continue
        labels = {str(name): str(value) for name, value in (rule.get("labels") or {}).items()}
        found.append(
            SlowAlert(
                name=str(rule["name"]),
                severity=next((labels[name] for name in SEVERITIES if labels.get(name)), ""),
                receivers=_receivers(config, {**labels, "alertname": str(rule["name"])}),
                query=digest(str(rule.get("query", ""))),
            )
        )
    return found


def _receivers(config: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return tuple(alert_routes.receivers(config["route"], labels))
    except alert_routes.BadMatcher as error:
        raise CannotLook(Reason.UNPARSEABLE, str(error)) from None


def _silences(target: Target, connect: Connections) -> tuple[Quiet, ...]:
    section = target.alertmanager
    assert section is not None  # its gate is open
    http = connect.http("alertmanager", bearer=connect.secret(section.token) if section.token else "")
    listed = http.get("/api/v2/silences").json()
    if not isinstance(listed, list):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown}/api/v2/silences is no list")
    return tuple(
        Quiet(
            matchers=tuple(sorted(_written(one) for one in entry.get("matchers") or ())),
            starts_at=_time(entry.get("startsAt")),
            ends_at=_time(entry.get("endsAt")),
            state=str((entry.get("status") or {}).get("state", "")),
            created_by=str(entry.get("createdBy") or "")[:80],
        )
        for entry in listed
        if isinstance(entry, Mapping)
    )


def _written(matcher: Mapping[str, Any]) -> str:
    sign = ("" if matcher.get("isEqual", True) else "!") + ("~" if matcher.get("isRegex") else "=")
    return f'{matcher.get("name")}{sign}"{matcher.get("value")}"'[:200]


def _time(value: Any) -> str:
    at = promql.moment(value)
    if not at:
        raise CannotLook(
            Reason.UNPARSEABLE, f"a silence of Alertmanager has a time that is none: {str(value)[:40]!r}"
        )
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _deadman(target: Target, connect: Connections) -> tuple[str | None, str | None]:
    section = target.alertmanager
    if section is None or section.deadman_url is None:
        return None, None
    http = connect.http("deadman")
    try:
        answer = http.get("")
    except Dead as dead:
        return f"gives no answer: {dead.message}", ""
    if answer.status != 200:
        return f"answers {answer.status}", ""
    body = answer.json()
    if not isinstance(body, Mapping):
        raise CannotLook(Reason.UNPARSEABLE, f"{http.shown} is no JSON object")
    ping = next((str(body[key]) for key in PING_KEYS if body.get(key)), "")
    at = promql.moment(ping)
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""
    return str(body.get("status", ""))[:40], stamp
