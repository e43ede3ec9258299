"""The background users: every route gets requests, orders are placed, and trouble at the edge is sat out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from pytest_deploycheck.demo import traffic
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.process import Daemon
from tests.demo.api import Api
from tests.demo.web import eventually

_SERIES = re.compile(r'http_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\} ([\d.]+)')


@pytest.fixture
def users(served: Deployment) -> Iterator[Daemon]:
    """Run the background users on the service."""
    daemon = traffic.daemon(served.world)
    daemon.start()
    daemon.wait_ready()
    yield daemon
    daemon.stop()


def counts(deployment: Deployment) -> dict[tuple[str, str, str], float]:
    """Add up both instances' requests by method, route and status."""
    total: dict[tuple[str, str, str], float] = {}
    for name in ("app1", "app2"):
        for method, route, status, count in _SERIES.findall(Api(deployment.world, name).ask("/metrics").text):
            total[method, route, status] = total.get((method, route, status), 0) + float(count)
    return total


def test_every_route_is_used_and_nothing_fails(served: Deployment) -> None:
    """When the burst is over each operation of the API has been answered, none of them with a refusal."""
    before = counts(served)
    daemon = traffic.daemon(served.world)
    daemon.start()
    try:
        daemon.wait_ready()
        after = counts(served)
        new = {key: count - before.get(key, 0) for key, count in after.items() if count > before.get(key, 0)}
        document = Api(served.world).ask("/openapi.json").json
        used = {(method, route) for method, route, _ in new}
        operations = {
            (method.upper(), route) for route, methods in document["paths"].items() for method in methods
        }
        # One comes after a minute, the other is for pages, of which there are none.
        assert operations - used == {("POST", "/auth/refresh"), ("GET", "/config")}
        assert {status for _, _, status in new} <= {"200", "201", "204"}
    finally:
        daemon.stop()


def test_orders_go_on_and_are_settled(served: Deployment, users: Daemon) -> None:
    """Purchases and redemptions keep coming, and the accounts that checks look at take part."""
    api = Api(served.world)
    assert {one["kind"] for one in api.ask("/wallets/1/history", token=api.token()).json["events"]} == {
        "purchase",
        "redemption",
    }
    before = counts(served)["POST", "/token/redeem", "201"]
    assert eventually(lambda: counts(served)["POST", "/token/redeem", "201"] >= before + 2, within_s=30)
    assert eventually(lambda: api.ask("/chain").json["queue_depth"] == 0, within_s=10)


def test_trouble_at_the_edge_is_sat_out(served: Deployment, users: Daemon) -> None:
    """While nobody answers the users wait, and afterwards they go on."""
    served.service("nginx").stop()
    try:
        time.sleep(1.5)
        assert users.running
    finally:
        served.service("nginx").start()
        served.service("nginx").wait_ready()
    before = sum(counts(served).values())
    assert eventually(lambda: sum(counts(served).values()) > before + 5, within_s=20)


def test_users_have_an_address_of_their_own(served: Deployment, users: Daemon) -> None:
    """The edge sees them come from 127.0.0.9, so that they use up nobody's rate limit."""
    log = served.world.path("logs", "nginx-access.jsonl")
    assert eventually(lambda: '"remote_addr":"127.0.0.9"' in log.read_text(), within_s=10)
