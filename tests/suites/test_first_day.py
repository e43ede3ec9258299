"""The checks of the first day and week against made-up facts: when they wait, what they keep, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import PROVISIONAL, Pending, Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.evidence import EvidenceFacts
from pytest_deploycheck.probes.window import DAY_STEP_S, JobCoverage, Sli, Window, WindowFacts
from pytest_deploycheck.probes.window_issues import NewIssue, WindowIssuesFacts
from pytest_deploycheck.probes.window_peaks import Peak
from pytest_deploycheck.probes.window_queues import Queue, Refunds
from pytest_deploycheck.probes.window_runs import DAY_ITEMS, FIRST_DAY, TRENDS, Watched, WindowRunsFacts
from pytest_deploycheck.probes.window_transactions import Orders, WindowTransactionsFacts
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
STEPS = 288
LIMITS = Limits()
CHECKS = {**suite("post_go_live/test_first_day.py")}
VALUES = {
    "requests": 10.0,
    "errors": 0.001,
    "p95": 0.2,
    "outside": 1.0,
    "rpc_errors": 0.001,
    "head_age": 30.0,
    "lag": 1.0,
    "sent": 20.0,
    "failed": 0.1,
    "signer": 5e18,
}
OF_WINDOW = (
    *("test_continuity", "test_performance", "test_errors", "test_error_lines"),
    *("test_chain", "test_chain_money", "test_chain_extras", "test_resources", "test_log_growth"),
)


def a_day(steps: int = STEPS, **values: float | Mapping[int, float | None]) -> Window:
    """Return a day with these values: a number throughout, or a mapping of steps to what differs there."""
    slis = []
    for name, usual in VALUES.items():
        other = values.get(name, {})
        points = []
        for step in range(1, steps + 1):
            value = other.get(step, usual) if isinstance(other, Mapping) else other
            if value is not None:
                points.append((step * DAY_STEP_S, value))
        slis.append(Sli(name, f"q({name})", tuple(points)))
    return Window(
        start=T0.isoformat(),
        until=(T0 + timedelta(seconds=steps * DAY_STEP_S)).isoformat(),
        closes=(T0 + timedelta(days=1)).isoformat(),
        step_s=DAY_STEP_S,
        steps=steps,
        slis=tuple(slis),
        coverage=(JobCoverage("app", 2, 20.0, 1.0, 0.0, ""),),
        first_sample_s=300.0,
    )


PEAKS = tuple(
    Peak(what, "a", value)
    for what, value in (("cpu", 0.4), ("memory", 0.5), ("disk", 0.3), ("disk days", 90.0), ("restarts", 0.0))
)


def window(day: Window | None, peaks: tuple[Peak, ...] = PEAKS, before: Window | None = None) -> WindowFacts:
    """Return facts of a day."""
    must = ("cpu", "memory", "disk", "restarts")
    return WindowFacts(T0.isoformat(), day, None, before, must, peaks, None, None)


def runs(**changes: Any) -> WindowRunsFacts:
    """Return a ledger in which every run is."""
    usual = Watched("", 287, 288, 0, 300.0, 300.0, T0.isoformat(), "", "", False)
    items = [
        replace(usual, item=name, **changes) for name in (*(FIRST_DAY + one for one in DAY_ITEMS), TRENDS)
    ]
    return WindowRunsFacts(tuple(items), "", ())


def judge(
    name: str, facts: WindowFacts, ledger: WindowRunsFacts | None = None, now: datetime | None = None
) -> None:
    """Run a check of the window."""
    CHECKS[name](
        window_facts=facts,
        window_runs_facts=ledger or runs(),
        limits=LIMITS,
        now=now or T0 + timedelta(days=2),
    )


@contextmanager
def noting() -> Iterator[list[datetime]]:
    """Return where a check notes until when its result may change."""
    found: list[datetime] = []
    token = PROVISIONAL.set(found)
    yield found
    PROVISIONAL.reset(token)


@pytest.mark.parametrize("name", OF_WINDOW)
def test_a_healthy_day_passes_for_good(name: str) -> None:
    """A closed day of good numbers is passed, and final."""
    with noting() as noted:
        judge(name, window(a_day()))
    assert noted == []


@pytest.mark.parametrize("name", OF_WINDOW)
def test_before_the_first_step_everything_waits(name: str) -> None:
    """Before there is a step to judge the item is pending, until there will be."""
    with pytest.raises(Pending) as why:
        judge(name, window(None), now=T0 - timedelta(hours=1))
    assert why.value.until == T0 + timedelta(seconds=DAY_STEP_S)


@pytest.mark.parametrize("name", OF_WINDOW)
def test_an_open_day_is_provisional(name: str) -> None:
    """In the middle of the day the result so far counts, and may change until it is over."""
    with noting() as noted:
        judge(name, window(a_day(steps=100)), now=T0 + timedelta(hours=9))
    assert noted == [T0 + timedelta(days=1)]


@pytest.mark.parametrize("name", OF_WINDOW)
def test_what_was_final_stays(name: str) -> None:
    """After the close the first verdict stays, bad as the samples may look by now, and good as they may."""
    bad = window(replace(a_day(p95=9.0, errors=5.0, head_age=900.0), coverage=()))
    judge(name, bad, runs(final="passed", final_run="r", same_config=True))
    with pytest.raises(AssertionError, match="run r found it failed"):
        judge(name, window(a_day()), runs(final="failed", final_run="r", same_config=True))


def test_another_target_file_is_judged_anew() -> None:
    """With other settings the samples are looked at again while they are there, and the old verdict when not."""
    kept = runs(final="failed", final_run="r", same_config=False)
    judge("test_errors", window(a_day()), kept)
    forgotten = replace(a_day(), first_sample_s=50_000.0)
    with pytest.raises(AssertionError, match="found it failed"):
        judge("test_errors", window(forgotten), kept)


def test_an_open_day_keeps_nothing() -> None:
    """A verdict of an earlier run says nothing about a day that is not over."""
    with pytest.raises(AssertionError):
        judge("test_chain", window(a_day(steps=100, head_age=900.0)), runs(final="passed", same_config=True))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("test_errors", "requests"),
        ("test_errors", "errors"),
        ("test_chain", "head_age"),
        ("test_chain", "lag"),
        ("test_chain", "rpc_errors"),
        ("test_chain_money", "signer"),
        ("test_chain_money", "sent"),
        ("test_performance", "p95"),
        ("test_performance", "errors"),
    ],
)
def test_no_data_is_not_good(name: str, missing: str) -> None:
    """Without one of its numbers, or with it in half of the steps only, an item is unproven."""
    for gone in (range(1, STEPS + 1), range(1, STEPS // 2 + 10)):
        away: dict[str, Any] = {missing: dict.fromkeys(gone)}
        day = a_day(**away)
        with pytest.raises(Unproven) as why:
            judge(name, window(day))
        assert why.value.reason in (Reason.NO_EVIDENCE, Reason.NO_TRAFFIC)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("test_performance", a_day(p95=dict.fromkeys(range(100, 112), 2.0))),
        ("test_performance", a_day(errors=0.05)),
        ("test_performance", a_day(outside=dict.fromkeys(range(100, 112), 0.0))),
        ("test_errors", a_day(errors=dict.fromkeys((100, 101), 0.3))),
        ("test_errors", a_day(requests=dict.fromkeys(range(100, 106), 0.0))),
        ("test_chain", a_day(head_age={100: 300.0})),
        ("test_chain", a_day(lag=dict.fromkeys(range(100, 110), 40.0))),
        ("test_chain", a_day(rpc_errors=0.2)),
        ("test_chain_money", a_day(failed=1.0)),
        ("test_chain_money", a_day(signer={STEPS: 0.0})),
    ],
)
def test_a_bad_hour_fails_the_day(name: str, day: Window) -> None:
    """What was wrong for a while is wrong, however good the rest of the day was."""
    with pytest.raises(AssertionError):
        judge(name, window(day))


def test_a_signer_that_will_run_dry_fails() -> None:
    """Ether that lasts for days at the rate of the day is too little; what was put in is not spent."""
    spending = a_day(signer={step: 5e18 - step * 5e15 for step in range(1, STEPS + 1)})
    with pytest.raises(AssertionError, match=r"lasts for 2\.5 days"):
        judge("test_chain_money", window(spending))
    filled = a_day(signer={step: 1e18 + step * 1e15 for step in range(1, STEPS + 1)})
    judge("test_chain_money", window(filled))


def test_quiet_nights_are_no_outage_of_a_small_service() -> None:
    """Where there are few requests, hours without one are neither an outage nor without a proof."""
    quiet = dict.fromkeys(range(150, 170), 0.0)
    judge(
        "test_errors",
        window(a_day(requests={n: quiet.get(n, 0.004) for n in range(1, STEPS + 1)}, errors=0.0)),
    )


def test_one_error_among_few_requests_is_no_spike() -> None:
    """A failure in a step with three requests is a third of them, and an accident."""
    day = a_day(requests=0.01, errors={100: 1 / 300} | {n: 0.0 for n in range(1, STEPS + 1) if n != 100})
    judge("test_errors", window(day))


def test_the_week_before_makes_the_limit_stricter() -> None:
    """Half a hundredth is below the limit and ten times what was usual: a spike where that is known."""
    day = a_day(errors={100: 0.05, 101: 0.05})
    judge("test_errors", window(day))
    with pytest.raises(AssertionError, match="more errors than"):
        judge("test_errors", window(day, before=a_day()))


@pytest.mark.parametrize(
    "peak",
    [
        Peak("memory", "api", 0.95),
        Peak("disk", "/", 0.9),
        Peak("disk days", "/", 2.0),
        Peak("restarts", "api", 1.0),
        Peak("kills", "api", 1.0),
        Peak("evictions", "cache", 3.0),
        Peak("connections", "", 0.9),
    ],
)
def test_one_peak_is_enough(peak: Peak) -> None:
    """One container, disk or server at its limit fails the day."""
    with pytest.raises(AssertionError):
        judge("test_resources", window(a_day(), (*PEAKS, peak)))


def test_growth_of_an_hour_is_no_slope() -> None:
    """A disk that fills within the first hour says nothing about its week."""
    judge(
        "test_resources",
        window(a_day(steps=12), (*PEAKS, Peak("disk days", "/", 2.0))),
        now=T0 + timedelta(hours=1),
    )


def test_what_must_be_measured_is_named() -> None:
    """Without node exporter and cAdvisor resources are unproven."""
    with pytest.raises(Unproven, match="nobody measures cpu, disk"):
        judge(
            "test_resources",
            window(a_day(), tuple(one for one in PEAKS if one.what in ("memory", "restarts"))),
        )


def test_missing_samples_and_runs() -> None:
    """A gap in one job fails, and so do runs that are not in the ledger; a broken ledger proves nothing."""
    day = replace(a_day(), coverage=(JobCoverage("app", 2, 20.0, 0.979, 1800.0, T0.isoformat()),))
    with pytest.raises(AssertionError, match=r"97\.9%"):
        judge("test_continuity", window(day))
    with pytest.raises(AssertionError, match="nobody looked"):
        judge("test_continuity", window(a_day()), runs(missed=24))
    judge("test_continuity", window(a_day()), runs(missed=10))
    with pytest.raises(AssertionError, match="broken"):
        judge("test_continuity", window(a_day()), replace(runs(), broken="line 3"))
    with pytest.raises(Unproven):
        judge("test_continuity", window(replace(a_day(), coverage=())))


def asked(name: str, *values: float, steps: int = STEPS) -> Window:
    """Return a day that has a query more, whose steps have these values and, after them, the last one."""
    points = tuple(
        ((n + 1) * DAY_STEP_S, values[min(n, len(values) - 1)]) for n in range(steps if values else 0)
    )
    day = a_day(steps)
    return replace(day, slis=(*day.slis, Sli(name, f"q({name})", points)))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("reorg_depth", (2.0, 0.0), (4.0, 0.0)),
        ("reference_lag", (5.0, 0.0), (6.0, 0.0)),
        ("failovers", (1.0, 2.0, 0.0), (2.0, 2.0, 0.0)),
        ("dropped", (1.0, 100.0, 0.0), (1.0, 200.0, 0.0)),
    ],
)
def test_what_is_asked_for_of_the_chain(name: str, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    """Within its limit it passes; above, it fails; a query without an answer proves nothing."""
    judge("test_chain_extras", window(asked(name, *good)))
    with pytest.raises(AssertionError, match=name):
        judge("test_chain_extras", window(asked(name, *bad)))
    with pytest.raises(Unproven):
        judge("test_chain_extras", window(asked(name)))


def test_logs_that_grow() -> None:
    """The busiest hour is held against the busiest hour before, or against the first one."""
    week = asked("log_volume", 2.0, 1.0)
    doubled = asked("log_volume", *[1.0] * 100, *[4.0] * 24, 1.0)
    judge("test_log_growth", window(doubled, before=week))
    with pytest.raises(AssertionError, match=r"4\.0 times"):
        judge("test_log_growth", window(doubled))
    with pytest.raises(AssertionError):
        judge("test_log_growth", window(asked("log_volume", *[1.0] * 100, *[7.0] * 24, 1.0), before=week))
    for nothing in (asked("log_volume"), asked("log_volume", 0.0)):
        with pytest.raises(Unproven):
            judge("test_log_growth", window(nothing))
    with pytest.raises(Pending):
        judge("test_log_growth", window(asked("log_volume", 1.0, steps=6)), now=T0 + timedelta(minutes=31))


def judge_issues(
    *issues: NewIssue, hours: float = 40, ledger: WindowRunsFacts | None = None, **changes: Any
) -> list[datetime]:
    """Run the check of new groups of errors some hours after go-live; return until when it is provisional."""
    closes = (T0 + timedelta(days=1)).isoformat()
    usual = WindowIssuesFacts("sentry", T0.isoformat(), closes, True, len(issues), False, issues)
    steps = min(STEPS, int(hours * 3600 / DAY_STEP_S))
    with noting() as noted:
        CHECKS["test_new_issues"](
            window_facts=window(a_day(steps)),
            window_runs_facts=ledger or runs(),
            window_issues_facts=replace(usual, **changes),
            limits=LIMITS,
            now=T0 + timedelta(hours=hours),
        )
    return noted


def new_issue(hours: float = 1, level: str = "error", triaged: str = "") -> NewIssue:
    """Return a group of errors that was first seen some hours after go-live."""
    return NewIssue("boom", level, (T0 + timedelta(hours=hours)).isoformat(), triaged)


def test_new_groups_of_errors_are_taken_up() -> None:
    """Within four hours; what is below an error, taken up, or younger, is not late."""
    for late in (new_issue(), new_issue(level=""), new_issue(level="fatal")):
        with pytest.raises(AssertionError, match="nobody took up"):
            judge_issues(new_issue(triaged="assigned"), late)
    judge_issues(new_issue(triaged="ignored"), new_issue(triaged="resolved"), new_issue(level="warning"))
    judge_issues(new_issue(), hours=4.9)
    with pytest.raises(AssertionError):
        judge_issues(new_issue(), hours=5.1)


def test_the_last_group_of_the_day_has_its_time() -> None:
    """After the day has closed the result may change for as long as its last group may wait."""
    assert T0 + timedelta(hours=28) in judge_issues(new_issue(23), hours=26)
    assert judge_issues(new_issue(23, triaged="assigned"), hours=29) == []


def test_a_tracker_must_be_read_where_there_is_one() -> None:
    """Without one nothing is asked; one without the project, or with more than was read, is no proof."""
    judge_issues(tracker="", project_found=False)
    with pytest.raises(AssertionError, match="project"):
        judge_issues(project_found=False)
    with pytest.raises(Unproven):
        judge_issues(unread=True)
    kept = runs(final="failed", final_run="r", same_config=True)
    with pytest.raises(AssertionError, match="run r"):
        judge_issues(ledger=kept)


def orders(**changes: Any) -> WindowTransactionsFacts:
    """Return a day of transactions; changes are of the purchases."""
    usual = Orders("purchase", settled=100, pending=1, overdue=0, failed=1, examined=102, wrong=())
    both = (replace(usual, **changes), replace(usual, kind="redemption"))
    closes = (T0 + timedelta(days=1)).isoformat()
    return WindowTransactionsFacts(T0.isoformat(), closes, closes, both, 5, 202, (), 1, 9)


def judge_orders(facts: WindowTransactionsFacts, now: datetime = T0 + timedelta(days=2)) -> None:
    """Run the check of transactions."""
    CHECKS["test_transactions"](
        window_transactions_facts=facts, window_runs_facts=runs(), limits=LIMITS, now=now
    )


def test_transactions() -> None:
    """Settled ones pass; wrong, overdue, failed and lost ones do not."""
    judge_orders(orders())
    for bad in ({"wrong": (("purchase 1", "reverted"),)}, {"overdue": 1}, {"failed": 30}):
        with pytest.raises(AssertionError):
            judge_orders(orders(**bad))
    with pytest.raises(AssertionError, match="no row"):
        judge_orders(replace(orders(), uncredited=("0xab",)))
    judge_orders(replace(orders(), refunds=(Refunds("refunds", 4, ()),), queues=(Queue("hooks", 9, 1700.0),)))
    with pytest.raises(AssertionError, match="5 refunds for 202 orders"):
        judge_orders(replace(orders(), refunds=(Refunds("refunds", 5, ()),)))
    with pytest.raises(AssertionError, match="9 wait in hooks"):
        judge_orders(replace(orders(), queues=(Queue("hooks", 9, 1900.0),)))
    with pytest.raises(AssertionError, match="signed up"):
        judge_orders(replace(orders(), signups=0))


def test_no_transaction_is_no_success() -> None:
    """Without purchases the item waits while the day is open, and is unproven afterwards."""
    none = orders(settled=0, failed=0)
    with pytest.raises(Pending):
        judge_orders(none, T0 + timedelta(hours=3))
    with pytest.raises(Unproven):
        judge_orders(none)
    with pytest.raises(Pending):
        judge_orders(orders(), T0 - timedelta(hours=3))


def test_the_review_waits_for_its_time() -> None:
    """Before the fifth day, and until the tenth while nobody has signed, the first week is pending."""
    week = replace(a_day(), closes=(T0 + timedelta(days=7)).isoformat())
    trends = suite("post_go_live/test_first_week_trends.py")["test_trends"]
    for days, error in ((2, Pending), (8, Pending), (12, Unproven)):
        with pytest.raises(error):
            trends(
                window_facts=replace(window(a_day()), week=week),
                window_runs_facts=runs(),
                evidence_facts=EvidenceFacts(directory="claims", files=(), roles=()),
                limits=LIMITS,
                now=T0 + timedelta(days=days),
            )
