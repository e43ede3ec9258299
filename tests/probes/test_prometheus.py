"""The Prometheus probe against servers of several versions and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.probes.prometheus import PrometheusFacts, _growth, _retention_s
from tests.probes.service import Asked, Reply, look, serving

NOW = 1795500060.0


@pytest.mark.parametrize(
    ("setting", "days"),
    [("15d", 15.0), ("30d or 50GiB", 30.0), ("1y2w", 379.0), ("50GiB", None), ("", None), ("360h", 15.0)],
)
def test_retention_is_read_in_every_form(setting: str, days: float | None) -> None:
    """A bound of time, of size, or of both."""
    found = _retention_s(setting)
    assert (found / 86_400 if found is not None else None) == days


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        ({"a": 5.0, "b": 7.0}, {"a": 8.0, "b": 9.0}, 5.0),
        ({"a": 100.0}, {"a": 3.0}, 3.0),  # restarted meanwhile
        ({"a": 100.0}, {"b": 6.0}, 6.0),  # replaced meanwhile
        ({}, {}, None),
    ],
)
def test_counters_may_start_again(
    before: dict[str, float], after: dict[str, float], grown: float | None
) -> None:
    """A restarted or replaced instance counts from zero."""
    assert _growth(before, after) == grown


class FakePrometheus:
    """Prometheus and the product in one server; counts the product's requests when it is told to."""

    def __init__(self, **shape: Any) -> None:
        self.shape = shape
        self.requests = 100

    def __call__(self, asked: Asked) -> Reply:
        """Answer for both."""
        path = asked.path.removeprefix("/api/v1/")
        if asked.path == "/-/ready":
            return Reply(200, "ready")
        if path == "status/runtimeinfo":
            return (
                self.data({"reloadConfigSuccess": True, "storageRetention": "15d"})
                if not self.shape.get("bare")
                else Reply(404)
            )
        if path == "status/buildinfo" and self.shape.get("exposed"):
            return Reply(200, '{"status":"success","data":{"version":"3.1.0","goVersion":"go1.23"}}')
        if path == "targets":
            return self.data({"activeTargets": [self.target()], **self.shape.get("dropped", {})})
        if path == "query":
            return self.query(asked.query["query"][0])
        if asked.path == "/auth/login":
            return Reply(200, {"access_token": "a-token-of-the-account"})
        if asked.path == "/me" and self.shape.get("counts", True):
            self.requests += 1
        return Reply(200 if asked.path in ("/me", "/health") else 404)

    def target(self) -> dict[str, Any]:
        """Return the one target."""
        return {
            "labels": {"job": "app", "instance": "a:1"},
            "health": "up",
            "lastScrape": "2026-11-24T06:00:51.123456789+00:00",
            "lastError": "",
            "scrapeInterval": "15s",
        }

    def query(self, text: str) -> Reply:
        """Answer a few queries; others have no series."""
        known = {
            "sum by (instance) (http_requests_total)": self.requests,
            "avg_over_time(up": 1,
            "count_over_time(up": 240,
            "sum by (job) (count_over_time": 240,
            "sum by (job) (sum_over_time": 239,
            "scrape_samples_scraped": 88,
            "time() - min(prometheus_tsdb": 86_400 * 20,
        }
        if text in ("time()", "vector(1)"):
            return self.data({"resultType": "scalar", "result": [0, str(NOW)]})
        found = [value for begin, value in known.items() if text.startswith(begin)]
        rows = [
            {"metric": {"job": "app", "instance": "a:1"}, "value": [0, str(value)]} for value in found[:1]
        ]
        return self.data({"resultType": "vector", "result": rows})

    def data(self, data: Any) -> Reply:
        """Return data as the API wraps it."""
        return Reply(200, {"status": "success", "data": data})


def prometheus(tmp_path: Path, fake: FakePrometheus) -> PrometheusFacts:
    """Look with the probe."""
    with serving(fake) as base:
        seen = look(tmp_path, base, "prometheus", f'[prometheus]\nurl = "{base}"\njobs = {{ app = 1 }}\n')
    assert isinstance(seen.facts, PrometheusFacts), seen.detail
    return seen.facts


def test_requests_of_the_api_itself_are_counted(tmp_path: Path) -> None:
    """Health checks are often not counted; a request of the test account is."""
    facts = prometheus(tmp_path, FakePrometheus())
    assert facts.movement is not None
    assert (facts.movement.path, facts.movement.sent, facts.movement.grown) == ("/me", 5, 5.0)
    assert (facts.targets[0].age_s, facts.targets[0].samples, facts.targets[0].up_ratio) == (8.877, 88, 1)
    assert [(s.job, s.kept, s.good) for s in facts.scrapes] == [("app", 240, 239)]
    assert facts.exposed == ()


def test_dropped_targets_are_counted_by_old_and_new_servers(tmp_path: Path) -> None:
    """Old versions list them, new ones count them."""
    old = {"droppedTargets": [{"discoveredLabels": {"job": "db"}}, {"discoveredLabels": {"job": "db"}}]}
    for shape in (old, {"droppedTargets": [], "droppedTargetCounts": {"db": 2, "app": 0}}):
        assert prometheus(tmp_path, FakePrometheus(dropped=shape)).dropped == (("db", 2),)


def test_compatible_servers_tell_less(tmp_path: Path) -> None:
    """Without the status API nothing is said of reloads and retention."""
    facts = prometheus(tmp_path, FakePrometheus(bare=True))
    assert (facts.reload_ok, facts.retention, facts.retention_s) == (None, "", None)


def test_a_public_prometheus_is_seen(tmp_path: Path) -> None:
    """Where the public door passes everybody on to it, that is a fact."""
    assert prometheus(tmp_path, FakePrometheus(exposed=True)).exposed == ("/api/v1/status/buildinfo",)
