"""The demo's monitoring as it runs: measured, alerted, notified, logged, shown, and breakable by hand."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pytest_deploycheck.demo import alertmanager, monitoring, prometheus, tools
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.standins import switch
from pytest_deploycheck.target import load
from tests.demo.web import eventually, fetch, get_json

pytestmark = pytest.mark.skipif(
    bool(prometheus.available() or alertmanager.available()), reason="needs Prometheus and Alertmanager"
)
FAST_RULE = """\
groups:
  - name: injected
    rules:
      - alert: Injected
        expr: vector(1)
        labels: {severity: critical, nonce: "NONCE"}
"""


def samples(deployment: Deployment, query: str) -> list[dict[str, Any]]:
    """Return the instant vector of a query."""
    answer = get_json(f"{deployment.world.url('prometheus')}/api/v1/query", query=query)
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def received(deployment: Deployment, channel: str, **labels: str) -> list[dict[str, Any]]:
    """Return the alerts that came in on a channel of the pager with these labels."""
    records = get_json(f"{deployment.world.url('webhook')}/received")
    alerts = [
        alert
        for record in records
        if record["channel"] == channel
        for alert in record["notification"]["alerts"]
    ]
    return [alert for alert in alerts if labels.items() <= alert["labels"].items()]


def test_every_job_is_scraped(monitored: Deployment) -> None:
    """Every exporter that this machine has answers Prometheus, as many targets as the target file says."""

    def health() -> list[tuple[str, str]]:
        answer = get_json(f"{monitored.world.url('prometheus')}/api/v1/targets", state="active")
        found = [(one["labels"]["job"], one["health"]) for one in answer["data"]["activeTargets"]]
        return found if {state for _, state in found} == {"up"} else []

    jobs = Counter(job for job, _ in eventually(health))
    assert jobs == {job: len(targets) for job, targets in prometheus.scraped(monitored.world).items()}


@pytest.mark.parametrize(
    "query",
    [
        "pg_up == 1",
        "redis_up == 1",
        "deploycheck_connections_used > 0",
        "deploycheck_wraparound_xid_age > 0",
        "node_filesystem_avail_bytes > 0",
        "node_timex_offset_seconds",
        "backup_last_success_timestamp_seconds > 0",
        "chain_up == 1",
        "chain_contract_paused == 0",
        "chain_signer_balance_wei > 0",
        "shipper_sent_total > 0",
        'container_memory_working_set_bytes{name="postgres"} > 1e6',
    ],
)
def test_exporters_measure_the_real_thing(monitored: Deployment, query: str) -> None:
    """What the rules build on has a plausible value within seconds of the start."""
    assert eventually(lambda: samples(monitored, query))


def test_every_rule_is_loaded_and_healthy(monitored: Deployment) -> None:
    """Every alert of the rule files is evaluated without an error and links to a runbook that exists."""

    def rules() -> list[dict[str, Any]]:
        groups = get_json(f"{monitored.world.url('prometheus')}/api/v1/rules", type="alert")["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = eventually(rules)
    on_disk = "".join(prometheus.rule_files(monitored.world).values()).count("- alert:")
    assert len(found) == on_disk > 40
    assert [rule["name"] for rule in found if rule["health"] != "ok"] == []
    pages: dict[str, str] = {}
    for rule in found:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        if page not in pages:
            status, headers, pages[page] = fetch(page)
            assert (status, headers["x-stand-in"]) == (200, "wiki")
        assert f"## {rule['name']}\n" in pages[page]
        assert anchor == rule["name"].lower()


def test_the_watchdog_reaches_the_dead_mans_switch(monitored: Deployment) -> None:
    """The alert that always fires arrives outside, by way of Prometheus and Alertmanager."""
    address = f"{monitored.world.url('webhook')}/deadman"
    assert eventually(lambda: get_json(address)["status"] == "up")
    assert received(monitored, "deadman", alertname="Watchdog")


def test_an_injected_alert_fires_to_the_pager_and_is_gone_after_the_repair(monitored: Deployment) -> None:
    """A rule file added by hand is effective after a reload, pages, and is forgotten when it is removed."""
    nonce = uuid.uuid4().hex
    file = monitored.world.path("prometheus", "rules", "injected.yml")
    file.write_text(FAST_RULE.replace("NONCE", nonce))
    try:
        monitored.reload("prometheus")
        assert eventually(lambda: received(monitored, "page", alertname="Injected", nonce=nonce))
    finally:
        file.unlink()
        monitored.reload("prometheus")
    assert eventually(lambda: not samples(monitored, 'ALERTS{alertname="Injected"}'))


def test_a_broken_configuration_leaves_the_old_one_in_force(monitored: Deployment) -> None:
    """Prometheus says that a reload failed, and goes on; putting the file back makes it succeed again."""
    ok = "prometheus_config_last_reload_successful"
    file = monitored.world.path("prometheus", "prometheus.yml")
    file.write_text("scrape_configs: nonsense\n")
    try:
        monitored.reload("prometheus")
        assert eventually(lambda: samples(monitored, f"{ok} == 0"))
    finally:
        prometheus.configure(monitored.world)
        monitored.reload("prometheus")
    assert eventually(lambda: samples(monitored, f"{ok} == 1"))


def test_a_pager_that_refuses_shows_as_failed_notifications(monitored: Deployment) -> None:
    """With the sink answering 500, Alertmanager counts failures; they end when it accepts again."""
    failed = 'alertmanager_notifications_failed_total{integration="webhook"}'
    switch(monitored.world, "webhook", status=500)
    try:
        assert eventually(lambda: samples(monitored, f"increase({failed}[30s]) > 0"), within_s=60)
    finally:
        switch(monitored.world, "webhook", status=None)


def test_stopping_an_exporter_shows_as_a_target_that_is_down(monitored: Deployment) -> None:
    """A stand-in whose port is closed by its switch is scraped no more, and is again when it is opened."""
    up = 'up{job="cadvisor"}'
    switch(monitored.world, "cadvisor", down=True)
    try:
        assert eventually(lambda: samples(monitored, f"{up} == 0"))
    finally:
        switch(monitored.world, "cadvisor", down=None)
    assert eventually(lambda: samples(monitored, f"{up} == 1"))


def test_a_shipped_line_is_found_by_query_range(monitored: Deployment) -> None:
    """A line appended to a log file is in the log store within seconds, stamped with its own time."""
    nonce, now = uuid.uuid4().hex, time.time()
    line = json.dumps({"ts": now, "level": "info", "event": "test", "nonce": nonce})
    with monitored.world.path("logs", "app1.jsonl").open("a") as file:
        file.write(line + "\n")
    query = {"query": f'{{service="app1"}} |= "{nonce}"'}
    address = f"{monitored.world.url('loki')}/loki/api/v1/query_range"
    streams = eventually(lambda: get_json(address, **query)["data"]["result"])
    [[stamp, found]] = streams[0]["values"]
    assert found == line
    assert abs(int(stamp) / 1e9 - now) < 0.001
    assert streams[0]["stream"]["service"] == "app1"


def test_a_stopped_log_agent_ships_nothing_until_it_is_back(monitored: Deployment) -> None:
    """Lines written while the agent was away arrive after its return, none is lost."""
    nonce = uuid.uuid4().hex
    address = f"{monitored.world.url('loki')}/loki/api/v1/query_range"
    query = {"query": f'{{service="app2"}} |= "{nonce}"'}
    agent = monitored.service("shipper")
    agent.stop()
    try:
        with monitored.world.path("logs", "app2.jsonl").open("a") as file:
            file.write(json.dumps({"ts": time.time(), "nonce": nonce}) + "\n")
        time.sleep(0.5)
        assert get_json(address, **query)["data"]["result"] == []
    finally:
        agent.start()
        agent.wait_ready()
    assert eventually(lambda: get_json(address, **query)["data"]["result"])


def test_a_grafana_panel_returns_what_prometheus_measured(monitored: Deployment) -> None:
    """A panel's query, macros and all, is answered by the real Prometheus with numbers."""
    world = monitored.world
    headers = {"Authorization": f"Bearer {world.secret('grafana_token')}"}
    expression = 'avg_over_time(up{job="prometheus"}[$__rate_interval])'
    query = {"refId": "A", "datasource": {"uid": "prometheus"}, "expr": expression}

    def values() -> list[float]:
        body = {"queries": [query], "from": "now-5m", "to": "now"}
        status, _, text = fetch(f"{world.url('grafana')}/api/ds/query", body, headers)
        assert status == 200, text
        frames = json.loads(text)["results"]["A"]["frames"]
        return frames[0]["data"]["values"][1] if frames else []

    assert set(eventually(values)) == {1.0}


