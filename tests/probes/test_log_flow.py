"""The log flow probe: what steadiness means, and a Loki of other shapes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.probes.log_flow import LogFlowFacts, steadiness
from tests.probes.service import Asked, Reply, look, serving


@pytest.mark.parametrize(
    ("counts", "busy", "gap_s"),
    [
        ([5] * 20, True, 0),
        ([0] * 15 + [5] * 5, True, 0),  # began lately
        ([5] * 10 + [0] * 10, True, 0),  # ended: the newest line's age tells
        ([5] * 8 + [0] * 4 + [5] * 8, True, 160),
        ([20] + [0] * 19, False, 0),  # a start, then silence: a quiet service
        ([20] * 4 + [0] * 16, False, 0),  # a long start
        ([3] + [0] * 18 + [2], False, 720),
        ([0] * 20, False, 0),
        ([5, 5], False, 0),  # too young to tell
        ([1, 0, 0, 1, 0, 0, 1, 0, 1], False, 80),
    ],
)
def test_only_steady_services_can_fall_silent(counts: list[int], busy: bool, gap_s: float) -> None:
    """Bursts, quiet services and young ones are not held to any rhythm."""
    assert steadiness(counts, 40, 0.67, 200) == (busy, gap_s)


class FakeLoki:
    """A Loki that holds what the product logged of each request, and lines of two services."""

    def __init__(self, **shape: Any) -> None:
        self.lines: list[tuple[float, str, str]] = []
        self.shape = shape
        self.tenants: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        """Answer for the product and for Loki."""
        if not asked.path.startswith(("/ready", "/loki", "/config")):
            where = self.shape.get(
                "logged", lambda request: f"{request.path} {request.headers['user-agent']}"
            )
            at = time.time() + self.shape.get("skew", 0.0)
            self.lines.append((at, "edge", where(asked)))
            return Reply()
        self.tenants.add(asked.headers.get("x-scope-orgid", ""))
        if asked.path == "/config":
            config = self.shape.get("config")
            return Reply(200, config) if config else Reply(404)
        if asked.path == "/ready":
            return Reply(200, "ready")
        return self.query(asked.query)

    def query(self, query: dict[str, list[str]] | Any) -> Reply:
        """Answer a range query of lines or counts."""
        text, start, end = query["query"][0], int(query["start"][0]), int(query["end"][0])
        if text.startswith("sum by"):
            if self.shape.get("counts") is False:
                return Reply(400, "too many outstanding requests")
            step = int(query["step"][0])
            moments = range(start // 10**9, end // 10**9 + 1, step)
            rows = [{"metric": {"service": "edge"}, "values": [[at, "30"] for at in moments]}]
            return Reply(200, {"status": "success", "data": {"resultType": "matrix", "result": rows}})
        wanted = re.search(r'\|= "(.*?)"', text)
        service = re.search(r'service="(\w+)"', text)
        known = [*self.lines, (time.time() - 7200, "quiet", "started"), *self.shape.get("old", ())]
        found = [
            (at, name, line)
            for at, name, line in known
            if start <= at * 1e9 < end
            and (wanted is None or wanted[1] in line)
            and (service is None or service[1] == name)
        ]
        rows = [
            {"stream": {"service": name}, "values": [[str(int(at * 1e9)), line]]} for at, name, line in found
        ]
        return Reply(200, {"status": "success", "data": {"resultType": "streams", "result": rows}})


def flow(tmp_path: Path, loki: FakeLoki, more: str = "") -> LogFlowFacts:
    """Look at the fake with the probe."""
    with serving(loki) as base:
        section = f'[logs]\nurl = "{base}"\nservices = ["edge", "quiet"]\n{more}\n'
        text = "logs_round_trip_s = 1\n" + section
        seen = look(tmp_path, base, "log_flow", text)
    assert isinstance(seen.facts, LogFlowFacts), seen.detail
    return seen.facts


@pytest.mark.parametrize(
    "logged",
    [
        lambda request: f"{request.path}?dc={request.query.get('dc', [''])[0]}",
        lambda request: request.headers["user-agent"],
        lambda request: f'{{"request_id": "{request.headers.get("x-request-id")}"}}',
        lambda request: request.headers["user-agent"] if request.path != "/health" else "-",
    ],
    ids=["query", "user agent", "request id", "health checks not logged"],
)
def test_the_nonce_is_found_wherever_it_is_logged(tmp_path: Path, logged: Callable[[Asked], str]) -> None:
    """Services log the query, the client's name or the request id, and often no health checks."""
    facts = flow(tmp_path, FakeLoki(logged=logged))
    assert facts.round_trip is not None
    assert facts.round_trip.arrived_s is not None
    assert facts.round_trip.found_in == ("edge",)
    assert facts.round_trip.skew_s is not None and abs(facts.round_trip.skew_s) < 1


