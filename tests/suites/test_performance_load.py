"""The check of item 48 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.load.report import Route
from pytest_deploycheck.plots import Bars, Histogram, Series
from pytest_deploycheck.probes.load import LoadFacts
from pytest_deploycheck.probes.load_saturation import Saturation
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_performance.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BARS, HISTOGRAM, SERIES = Bars("", "", ()), Histogram("", "", ()), Series("", "", ())


def route(name: str, requests: int = 6000, failures: int = 0, p95_s: float | None = 0.2) -> Route:
    """Return a row of the statistics."""
    method = "" if name == "Aggregated" else "GET"
    return Route(method, name, requests, failures, p95_s, p95_s, p95_s, p95_s, requests / 600)


TESTED = LoadFacts(
    made_now=False,
    host="https://staging.example",
    allowed_hosts=("https://staging.example",),
    users=20,
    wanted_users=20,
    rps=50,
    wanted_rps=50,
    duration_s=600,
    commit="a" * 40,
    released_commit="a" * 40,
    started_at=(NOW - timedelta(days=2)).isoformat(),
    stopped=(),
    altered=(),
    total=route("Aggregated", 30_000),
    routes=(route("/a", 29_000), route("/b", 1000)),
    errors=(),
    exceptions=(),
    users_peak=20,
    seconds=600.0,
    critical=("/b",),
    saturation=(Saturation("memory", "app", 0.5), Saturation("processors", "app", 0.7)),
    distribution=HISTOGRAM,
    per_route=BARS,
    throughput=SERIES,
)


def load_test(**changes: Any) -> LoadFacts:
    """Return the good load test with something changed."""
    return replace(TESTED, **changes)


@pytest.mark.parametrize(
    "facts",
    [
        TESTED,
        load_test(commit="a" * 12),
        load_test(allowed_hosts=("staging.example",)),
        load_test(total=route("Aggregated", 30_000, 200)),
        load_test(wanted_users=0, wanted_rps=0, critical=(), saturation=()),
        load_test(seconds=598.0),
        load_test(made_now=True, started_at=(NOW + timedelta(minutes=20)).isoformat()),
        load_test(routes=(route("/a"), route("/b", 60), route("/b", 60))),  # one name, two methods
    ],
    ids=[
        "plain",
        "short commit",
        "bare host",
        "few failures",
        "nothing wanted",
        "ramp",
        "now",
        "two methods",
    ],
)
def test_good_load_tests_pass(facts: LoadFacts) -> None:
    """What makes no difference is not held against a load test."""
    CHECKS["test_load"](facts, LIMITS, NOW)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            load_test(total=route("Aggregated", 0, p95_s=None), stopped=("no login",)),
            "no request at all; no login",
        ),
        (load_test(stopped=("stopped early",)), "was stopped: stopped early"),
        (load_test(altered=("x_stats.csv",)), "not as Locust wrote them: x_stats.csv"),
        (load_test(host="https://mock.example"), "went to https://mock.example"),
        (load_test(host="http://staging.example"), "went to http://staging.example"),
        (load_test(host="https://staging.example:8443"), "went to https://staging.example:8443"),
        (load_test(total=route("Aggregated", 30_000, 1500)), "1500 requests failed"),
        (load_test(exceptions=(("KeyError", 3),)), "KeyError"),
        (load_test(users=5, users_peak=5), "fewer users than load.users"),
        (load_test(rps=10), "than load.rps asks for"),
        (load_test(duration_s=60), "too short"),
        (load_test(total=route("Aggregated", 28_600, 200)), "28400 good requests where 30000 were due"),
        (load_test(users_peak=4), "there were 4 users at most"),
        (load_test(seconds=300.0), "was over after 300 s"),
        (load_test(total=route("Aggregated", 30_000, p95_s=1.1)), "slow under load"),
        (load_test(total=route("Aggregated", 30_000, p95_s=None)), "has no times"),
        (load_test(routes=(route("/a"),)), "/b is critical and was answered too rarely"),
        (load_test(routes=(route("/b", 200, 150),)), "/b is critical and was answered too rarely"),
        (load_test(routes=(route("/a"), route("/b", p95_s=1.2))), "/b is slow under load"),
        (load_test(routes=(route("/a", p95_s=3.5), route("/b"))), "/a takes very long"),
        (load_test(saturation=(Saturation("memory", "app", 0.9),)), "memory of app at 90%"),
        (load_test(saturation=(Saturation("processors", "app", 0.95),)), "processors of app at 95%"),
        (load_test(saturation=(Saturation("connections", "PostgreSQL", 0.9),)), "connections of PostgreSQL"),
        (load_test(commit="b" * 40), "of another commit"),
        (load_test(commit="aaa"), "of another commit"),
        (load_test(started_at=(NOW + timedelta(hours=1)).isoformat()), "claims to have begun"),
    ],
)
def test_bad_load_tests_fail(facts: LoadFacts, words: str) -> None:
    """Nothing, too little, elsewhere, broken, slow, saturated or of another release: each is named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        CHECKS["test_load"](facts, LIMITS, NOW)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (load_test(allowed_hosts=()), Reason.NO_CONFIG),
        (load_test(released_commit=""), Reason.NO_CONFIG),
        (load_test(users_peak=None, seconds=None), Reason.NO_EVIDENCE),
        (load_test(started_at=(NOW - timedelta(days=31)).isoformat()), Reason.STALE),
    ],
)
def test_load_tests_that_cannot_be_placed_are_unproven(facts: LoadFacts, reason: Reason) -> None:
    """Without a host that counts, a release, a course or freshness a good number proves nothing."""
    with pytest.raises(Unproven) as why:
        CHECKS["test_load"](facts, LIMITS, NOW)
    assert why.value.reason is reason
