"""Operations, maintenance: alerts that warn of what fails slowly."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.slow_alerts import GOOD_WORDS, SlowAlertsFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits

ITEM = "operations.maintenance.alerts"
ALERTS = "Monitoring alerts configured"
UNSENT = frozenset({"none", "info", "debug"})


@pytest.mark.checklist(ITEM, text=ALERTS)
def test_alerts(slow_alerts_facts: SlowAlertsFacts) -> None:
    """Each thing that fails slowly has a rule that can fire, with a severity, that ends where something is sent."""
    facts = slow_alerts_facts
    assert facts.intents, "alerts.required_maintenance names nothing that is needed"
    for what, why in facts.not_needed:
        assert why.strip(), f"alerts.not_needed gives no reason for {what!r}"
    for intent, names in facts.intents:
        assert names, f"no rule that can fire warns of: {intent}"
        good = [
            alert for name in names for alert in facts.alert(name) if alert.severity.lower() not in UNSENT
        ]
        assert any(alert.severity for alert in good), (
            f"{', '.join(names[:3])} ({intent}) has no severity by which anybody would hear of it"
        )
        reached = [one for one in good if set(one.receivers) & set(facts.sending)]
        assert reached, (
            f"{', '.join(names[:3])} ({intent}) goes to {', '.join(good[0].receivers)}, which sends nothing"
        )


@pytest.mark.checklist(ITEM, text=ALERTS)
def test_alerts_fire(slow_alerts_facts: SlowAlertsFacts) -> None:
    """For each of them a test of promtool shows the rule as it is loaded firing, and passes."""
    facts = slow_alerts_facts
    assert facts.intents, "alerts.required_maintenance names nothing that is needed"
    if facts.tests is None:
        unproven(Reason.NO_CONFIG, "no alerts.tests_dir; name the folder of promtool's tests of the rules")
    for test in facts.tests:
        assert test.passed is not False, f"{test.file}: {test.said}"
    for intent, names in facts.intents:
        shown = [name for name in names if any(name in test.fires for test in facts.tests)]
        assert shown, f"no test shows an alert firing that warns of: {intent}"
        loaded = {(alert.name, alert.query) for name in shown for alert in facts.alert(name)}
        tested = {rule for test in facts.tests for rule in test.rules if rule[0] in shown}
        assert loaded & tested, f"{', '.join(shown)} is loaded with another expression than was tested"
    without = next((test for test in facts.tests if test.passed is None), None)
    if without is not None:
        unproven(Reason.NO_ACCESS, f"{without.file} was not run: {without.said}; it comes with Prometheus")


@pytest.mark.checklist(ITEM, text=ALERTS)
def test_alerts_are_watched(slow_alerts_facts: SlowAlertsFacts, limits: Limits, now: datetime) -> None:
    """Somebody outside hears of it when the alerting itself falls silent: no alert of its own could tell.

    That the watcher is of another place can be read of its address only, which the evidence shows.
    """
    facts = slow_alerts_facts
    assert set(facts.watchdog_receivers) & set(facts.sending), (
        f"{facts.watchdog} goes to {', '.join(facts.watchdog_receivers)}, which sends nothing"
    )
    if facts.deadman is None:
        unproven(
            Reason.NO_CONFIG,
            "no alertmanager.deadman_url; name where the outside watcher of the alerting tells its state",
        )
    assert facts.deadman.lower() in GOOD_WORDS, f"the outside watcher of the alerting says {facts.deadman!r}"
    if not facts.deadman_ping:
        unproven(Reason.NO_EVIDENCE, "the outside watcher does not tell when it was last pinged")
    age = (now - datetime.fromisoformat(facts.deadman_ping)).total_seconds()
    assert age <= limits.deadman_ping_max_age_s, f"the outside watcher was last pinged {age:.0f} s ago"


@pytest.mark.checklist(ITEM, text=ALERTS)
def test_alerts_are_not_hushed(slow_alerts_facts: SlowAlertsFacts, limits: Limits, now: datetime) -> None:
    """No silence is longer than a repair takes, and none is made again and again."""
    facts = slow_alerts_facts
    assert facts.silences is not None
    for one in facts.silences:
        if one.state == "expired":
            continue
        lasts = datetime.fromisoformat(one.ends_at) - datetime.fromisoformat(one.starts_at)
        assert lasts <= timedelta(days=limits.silence_max_d), (
            f"{one.created_by or 'somebody'} silenced {{{', '.join(one.matchers)}}} for {lasts.days} days"
        )
    made = Counter(one.matchers for one in facts.silences if one.matchers)
    for matchers, count in made.items():
        assert count - 1 <= limits.silence_recreated_max, (
            f"{{{', '.join(matchers)}}} was silenced {count} times; the rule should be changed"
        )