def test_a_misread_time_zone_is_seen(tmp_path: Path) -> None:
    """Lines stamped two hours early are found all the same, and tell by how much they are off."""
    facts = flow(tmp_path, FakeLoki(skew=-7200.0))
    assert facts.round_trip is not None and facts.round_trip.skew_s is not None
    assert facts.round_trip.skew_s == pytest.approx(-7200, abs=3)


def test_what_is_never_logged_is_a_fact(tmp_path: Path) -> None:
    """Without any line the round trip did not arrive; services that log nothing have no age."""
    facts = flow(tmp_path, FakeLoki(logged=lambda request: "-"))
    assert facts.round_trip is not None and facts.round_trip.arrived_s is None


def test_busy_and_quiet_services_are_told_apart(tmp_path: Path) -> None:
    """A service with two lines a day is there, but cannot be late."""
    edge, quiet = flow(tmp_path, FakeLoki()).services
    assert edge.busy and edge.longest_gap_s == 0
    assert not quiet.busy and quiet.newest_age_s == pytest.approx(7200, abs=5) and quiet.lines == 0


def test_a_backend_that_refuses_counts_is_said(tmp_path: Path) -> None:
    """Counts that are refused are no zeros."""
    assert {service.lines for service in flow(tmp_path, FakeLoki(counts=False)).services} == {None}


CONFIG = "auth_enabled: true\nlimits_config:\n  reject: true\n  retention_period: %s\ncompactor:\n  retention_enabled: %s\n"


@pytest.mark.parametrize(
    ("config", "days", "keeps_all"),
    [
        (CONFIG % ("744h", "true"), 31.0, False),
        (CONFIG % ("4w2d", "true"), 30.0, False),
        (CONFIG % ("744h", "false"), None, True),  # without the compactor nothing is deleted
        (CONFIG % ("0s", "true"), None, True),
        ("limits_config:\n  a: b\ntable_manager:\n  retention_period: 24h\n", None, True),
    ],
)
def test_retention_is_what_is_in_force(
    tmp_path: Path, config: str, days: float | None, keeps_all: bool
) -> None:
    """The compactor deletes, by the period of the limits; a period elsewhere is not it."""
    facts = flow(tmp_path, FakeLoki(config=config))
    assert (facts.retention_d, facts.keeps_all) == (days, keeps_all)


def test_an_old_line_proves_retention_too(tmp_path: Path) -> None:
    """Hosted Loki shows no configuration; a line of 31 days ago says enough, and none says nothing."""
    old = [(time.time() - 31 * 86_400, "edge", "old")]
    assert flow(tmp_path, FakeLoki(old=old)).retention_d == 30
    assert flow(tmp_path, FakeLoki()).retention_d is None


def test_the_tenant_is_named(tmp_path: Path) -> None:
    """Every query carries the tenant of the target file."""
    loki = FakeLoki()
    flow(tmp_path, loki, 'tenant = "shop"')
    assert "shop" in loki.tenants
