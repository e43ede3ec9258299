"""The check of item 47 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.plots import Bars, Histogram
from pytest_deploycheck.probes.latency import EndpointTimes, LatencyFacts
from pytest_deploycheck.probes.latency_server import RouteTimes, ServerTimes
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_performance.py")
LIMITS = Limits()

BARS, HISTOGRAM = Bars("", "", ()), Histogram("", "", ())


def endpoint(path: str, seconds: float = 0.05, **changes: Any) -> EndpointTimes:
    """Return twenty good answers of a path, all as slow as each other."""
    base = EndpointTimes(
        path=path,
        statuses=(200,) * 20,
        limited=0,
        invalid=0,
        cached=0,
        silent=0,
        ttfb_s=(seconds,) * 20,
        total_s=(seconds,) * 20,
    )
    return replace(base, **changes)


def latency(*endpoints: EndpointTimes, **changes: Any) -> LatencyFacts:
    """Return ten quick endpoints, some of them replaced by others."""
    replaced = {one.path: one for one in endpoints}
    paths = ["/health", *(f"/{number}" for number in range(9))]
    base = LatencyFacts(
        logged_in=True,
        connect_s=0.01,
        endpoints=tuple(replaced.get(path) or endpoint(path) for path in paths),
        beyond_health=tuple(paths[1:]),
        server=ServerTimes("http_request_duration_seconds", 900, (), declared=False),
        distribution=HISTOGRAM,
        per_endpoint=BARS,
    )
    return replace(base, **changes)


def server(*routes: tuple[str, float, float], declared: bool = False) -> ServerTimes:
    """Return the server's routes as (route, 95th percentile in s, requests per second)."""
    return ServerTimes("d", 900, tuple(RouteTimes(*one) for one in routes), declared, "no traffic in d")


@pytest.mark.parametrize(
    "facts",
    [
        latency(),
        latency(endpoint("/3", 2.5)),  # most, not all
        latency(endpoint("/3", statuses=(201,) * 20)),
        latency(endpoint("/3", statuses=(), limited=20, total_s=(), ttfb_s=())),
        latency(endpoint("/3", cached=20, total_s=(), ttfb_s=())),
        latency(endpoint("/3", total_s=(0.1,) * 19 + (2.9,))),  # one hiccup in twenty
        latency(logged_in=False, connect_s=None),
        latency(server=server(("/a", 0.2, 10), ("/report", 9.0, 0.5))),  # slow, but nearly nobody asks
    ],
    ids=["quick", "one slow", "201", "limited", "cached", "hiccup", "nobody logged in", "rare slow route"],
)
def test_quick_services_pass(facts: LatencyFacts) -> None:
    """Correct services of other shapes than the demo's are not accused."""
    CHECKS["test_latency"](facts, LIMITS)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (latency(endpoint("/3", 1.1), endpoint("/4", 1.1)), "2 of 10 endpoints are slow"),
        (latency(endpoint("/3", 3.1)), "/3 takes 3.10 s"),
        (latency(endpoint("/3", 0.001, statuses=(404,) * 20, total_s=())), r"/3 answers [404]"),
        (latency(endpoint("/3", statuses=(200,) * 19 + (503,))), r"/3 answers [503]"),
        (latency(endpoint("/3", statuses=(302,) * 20, total_s=())), r"/3 answers [302]"),
        (latency(endpoint("/3", statuses=(304,) * 20, total_s=())), r"/3 answers [304]"),
        (latency(endpoint("/3", invalid=1)), "without valid JSON"),
        (latency(endpoint("/3", silent=1)), "/3 gave no answer in time"),
        (latency(endpoints=()), "no endpoint was asked"),
        (latency(server=server(("/a", 1.2, 10), ("/b", 0.1, 10))), "50% of the requests go to slow routes"),
    ],
)
def test_slow_and_wrong_services_fail(facts: LatencyFacts, words: str) -> None:
    """What is slow, silent, or fast because it is wrong is named."""
    with pytest.raises(AssertionError, match=re.escape(words)):
        CHECKS["test_latency"](facts, LIMITS)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (latency(beyond_health=()), Reason.NO_EVIDENCE),
        (latency(endpoints=(endpoint("/0", cached=20, total_s=(), ttfb_s=()),)), Reason.NO_EVIDENCE),
        (latency(server=server(declared=True)), Reason.NO_TRAFFIC),
    ],
    ids=["health only", "cache only", "declared metric without traffic"],
)
def test_nothing_timed_proves_nothing(facts: LatencyFacts, reason: Reason) -> None:
    """Health alone, a cache alone, or a declared histogram that nobody fills is no proof."""
    with pytest.raises(Unproven) as why:
        CHECKS["test_latency"](facts, LIMITS)
    assert why.value.reason is reason
