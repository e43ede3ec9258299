"""The checks before the go-live against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.ledger import Entry
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.alerts_now import Alert, AlertsNowFacts, Group
from pytest_deploycheck.probes.green import GreenFacts, Watched
from pytest_deploycheck.probes.ledger import LedgerFacts
from pytest_deploycheck.probes.rule_tests import RuleTest
from pytest_deploycheck.probes.slo import Indicator, SloFacts
from pytest_deploycheck.probes.slow_alerts import Quiet, SlowAlert, SlowAlertsFacts
from tests.suites.checks import suite

CHECKS = suite("go_live/test_final.py")
ALERTS = suite("operations/test_maintenance_alerts.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)

UP = Watched("up", "app", "a:1", 60, 0, 0, 900, 15, 5, True)
GREEN = GreenFacts(900, (("app", 1),), (UP, replace(UP, metric="probe_success", job="blackbox")))


def test_green_is_green() -> None:
    """What was watched without a pause passes; nothing of it is provisional."""
    CHECKS["test_green"](GREEN, LIMITS, NOW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"good": False}, "is down"),
        ({"failed": 1}, "failed in 1 of 60"),
        ({"samples": 50}, "has 50 of 60 samples"),
        ({"starting_s": 300.0}, "took 300 s to start"),
    ],
)
def test_green_is_not_green(change: dict[str, Any], message: str) -> None:
    """A target that is down, was, is new for too long, or was not looked at."""
    with pytest.raises(AssertionError, match=message):
        CHECKS["test_green"](replace(GREEN, watched=(replace(UP, **change),)), LIMITS, NOW)


def test_green_needs_somebody_outside() -> None:
    """Without a look from outside nothing is proven, and without any target it fails."""
    with pytest.raises(Unproven, match="looks from outside"):
        CHECKS["test_green"](replace(GREEN, watched=(UP,)), LIMITS, NOW)
    with pytest.raises(AssertionError, match="0 of 1 targets"):
        CHECKS["test_green"](replace(GREEN, watched=()), LIMITS, NOW)


def entry(n: int, *, ago_h: float = 1, release: str = "r", **verdicts: str) -> Entry:
    """Return a run of the ledger."""
    time = (NOW - timedelta(hours=ago_h)).isoformat()
    more = {"target": "t", "environment": "e", "config": "", "checklist": "", "decision": ""}
    items = {name.replace("__", "."): verdict for name, verdict in verdicts.items()}
    return Entry(
        n=n,
        prev="",
        run=str(n),
        time=time,
        release=release,
        items=items,
        evidence="",
        tool="",
        interrupted=False,
        hash="",
        **more,
    )


def ledger(*entries: Entry, broken: str = "") -> LedgerFacts:
    """Return a ledger of a checklist with two items."""
    items = ("deploy.code.main", "operations.backup.restore", "rollback.triggers.vuln")
    return LedgerFacts(entries, len(entries), "", broken, 0, "r", "", items)


FIRST = entry(1, deploy__code__main="passed")


def test_earlier_runs_together_prove_it() -> None:
    """Each item by its newest run; what is declared out of scope or waived counts, items of later phases do not."""
    second = entry(2, operations__backup__restore="waived", rollback__triggers__vuln="failed")
    CHECKS["test_green_ledger"](ledger(FIRST, second), LIMITS, NOW)


@pytest.mark.parametrize(
    ("facts", "kind", "message"),
    [
        (ledger(), Unproven, "look again with the same command"),
        (ledger(entry(1, release="old", deploy__code__main="passed")), Unproven, "no earlier run"),
        (ledger(FIRST), Unproven, "1 of 2 items .* operations.backup.restore"),
        (ledger(FIRST, entry(2, operations__backup__restore="pending")), Unproven, "1 of 2 items"),
        (ledger(FIRST, entry(2, deploy__code__main="failed")), AssertionError, "deploy.code.main was failed"),
        (ledger(FIRST, broken="line 2: it was changed"), AssertionError, "does not hold"),
        (
            ledger(FIRST, entry(2, ago_h=30, operations__backup__restore="passed")),
            Unproven,
            "last looked at 30 h ago",
        ),
    ],
)
def test_earlier_runs_do_not(facts: LedgerFacts, kind: type[BaseException], message: str) -> None:
    """No run, another release's, one that left an item out, that failed, or long ago."""
    with pytest.raises(kind, match=message):
        CHECKS["test_green_ledger"](facts, LIMITS, NOW)


