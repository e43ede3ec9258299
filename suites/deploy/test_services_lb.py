"""Deployment Process, Service Deployment: the load balancer (item 39)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import forwarding
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.balance import BalanceFacts
    from pytest_deploycheck.probes.edge import EdgeFacts

LB = "Load balancer configured"
UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


@pytest.mark.checklist("deploy.services.lb", text=LB)
def test_lb(edge_facts: EdgeFacts, limits: Limits) -> None:
    """Requests go to backends that are in use, and a backend that is away holds nobody up."""
    assert edge_facts.stale is not True, (
        "nginx's files are newer than its workers: what they say is not in force"
    )
    assert edge_facts.upstreams, "the edge hands nothing on to any backend"
    for group in edge_facts.upstreams:
        assert group.members, f"upstream {group.name} has no backend in use: all are down or for emergencies"
    if edge_facts.mode == "multi":
        most = max(len(group.members) for group in edge_facts.upstreams)
        assert most >= edge_facts.min_backends, f"no upstream has {edge_facts.min_backends} backends in use"
    for found in edge_facts.proxied:
        waits_s = seconds(found.connect_timeout or "60s")
        assert waits_s <= limits.lb_connect_timeout_max_s, (
            f"{found.server} {found.place}: a backend that is away is waited for {waits_s:g} s "
            f"(proxy_connect_timeout{'' if found.connect_timeout else ', by default'})"
        )


@pytest.mark.checklist("deploy.services.lb", text=LB)
def test_lb_tells_the_client(edge_facts: EdgeFacts) -> None:
    """The application learns the client's own address, the scheme and the host, and nothing forged."""
    assert edge_facts.proxied, "the edge hands nothing on to any backend"
    for found in edge_facts.proxied:
        where = f"{found.server} {found.place}"
        told = forwarding.told_truly(found.forwarded_for, found.real_ip, edge_facts.client_ip)
        assert told != "forged", (
            f"{where}: X-Forwarded-For is {found.forwarded_for or 'left as the client sent it'}"
        )
        assert found.forwarded_proto, f"{where}: X-Forwarded-Proto is left as the client sent it"
        assert "$http_" not in found.forwarded_proto, f"{where}: X-Forwarded-Proto is what the client sent"
        assert found.host, f"{where}: Host is the upstream's name, not the one asked for"
        if told == "appended":
            unproven(
                Reason.NO_CONFIG,
                'X-Forwarded-For is appended to what the client sent; set lb.client_ip = "rightmost" '
                "if the application counts its proxies from the right",
            )


@pytest.mark.checklist("deploy.services.lb", text=LB)
def test_lb_serves(balance_facts: BalanceFacts, edge_facts: EdgeFacts) -> None:
    """Every backend in use answers, each request succeeds, and a forged address does not come back."""
    assert balance_facts.requests > 0, "nothing was asked"
    refused = {status: times for status, times in balance_facts.statuses if not 200 <= status < 300}
    assert not refused, (
        f"of {balance_facts.requests} requests to {balance_facts.path} these failed: {refused}"
    )
    assert not balance_facts.echoed, f"{balance_facts.path} tells back a forged X-Forwarded-For"
    if balance_facts.mode != "multi":
        return
    if not balance_facts.header:
        unproven(
            Reason.NO_EVIDENCE,
            "no answer says which instance it came from; add such a header and name it in lb.instance_header",
        )
    seen = len(balance_facts.instances)
    assert seen >= balance_facts.min_backends, f"only {seen} instances answered: {balance_facts.instances}"
    members = max((len(group.members) for group in edge_facts.upstreams), default=0)
    assert seen >= members, f"{seen} instances answered, but {members} backends are configured"


def seconds(text: str) -> float:
    """Return an nginx time (`500ms`, `10s`, `1m 30s`, `5`) in seconds."""
    parts = re.findall(r"(\d+)(ms|s|m|h|)(?=\d|\s|$)", text)
    assert parts, f"{text!r} is no time that nginx knows"
    return sum(int(number) * UNITS_S[unit] for number, unit in parts)
