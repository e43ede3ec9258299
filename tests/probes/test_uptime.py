"""The uptime probe: Uptime Kuma's metrics, exporters here and elsewhere, and what the edge's log shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pytest_deploycheck.probes.uptime import UptimeFacts
from pytest_deploycheck.probes.uptime_monitors import elsewhere, parse_kuma, plain
from tests.probes.service import Asked, Reply, look, serving

KUMA = """\
# HELP monitor_status Monitor Status (1 = UP, 0= DOWN, 2= PENDING, 3= MAINTENANCE)
# TYPE monitor_status gauge
monitor_status{monitor_name="Health",monitor_type="keyword",monitor_url="https://127.0.0.2/health",monitor_hostname="null",monitor_port="null"} 1
monitor_status{monitor_name="Site \\"main\\"",monitor_type="http",monitor_url="https://127.0.0.2/",monitor_hostname="null"} 0
monitor_status{monitor_name="Later",monitor_type="http",monitor_url="https://127.0.0.2/x"} 3
monitor_cert_days_remaining{monitor_name="Health",monitor_type="keyword",monitor_url="https://127.0.0.2/health"} 53
"""


def test_kumas_metrics_are_read() -> None:
    """Keyword monitors look at content; what is in maintenance is not at work; quotes in names do no harm."""
    health, site = parse_kuma(KUMA, "status.example.invalid", "")
    assert (health.url, health.up, health.content, health.watches_cert) == (
        "https://127.0.0.2/health",
        True,
        True,
        True,
    )
    assert (site.url, site.up, site.content, site.watches_cert) == ("https://127.0.0.2/", False, False, False)
    assert health.external is None  # the monitor's own name does not resolve here


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example:443/health", "https://A.example/health"),
        ("http://a.example:80", "http://a.example/"),
        ("https://a.example/x/", "https://a.example/x"),
    ],
)
def test_addresses_have_one_spelling(one: str, other: str) -> None:
    """Default ports, capitals and a last slash make no other address; scheme, port and query do."""
    assert plain(one) == plain(other)
    assert len({plain(f"{url}/h") for url in ("http://a", "https://a", "https://a:8443")}) == 3
    assert plain("https://a/h?x=1") != plain("https://a/h")


def test_loopback_is_never_elsewhere() -> None:
    """A monitor on the machine itself, whatever it calls itself."""
    assert elsewhere("localhost", "127.0.0.1") is False
    assert elsewhere("127.0.0.1", "192.0.2.1") is False
    assert elsewhere("192.0.2.7", "192.0.2.1") is True
    assert elsewhere("no-such-name.invalid", "192.0.2.1") is None


class World:
    """The product, Prometheus, a blackbox exporter and Loki in one server."""

    def __init__(self, **shape: Any) -> None:
        self.shape = shape
        self.base = ""
        self.lines: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        """Answer for all of them."""
        url = f"{self.base}/health"
        if asked.path == "/config":
            return Reply(200, self.shape.get("config", "modules: {https: {prober: http, http: {}}}"))
        if asked.path == "/api/v1/targets":
            scrape = f"http://{self.shape.get('exporter', '192.0.2.7')}:9115/probe?module=https&target={quote(url, safe='')}"
            target = {
                "labels": {"job": "bb", "instance": "health", **self.shape.get("labels", {})},
                "scrapeUrl": scrape,
                "scrapeInterval": "1m",
                "lastScrape": "2026-11-24T06:00:00Z",
            }
            return self.data({"activeTargets": [] if self.shape.get("paused") else [target]})
        if asked.path == "/api/v1/rules":
            return self.data(
                {"groups": [{"rules": [{"type": "alerting", "name": "Down", "query": "probe_success == 0"}]}]}
            )
        if asked.path == "/api/v1/alertmanagers":
            return self.data({"activeAlertmanagers": [{"url": "http://am"}]})
        if asked.path == "/api/v1/query":
            if asked.query["query"] == ["time()"]:
                return self.data({"resultType": "scalar", "result": [0, "1795500030"]})
            value = {"probe_success": "1", "probe_http_status_code": "200"}.get(asked.query["query"][0])
            rows = [{"metric": {"job": "bb", "instance": "health"}, "value": [0, value]}] if value else []
            return self.data({"resultType": "vector", "result": rows})
        if asked.path == "/loki/api/v1/query_range":
            return self.logged(asked.query["query"][0])
        agent = asked.headers["user-agent"] if self.shape.get("agents", True) else "-"
        self.lines.append(f"GET {asked.path} {agent}")
        return Reply()

    def logged(self, query: str) -> Reply:
        """Answer the lines of our own requests, or those of the monitor."""
        visits = [f"GET {path} Blackbox Exporter/0.25" for path in self.shape.get("visits", ())]
        found = visits if "(?i)" in query else [line for line in self.lines if "eyes-" in line]
        values = [[str(time.time_ns() - n), line] for n, line in enumerate(found)]
        return self.data(
            {"resultType": "streams", "result": [{"stream": {"service": "edge"}, "values": values}]}
        )

    def data(self, data: Any) -> Reply:
        """Return data as the APIs wrap it."""
        return Reply(200, {"status": "success", "data": data})


def uptime(
    tmp_path: Path, world: World, more: str = "", *, logs: bool = True, exporter: bool = True
) -> UptimeFacts:
    """Look with the probe."""
    with serving(world) as base:
        world.base = base
        text = f'logs_round_trip_s = 0.5\n[uptime]\nkind = "blackbox"\nurl = "{base}"\nurls = ["{base}/health"]\n{more}\n'
        text += f'exporter = "{base}"\n' if exporter else ""
        text += f'[logs]\nurl = "{base}"\nservices = ["edge"]\n' if logs else ""
        seen = look(tmp_path, base, "uptime", text)
    assert isinstance(seen.facts, UptimeFacts), seen.detail
    return seen.facts


def test_a_monitor_elsewhere_that_is_seen_at_the_edge(tmp_path: Path) -> None:
    """Address, interval, age, alerts, notifiers and visits are told together."""
    facts = uptime(tmp_path, World(visits=("/health", "/health", "/healthz")))
    (monitor,) = facts.of(facts.required[0])
    assert (monitor.up, monitor.status, monitor.interval_s, monitor.age_s) == (True, 200, 60.0, 30.0)
    assert (monitor.external, monitor.content) == (True, False)
    assert (facts.alerts, facts.notifiers) == (("Down",), 1)
    assert facts.visits is not None and [visit.seen for visit in facts.visits] == [2]


@pytest.mark.parametrize(
    ("config", "content"),
    [
        ('modules: {https: {prober: http, http: {fail_if_body_not_matches_regexp: ["ok"]}}}', True),
        ("modules: {https: {prober: http, http: {fail_if_body_json_not_matches_cel: body.ok}}}", True),
        (
            "modules: {other: {prober: http, http: {fail_if_body_not_matches_regexp: [ok]}}, https: {prober: http}}",
            False,
        ),
    ],
)
def test_content_is_what_the_exporters_module_says(tmp_path: Path, config: str, content: bool) -> None:
    """The module that the target names decides, not another one."""
    facts = uptime(tmp_path, World(config=config), logs=False)
    assert [monitor.content for monitor in facts.monitors] == [content]


@pytest.mark.parametrize(
    ("shape", "more", "external"),
    [
        ({"exporter": "127.0.0.1"}, "", False),
        ({"exporter": "exporter.invalid"}, "", None),
        ({"exporter": "exporter.invalid", "labels": {"vantage": "berlin"}}, 'instance = "berlin"', True),
        ({"exporter": "127.0.0.1"}, 'instance = "berlin"', False),  # nothing there says so
        ({"exporter": "127.0.0.1"}, 'instance = "127.0.0.1"', False),  # the machine that it watches
    ],
)
def test_where_an_exporter_runs_is_not_merely_claimed(
    tmp_path: Path, shape: dict[str, Any], more: str, external: bool | None
) -> None:
    """Its address tells, or a label that says what the target file says."""
    facts = uptime(tmp_path, World(**shape), more, logs=False, exporter=False)
    assert [(monitor.external, monitor.content) for monitor in facts.monitors] == [(external, None)]


def test_a_paused_monitor_is_none_whatever_its_series_say(tmp_path: Path) -> None:
    """A series outlives its target."""
    assert uptime(tmp_path, World(paused=True), logs=False).monitors == ()


def test_a_log_without_user_agents_proves_nothing(tmp_path: Path) -> None:
    """Where our own request does not show, the monitor's absence is none."""
    facts = uptime(tmp_path, World(agents=False))
    assert facts.visits is not None and [visit.seen for visit in facts.visits] == [None]
    assert [visit.seen for visit in uptime(tmp_path, World()).visits or ()] == [0]