QUIET = AlertsNowFacts(
    ("critical",), (), (), (), 600, "Watchdog", True, True, 30.0, 1, (Group("g", 3, 15, 10, ()),)
)
BAD = Alert("DiskFull", "critical", "suppressed", 1, 60)


@pytest.mark.parametrize(
    ("check", "change", "message"),
    [
        ("test_no_critical", {"known": (BAD,)}, "kept from being sent, in Alertmanager"),
        ("test_no_critical", {"raised": (replace(BAD, state="firing", since_s=0),)}, "is firing"),
        ("test_no_critical", {"raised": (replace(BAD, state="pending", since_s=31),)}, "is pending for 31 s"),
        ("test_no_critical", {"recent": (("DiskFull", "critical"),)}, "fired within the last 600 s"),
        ("test_no_critical", {"severities": ()}, "names none"),
        ("test_no_critical_means_something", {"active": 0}, "knows no Alertmanager"),
        ("test_no_critical_means_something", {"groups": ()}, "no rule"),
        ("test_no_critical_means_something", {"groups": (Group("g", 3, 15, 31, ()),)}, "evaluated 31 s ago"),
        ("test_no_critical_means_something", {"groups": (Group("g", 3, 15, None, ()),)}, "never evaluated"),
        ("test_no_critical_means_something", {"groups": (Group("g", 3, 15, 1, ("x",)),)}, "x cannot be"),
        ("test_no_critical_means_something", {"watchdog_fires": False}, "does not fire"),
        ("test_no_critical_means_something", {"watchdog_age_s": None}, "does not know it"),
        ("test_no_critical_means_something", {"watchdog_known": False}, "another Prometheus"),
        ("test_no_critical_means_something", {"watchdog_age_s": 301.0}, "301 s ago"),
    ],
)
def test_silence_is_not_enough(check: str, change: dict[str, Any], message: str) -> None:
    """Quiet and alive passes; each critical alert and each way of being deaf fails."""
    CHECKS[check](QUIET, LIMITS)
    with pytest.raises(AssertionError, match=message):
        CHECKS[check](replace(QUIET, **change), LIMITS)


def test_a_hiccup_is_no_critical_alert() -> None:
    """A scrape that failed once makes an alert pending for a moment; a short interval may be late by more than itself."""
    CHECKS["test_no_critical"](replace(QUIET, raised=(replace(BAD, state="pending", since_s=10),)), LIMITS)
    late = replace(QUIET, groups=(Group("g", 3, 1, 20, ()),))
    CHECKS["test_no_critical_means_something"](late, LIMITS)


FAST = Indicator("response time", "p95", "<=", 1.0, 0.2, 0.4, 1, 1800, "")
TRAFFIC = Indicator("traffic", "rate", ">=", 0.1, 5, 4, 1, 1800, "")
SLO = SloFacts(1800, (TRAFFIC, FAST), "traffic", None, 0.2, (), None)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"now": 1.2, "worst": 1.2}, AssertionError, "1.2 now"),
        ({"worst": 1.2}, AssertionError, "at its worst"),
        ({"now": None, "worst": None, "series": 0}, Unproven, "not measured"),
        ({"now": None, "worst": 0.1, "series": 0}, Unproven, "not measured"),
        ({"now": None, "worst": None, "series": 3}, Unproven, "gives 3 values"),
        ({"refused": "bad query", "now": None, "worst": None}, Unproven, "bad query"),
        ({"span_s": 60}, Unproven, "there are 60 s of samples"),
    ],
)
def test_indicators(change: dict[str, Any], kind: type[BaseException], message: str) -> None:
    """Each indicator is measured and within its limit, now and at its worst."""
    CHECKS["test_perf"](SLO, LIMITS)
    with pytest.raises(kind, match=message):
        CHECKS["test_perf"](replace(SLO, indicators=(TRAFFIC, replace(FAST, **change))), LIMITS)


def test_an_idle_system_proves_nothing() -> None:
    """Without traffic all is within its limits; without any indicator there is nothing to judge."""
    with pytest.raises(Unproven, match="idle"):
        CHECKS["test_perf"](replace(SLO, indicators=(replace(TRAFFIC, now=0.01), FAST)), LIMITS)
    with pytest.raises(AssertionError, match="no indicator"):
        CHECKS["test_perf"](replace(SLO, indicators=(TRAFFIC,)), LIMITS)