def test_cadvisor_shows_a_real_process(monitored: Deployment) -> None:
    """The memory of PostgreSQL is more than that of its first process alone, and far from its limit."""
    daemon = monitored.service("postgres")
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    own = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))
    [sample] = eventually(lambda: samples(monitored, 'container_memory_working_set_bytes{name="postgres"}'))
    assert own < float(sample["value"][1]) < 512 * 1024 * 1024
    assert sample["metric"]["container_label_com_docker_compose_service"] == "postgres"


def test_the_target_file_names_what_runs(monitored: Deployment) -> None:
    """The sections pass the target file's own check, and a server that is absent has none."""
    target = load(monitored.target)
    assert target.prometheus is not None
    assert target.prometheus.jobs["app"] == 2
    assert target.grafana is not None
    assert set(target.grafana.dashboards) == {"token-service", "platform", "monitoring"}
    assert (target.errors is None) == bool(monitoring.bugsink.available())
    assert target.file(target.alerts.rules_dir).is_dir()
    assert set(target.standins) >= {"grafana", "loki", "cadvisor", "pager", "wiki", "vantage", "scans"}


def test_every_stand_in_says_that_it_is_one(monitored: Deployment) -> None:
    """Each answer of a stand-in carries its label, also an error's."""
    pages = {
        "webhook": "/ready",
        "cadvisor": "/metrics",
        "grafana": "/none",
        "loki": "/ready",
        "runbooks": "/none",
    }
    labels = {name: fetch(monitored.world.url(name) + page)[1]["x-stand-in"] for name, page in pages.items()}
    assert labels == {
        "webhook": "pager",
        "cadvisor": "cadvisor",
        "grafana": "grafana",
        "loki": "loki",
        "runbooks": "wiki",
    }


def test_the_servers_own_tools_accept_the_configuration(monitored: Deployment) -> None:
    """Promtool and amtool find nothing to say about the files that the servers run on."""
    home = monitored.world.dir
    checks = (
        ("promtool", "check", "config", home / "prometheus" / "prometheus.yml"),
        ("promtool", "check", "rules", *sorted((home / "prometheus" / "rules").glob("*.yml"))),
        ("amtool", "check-config", home / "alertmanager" / "alertmanager.yml"),
    )
    for tool, *words in checks:
        done = subprocess.run([tools.path_of(tool), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=critical", "pager"),
        ("severity=page", "pager"),
        ("severity=warning", "tickets"),
        ("severity=ticket", "tickets"),
        ("alertname=Watchdog", "deadman"),
        ("deploycheck=1", "canary"),
        ("severity=unheard-of", "tickets"),
    ],
)
def test_alerts_are_routed_to_somebody(monitored: Deployment, labels: str, receiver: str) -> None:
    """Every severity, known or not, ends at a receiver that tells somebody."""
    config = monitored.world.path("alertmanager", "alertmanager.yml")
    words = [tools.path_of("amtool"), "config", "routes", "test", f"--config.file={config}", labels]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [receiver]
