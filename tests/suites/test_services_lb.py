"""The checks of the load balancer, on made-up facts of which one is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.balance import BalanceFacts
from pytest_deploycheck.probes.edge_facts import EdgeFacts, Proxied, Upstream
from suites.deploy import test_services_lb as lb

PROXIED = Proxied(
    "shop.test (a:1)", "/", "shop", "$remote_addr", "$remote_addr", "$scheme", "$host", "2s", "30s"
)
EDGE = EdgeFacts(
    answers=(),
    telling=(),
    limited=(),
    proxied=(PROXIED,),
    upstreams=(Upstream("shop", ("10.0.0.1:80", "10.0.0.2:80"), (), ()),),
    real_ip_from=(),
    real_ip_header="",
    lb_cidrs=(),
    stale=False,
    html=False,
    hsts_subdomains=False,
    exempt=(),
    mode="multi",
    min_backends=2,
    client_ip="only",
)
BALANCE = BalanceFacts("/health", 20, ((200, 20),), "instance", (("a", 10), ("b", 10)), False, "multi", 2)


def test_healthy() -> None:
    """A balancer with two backends, both of which answer, passes; so does a single server without a name."""
    lb.test_lb(EDGE, Limits())
    lb.test_lb_tells_the_client(EDGE)
    lb.test_lb_serves(BALANCE, EDGE)
    alone = replace(EDGE, mode="single", upstreams=(Upstream("app:80", ("app:80",), (), ()),))
    lb.test_lb(alone, Limits())
    lb.test_lb_serves(replace(BALANCE, mode="single", header="", instances=()), alone)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"statuses": ((200, 19), (502, 1))}, "failed"),
        ({"instances": (("a", 20),)}, "only 1 instances"),
        ({"echoed": True}, "forged"),
        ({"requests": 0}, "nothing"),
    ],
)
def test_wire(changes: dict[str, object], why: str) -> None:
    """A backend that does not answer, or an address that comes back, is a failure."""
    with pytest.raises(AssertionError, match=why):
        lb.test_lb_serves(replace(BALANCE, **changes), EDGE)  # type: ignore[arg-type]


def test_a_backend_beyond_the_minimum_is_missed() -> None:
    """Three backends of which two answer are one dead backend."""
    three = replace(EDGE, upstreams=(Upstream("shop", ("a:1", "b:1", "c:1"), (), ()),))
    with pytest.raises(AssertionError, match="3 backends"):
        lb.test_lb_serves(BALANCE, three)


def test_nobody_says_who_answered() -> None:
    """Where no answer names its instance, that both serve is not seen."""
    with pytest.raises(Unproven, match="instance_header"):
        lb.test_lb_serves(replace(BALANCE, header="", instances=()), EDGE)


@pytest.mark.parametrize(
    ("text", "s"), [("500ms", 0.5), ("10s", 10), ("1m 30s", 90), ("5", 5), ("1m30s", 90), ("1h", 3600)]
)
def test_times(text: str, s: float) -> None:
    """Times of nginx in seconds."""
    assert lb.seconds(text) == s