def test_slower_than_before() -> None:
    """A fifth slower than before is too much, but not of next to nothing; without a past nothing is compared."""
    CHECKS["test_perf_as_before"](SLO, LIMITS)
    CHECKS["test_perf_as_before"](replace(SLO, before_s=0.01, now_s=0.05), LIMITS)
    with pytest.raises(AssertionError, match="before the release"):
        CHECKS["test_perf_as_before"](replace(SLO, before_s=0.2, now_s=0.25), LIMITS)
    with pytest.raises(Unproven, match="no response time"):
        CHECKS["test_perf_as_before"](replace(SLO, now_s=None), LIMITS)


def silence(*, days: float = 1, state: str = "active", matchers: tuple[str, ...] = ('a="b"',)) -> Quiet:
    """Return a silence."""
    return Quiet(matchers, NOW.isoformat(), (NOW + timedelta(days=days)).isoformat(), state, "ann")


WARNED = SlowAlertsFacts(
    intents=(("disk fills up", ("DiskFullSoon",)),),
    not_needed=(),
    alerts=(SlowAlert("DiskFullSoon", "ticket", ("tickets",), "d1"),),
    sending=("tickets", "deadman"),
    watchdog="Watchdog",
    watchdog_receivers=("deadman",),
    tests=(RuleTest("host.yml", ("DiskFullSoon",), (("DiskFullSoon", "d1"),), True, ""),),
    silences=(silence(),),
    deadman="up",
    deadman_ping=(NOW - timedelta(minutes=1)).isoformat(),
)
TEST = WARNED.tests[0] if WARNED.tests else None


@pytest.mark.parametrize(
    ("check", "change", "kind", "message"),
    [
        ("test_alerts", {"intents": (("disk fills up", ()),)}, AssertionError, "no rule that can fire"),
        ("test_alerts", {"intents": ()}, AssertionError, "names nothing"),
        ("test_alerts", {"not_needed": (("inodes", " "),)}, AssertionError, "no reason"),
        ("test_alerts", {"sending": ()}, AssertionError, "which sends nothing"),
        (
            "test_alerts",
            {"alerts": (SlowAlert("DiskFullSoon", "none", ("tickets",), "d1"),)},
            AssertionError,
            "no severity",
        ),
        ("test_alerts_fire", {"tests": None}, Unproven, "no alerts.tests_dir"),
        ("test_alerts_fire", {"tests": (replace(TEST, fires=()),)}, AssertionError, "no test shows"),
        (
            "test_alerts_fire",
            {"tests": (replace(TEST, passed=False, said="FAILED"),)},
            AssertionError,
            "host.yml: FAILED",
        ),
        ("test_alerts_fire", {"tests": (replace(TEST, passed=None, said="absent"),)}, Unproven, "absent"),
        (
            "test_alerts_fire",
            {"tests": (replace(TEST, rules=(("DiskFullSoon", "d2"),)),)},
            AssertionError,
            "another expression",
        ),
        ("test_alerts_are_watched", {"watchdog_receivers": ("null",)}, AssertionError, "sends nothing"),
        ("test_alerts_are_watched", {"deadman": None}, Unproven, "deadman_url"),
        ("test_alerts_are_watched", {"deadman": "down"}, AssertionError, "'down'"),
        ("test_alerts_are_watched", {"deadman_ping": ""}, Unproven, "last pinged"),
        (
            "test_alerts_are_watched",
            {"deadman_ping": (NOW - timedelta(hours=2)).isoformat()},
            AssertionError,
            "7200 s ago",
        ),
        ("test_alerts_are_not_hushed", {"silences": (silence(days=30),)}, AssertionError, "for 30 days"),
        (
            "test_alerts_are_not_hushed",
            {"silences": (silence(state="expired"),) * 5},
            AssertionError,
            "silenced 5 times",
        ),
    ],
)
def test_early_warnings(check: str, change: dict[str, Any], kind: type[BaseException], message: str) -> None:
    """Every way in which a warning would not come, or not be heard."""
    arguments = (LIMITS, NOW) if check in ("test_alerts_are_watched", "test_alerts_are_not_hushed") else ()
    ALERTS[check](WARNED, *arguments)
    with pytest.raises(kind, match=message):
        ALERTS[check](replace(WARNED, **change), *arguments)


def test_silences_that_ended_are_no_silences() -> None:
    """A long one that is over hushes nothing; the same one four times was recreated three times, which may be."""
    over = replace(WARNED, silences=(silence(days=30, state="expired"), *(silence(),) * 3))
    ALERTS["test_alerts_are_not_hushed"](over, LIMITS, NOW)
    none = replace(WARNED, silences=())
    ALERTS["test_alerts_are_not_hushed"](none, LIMITS, NOW)
