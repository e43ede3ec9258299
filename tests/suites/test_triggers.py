"""The checks of rollback triggers over facts that no deployment of ours shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import PROVISIONAL, Unproven
from pytest_deploycheck.limits import Limits, Recorded
from pytest_deploycheck.probes.admin_events import AdminEvent, AdminEventsFacts
from pytest_deploycheck.probes.detectors import Armed, DetectorsFacts
from pytest_deploycheck.probes.evidence import EvidenceFacts
from pytest_deploycheck.probes.integrity import Held, IntegrityFacts, Supply
from pytest_deploycheck.probes.known_holes import Hole, KnownHolesFacts
from pytest_deploycheck.probes.regression import RegressionFacts, Stretch
from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts, Trigger, detector
from pytest_deploycheck.probes.user_issues import UserIssue, UserIssuesFacts
from tests.suites.checks import suite

CHECKS = suite("rollback/test_triggers.py")
LIMITS: Any = Recorded(Limits(), "default")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

FAST = detector("perf", {"alert": "Fast", "when": "> 1.44 %", "over": ["1h", "5m"], "holds": "2m"})
SLOW = detector("perf", {"alert": "Slow", "when": "> 0.6 %", "over": ["6h", "30m"], "holds": "15m"})
TRIGGER = Trigger("perf", "when it burns", "roll back", "on-call", (("regression_factor", 1.5),), (), 2)
PLAN = RollbackPlanFacts("plan.toml", (TRIGGER,), (FAST, SLOW))


def armed(plan: Any, number: float, windows: tuple[float, ...], **changes: Any) -> Armed:
    """Return a detector that is well."""
    made = Armed(
        plan=plan,
        rules=1,
        health="ok",
        state="inactive",
        dead=(),
        severity="page",
        compares=((">", number),),
        ratios=((number, windows),),
        windows_s=windows,
        for_s=plan.holds_s,
        jobs=(),
        receivers=(("pager", 1),),
        text=f"{plan.alert} errors > {number}",
    )
    return replace(made, **changes)


def burn(fast: dict[str, Any] | None = None, **changes: Any) -> DetectorsFacts:
    """Return both burn rates, the first with changes."""
    found = (
        armed(FAST, 14.4 * 0.001, (300.0, 3600.0), **(fast or {})),
        armed(SLOW, 0.006, (1800.0, 21600.0)),
    )
    return replace(DetectorsFacts(found, (), ("app",), 0.999, ("page",), True), **changes)


def perf(facts: DetectorsFacts) -> None:
    """Judge whether performance is watched."""
    CHECKS["test_perf_armed"](rollback_plan_facts=PLAN, detectors_facts=facts, limits=LIMITS)


def test_burn_rates_of_the_workbook_are_armed() -> None:
    """The healthy case, which the others change in one place."""
    perf(burn())


@pytest.mark.parametrize(
    ("fast", "words"),
    [
        ({"rules": 0}, "no alert of that name"),
        ({"health": "err"}, "cannot be evaluated"),
        ({"dead": ("errors",)}, "can never fire"),
        ({"severity": "info"}, "those that reach a person"),
        ({"receivers": ()}, "no route"),
        ({"receivers": (("pager", 1), ("none", 0))}, "sends nothing"),
        ({"compares": ((">", 0.0145),)}, "the rule compares"),
        ({"compares": ((">=", 0.0144),)}, "the rule compares"),
        ({"compares": ()}, "nothing"),
        ({"compares": ((">", 0.0144), (">", 1e9))}, "the rule compares"),
        ({"windows_s": (300.0,)}, "look over"),
        ({"for_s": 600.0}, "hold for"),
        ({"state": "firing"}, "rollback decision needed"),
    ],
)
def test_a_detector_that_is_not_as_planned(fast: dict[str, Any], words: str) -> None:
    """Each way to be disarmed, or to be tripped, fails and is named."""
    with pytest.raises(AssertionError, match=words):
        perf(burn(fast))


@pytest.mark.parametrize("fast", [{"state": "pending"}, {"compares": None}])
def test_what_nobody_can_tell_yet_is_unproven(fast: dict[str, Any]) -> None:
    """An alert that is about to fire is neither quiet nor tripped; an unknown language is no disagreement."""
    with pytest.raises(Unproven):
        perf(burn(fast))


def test_a_laxer_objective_makes_the_same_rules_strict_and_a_stricter_one_lax() -> None:
    """Thresholds are held against the budget: of 99.99 %, 1.44 % is a hundred and forty-four times."""
    perf(burn(objective=0.99))
    with pytest.raises(AssertionError, match="fires only above"):
        perf(burn(objective=0.9999))


@pytest.mark.parametrize(
    "fast",
    [
        {"ratios": ((0.5, (300.0, 3600.0)),)},
        {"ratios": ((0.0144, (300.0,)), (0.5, (3600.0,)))},
        {"ratios": ((0.0144, (300.0,)),)},
        {"ratios": ()},
    ],
)
def test_a_guard_is_no_burn_rate(fast: dict[str, Any]) -> None:
    """That something small is compared somewhere is not enough: shares must be, over both windows."""
    with pytest.raises(AssertionError, match="fires only above"):
        perf(burn(fast))


def test_prometheus_that_tells_nobody_is_not_armed() -> None:
    """Rules alone page nobody."""
    with pytest.raises(AssertionError, match="to nobody"):
        perf(burn(sends=False))


def test_a_plan_without_alerts_is_no_plan() -> None:
    """The text of a criterion notices nothing."""
    with pytest.raises(AssertionError, match="names no alert"):
        perf(burn(detectors=()))


BEFORE = Stretch(0, 3600, 36_000.0, 0.2, 0.0002)


def regressed(
    first: bool = False, earlier: float | None = 9e5, before: Stretch = BEFORE, **after: Any
) -> None:
    """Judge a release against what was before."""
    facts = RegressionFacts(replace(BEFORE, **after), before, first, earlier, NOW.isoformat())
    CHECKS["test_perf_as_before"](regression_facts=facts, limits=LIMITS)


def test_a_release_like_the_one_before() -> None:
    """A little slower, and errors that are next to nothing, are no regression."""
    regressed(p95_s=0.29)
    regressed(error_ratio=0.0009)


@pytest.mark.parametrize("after", [{"p95_s": 0.31}, {"error_ratio": 0.0011}])
def test_a_worse_release(after: dict[str, Any]) -> None:
    """More than one and a half times, beyond what is next to nothing."""
    with pytest.raises(AssertionError, match="rollback decision needed"):
        regressed(**after)


@pytest.mark.parametrize(
    "case",
    [
        {"requests": None},
        {"p95_s": None},
        {"error_ratio": None},
        {"requests": 99.0},
        {"requests": 200_000.0},
        {"requests": 9_000.0},
        {"before": replace(BEFORE, p95_s=None)},
        {"before": replace(BEFORE, requests=None), "earlier": None},
        {"before": replace(BEFORE, requests=None), "earlier": 500.0, "first": True},
    ],
)
def test_no_comparison_is_no_pass(case: dict[str, Any]) -> None:
    """Without data, with too little, or at another traffic nothing is said; also where "first" is not true."""
    with pytest.raises(Unproven):
        regressed(**case)


def test_a_first_deployment_needs_traffic_of_its_own() -> None:
    """Nothing was before, Prometheus says so too, and requests are counted now."""
    nothing = replace(BEFORE, requests=None, p95_s=None, error_ratio=None)
    regressed(first=True, earlier=None, before=nothing)
    with pytest.raises(Unproven):
        regressed(first=True, earlier=None, before=nothing, requests=None)


SOUND = IntegrityFacts(
    True, False, (("app", 0), ("(shared)", 0)), (Held("a", "0", "0", ""),), Supply(7, 7, 9, ""), True
)


def test_sound_data() -> None:
    """The healthy case."""
    for name in ("test_checksums", "test_invariants", "test_supply"):
        CHECKS[name](integrity_facts=SOUND)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("test_checksums", {"checksums": False, "failures": (("app", None),)}),
        ("test_checksums", {"ignored": True}),
        ("test_checksums", {"failures": ()}),
        ("test_checksums", {"failures": (("app", 2),)}),
        ("test_invariants", {"invariants": (Held("a", "1", "0", ""),)}),
        ("test_supply", {"supply": Supply(7, 8, 9, "")}),
    ],
)
def test_broken_data(name: str, changes: dict[str, Any]) -> None:
    """Checksums that are off are a failure, and no count of zero."""
    with pytest.raises(AssertionError):
        CHECKS[name](integrity_facts=replace(SOUND, **changes))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("test_checksums", {"failures": (("app", None),)}),
        ("test_invariants", {"invariants": ()}),
        ("test_invariants", {"invariants": (Held("a", None, "0", "no such table"),)}),
        ("test_supply", {"supply": None}),
        ("test_supply", {"supply": Supply(7, None, 9, "pruned")}),
        ("test_supply", {"supply": Supply(None, None, None, "refused")}),
    ],
)
def test_data_that_nobody_sees(name: str, changes: dict[str, Any]) -> None:
    """A count of nothing, no invariant, and half of a comparison prove nothing."""
    with pytest.raises(Unproven):
        CHECKS[name](integrity_facts=replace(SOUND, **changes))


EVENTS = AdminEventsFacts(True, "0xa", 5, 9, "", ("Paused(address)",), (), False, 1, 1)


def test_a_contract_that_nobody_touched_and_one_that_is_not_there() -> None:
    """No event is quiet; without a contract there is nothing to touch."""
    CHECKS["test_chain_contract_untouched"](admin_events_facts=EVENTS)
    CHECKS["test_vuln_contract_untouched"](admin_events_facts=EVENTS)
    gone = replace(EVENTS, enabled=False, address="", events=None)
    CHECKS["test_vuln_contract_untouched"](admin_events_facts=gone)
    with pytest.raises(Unproven):
        CHECKS["test_chain_contract_untouched"](admin_events_facts=gone)
    with pytest.raises(AssertionError):
        CHECKS["test_vuln_contract_untouched"](admin_events_facts=replace(gone, address="0xa"))


def test_only_unexpected_events_trip() -> None:
    """What was planned is no reason to go back; what nobody planned is, and is named."""
    planned = AdminEvent("Paused(address)", "0x1", 6, True)
    CHECKS["test_chain_contract_untouched"](admin_events_facts=replace(EVENTS, events=(planned,)))
    surprise = replace(planned, expected=False)
    with pytest.raises(AssertionError, match="Paused in block 6"):
        CHECKS["test_chain_contract_untouched"](
            admin_events_facts=replace(EVENTS, events=(planned, surprise))
        )
    with pytest.raises(Unproven):
        CHECKS["test_chain_contract_untouched"](admin_events_facts=replace(EVENTS, events=None))


BUGS = Trigger("bugs", "when users hurt", "roll back", "on-call", (("users_max", 10.0),), (), 1)
QUIET = UserIssuesFacts(True, True, 1, (), 0, "", NOW.isoformat(), NOW.isoformat())


@pytest.mark.parametrize(
    ("issue", "raises"),
    [
        (UserIssue("a", "error", True, 9_000, 10, 0), None),
        (UserIssue("a", "error", True, 10, None, 0), None),
        (UserIssue("a", "error", True, 11, 11, 0), AssertionError),
        (UserIssue("a", "error", True, 11, None, 0), Unproven),
    ],
)
def test_users_count_and_events_bound_them(issue: UserIssue, raises: type[Exception] | None) -> None:
    """Ten events are ten users at most; eleven of nobody knows whom are not known to be fewer."""
    plan = RollbackPlanFacts("plan.toml", (BUGS,), ())
    facts = replace(QUIET, issues=(issue,))

    def judge() -> None:
        CHECKS["test_bugs_tracked"](user_issues_facts=facts, rollback_plan_facts=plan, limits=LIMITS)

    if raises is None:
        judge()
        return
    with pytest.raises(raises):
        judge()


def test_support_has_a_day() -> None:
    """Until a day after the go-live its word may be missing, and the result may still change; afterwards not."""
    nothing = EvidenceFacts("claims", (), ())

    def judge(now: datetime) -> None:
        CHECKS["test_bugs_reported"](user_issues_facts=QUIET, evidence_facts=nothing, limits=LIMITS, now=now)

    noted: list[datetime] = []
    token = PROVISIONAL.set(noted)
    try:
        judge(NOW + timedelta(hours=1))
    finally:
        PROVISIONAL.reset(token)
    assert noted == [NOW + timedelta(days=1)]
    with pytest.raises(Unproven):
        judge(NOW + timedelta(hours=25))


SCANNED = Hole("api", "sha256:1", "api.json", (NOW - timedelta(hours=20)).isoformat(), (), ())


@pytest.mark.parametrize(
    ("hole", "words"),
    [
        (replace(SCANNED, file=""), "not armed: no scan"),
        (replace(SCANNED, scanned_at=""), "does not say when"),
        (replace(SCANNED, scanned_at=(NOW - timedelta(hours=27)).isoformat()), "27 h old"),
        (replace(SCANNED, scanned_at=(NOW + timedelta(hours=1)).isoformat()), "in the future"),
        (replace(SCANNED, critical=(("CVE-1", "openssl", "3.0.9"),)), "CVE-1 in openssl"),
        (replace(SCANNED, exploited=("CVE-2",)), "being exploited"),
    ],
)
def test_holes(hole: Hole, words: str) -> None:
    """Not scanned today is not armed, a critical finding trips, and each says which."""
    plan = RollbackPlanFacts("p", (replace(BUGS, name="vuln", numbers=(("scan_max_age_h", 26.0),)),), ())

    def judge(*images: Hole) -> None:
        CHECKS["test_vuln_scanned_today"](
            known_holes_facts=KnownHolesFacts(images, 0, ""), rollback_plan_facts=plan, limits=LIMITS, now=NOW
        )

    judge(SCANNED)
    with pytest.raises(AssertionError, match=words):
        judge(SCANNED, hole)
