"""Pre-Deployment, Security Configuration: monitoring and alerting (item 21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.alertmanager import AlertmanagerFacts

ALERTING = "Monitoring and alerting configured"


@pytest.mark.checklist("pre_deploy.security.alerting", text=ALERTING)
def test_alerting(alertmanager_facts: AlertmanagerFacts) -> None:
    """An alert of every critical severity, and one that no route knows, ends where something is sent."""
    integrations = dict(alertmanager_facts.integrations)
    assert alertmanager_facts.routed, "no severity was routed"
    for routed in alertmanager_facts.routed:
        assert routed.receivers, f"an alert with severity {routed.severity} has no receiver"
        for name in routed.receivers:
            assert integrations.get(name, 0) > 0, (
                f"an alert with severity {routed.severity} goes to receiver {name!r}, which sends nothing"
            )
    for name, took in alertmanager_facts.reloaded:
        assert took, f"{name} refused its last configuration and runs an older one"


@pytest.mark.checklist("pre_deploy.security.alerting", text=ALERTING)
def test_alerting_is_connected(alertmanager_facts: AlertmanagerFacts) -> None:
    """Prometheus sends its alerts to this Alertmanager, and not to another or to none."""
    assert alertmanager_facts.active, "Prometheus knows no Alertmanager"
    assert alertmanager_facts.linked is not False, (
        f"no alert that fires in Prometheus is known here; it sends to {', '.join(alertmanager_facts.active)}"
    )
    if alertmanager_facts.linked is None and not alertmanager_facts.same_address:
        unproven(
            Reason.NO_EVIDENCE,
            "no alert fires, so that none shows whether Prometheus sends here; add an always-firing one",
        )


@pytest.mark.checklist("pre_deploy.security.alerting", text=ALERTING)
def test_alerting_delivers(alertmanager_facts: AlertmanagerFacts, limits: Limits) -> None:
    """Notifications went out lately, and hardly any failed."""
    sent, failed = alertmanager_facts.sent, alertmanager_facts.failed
    if sent is None or failed is None:
        unproven(Reason.NO_EVIDENCE, "nobody counts notifications: let Prometheus scrape Alertmanager")
    days = alertmanager_facts.window_s / 86400
    assert sent > 0, f"no notification was sent in {days:g} days, not even of an always-firing alert"
    assert failed / sent <= limits.alert_failed_ratio_max, (
        f"{failed:.0f} of {sent:.0f} notifications failed in {days:g} days"
    )


@pytest.mark.checklist("pre_deploy.security.alerting", text=ALERTING)
def test_alerting_watches_security(alertmanager_facts: AlertmanagerFacts) -> None:
    """Somebody is told of guessed passwords, of errors, of a certificate's end and of floods."""
    assert alertmanager_facts.security, "alerts.required_security names nothing"
    for intent, names in alertmanager_facts.security:
        assert names, f"no rule that can fire covers: {intent}"
