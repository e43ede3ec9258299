"""The stand-ins one by one: documented shapes, refusals as the real ones give them, and every switch."""

from __future__ import annotations

import base64
import gzip
import json
import time
import urllib.request
import uuid
from typing import Any

import pytest

from pytest_deploycheck.demo import cadvisor, grafana
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.standins import NAMES, switch
from pytest_deploycheck.demo.world import World
from tests.demo.web import eventually, fetch, get_json

GROUP = "/apis/dashboard.grafana.app"


@pytest.fixture
def world(monitored: Deployment) -> World:
    """Return the folder of the running monitoring."""
    return monitored.world


def viewer(world: World) -> dict[str, str]:
    """Return the headers of Grafana's viewer."""
    return {"Authorization": f"Bearer {world.secret('grafana_token')}"}


def basic(user: str, password: str) -> dict[str, str]:
    """Return the headers of a login."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("name", NAMES)
def test_a_port_is_closed_and_opened_by_its_switch(world: World, name: str) -> None:
    """With `down` nobody listens, an open connection included; without it the server is back."""

    def refused() -> bool:
        try:
            fetch(world.url(name) + "/")
        except OSError:
            return True
        return False

    assert not refused()
    switch(world, name, down=True)
    try:
        assert eventually(refused, within_s=5)
    finally:
        switch(world, name, down=None)
    assert eventually(lambda: not refused(), within_s=5)


def test_health_of_grafana_needs_no_token_and_everything_else_does(world: World) -> None:
    """Anonymous callers see the health only; a wrong token and the default administrator are refused."""
    health = get_json(world.url("grafana") + "/api/health")
    assert health == {"commit": "stand-in", "database": "ok", "version": grafana.VERSION}
    search = world.url("grafana") + "/api/search"
    assert fetch(search)[0] == 401
    assert fetch(search, headers={"Authorization": "Bearer wrong"})[0] == 401
    assert fetch(search, headers=basic("admin", "admin"))[0] == 401
    assert fetch(search, headers=basic("admin", world.secret("grafana_admin_password")))[0] == 200
    assert fetch(search, headers=viewer(world))[0] == 200
    assert fetch(search, body={}, headers=viewer(world))[0] == 403


@pytest.mark.parametrize(
    ("switches", "headers"),
    [({"anonymous": True}, {}), ({"default_admin": True}, basic("admin", "admin"))],
)
def test_grafana_is_opened_by_its_switches(
    world: World, switches: dict[str, bool], headers: dict[str, str]
) -> None:
    """The two classic holes can be made and closed again while it runs."""
    search = world.url("grafana") + "/api/search"
    switch(world, "grafana", **switches)
    assert fetch(search, headers=headers)[0] == 200
    switch(world, "grafana", **dict.fromkeys(switches))
    assert fetch(search, headers=headers)[0] == 401


def test_a_sick_database_shows_in_grafanas_health(world: World) -> None:
    """Its health is a 503 that says so."""
    switch(world, "grafana", database="failing")
    status, _, text = fetch(world.url("grafana") + "/api/health")
    switch(world, "grafana", database=None)
    assert (status, json.loads(text)["database"]) == (503, "failing")


def test_dashboards_are_the_same_by_both_interfaces(world: World) -> None:
    """The resource API and the legacy one list and give the dashboards that were released."""
    address, headers = world.url("grafana"), viewer(world)
    found = get_json(f"{address}/api/search", headers, type="dash-db")
    group = get_json(address + GROUP, headers)
    base = f"{address}{GROUP}/{group['preferredVersion']['version']}/namespaces/default/dashboards"
    items = get_json(base, headers)["items"]
    assert {board["uid"] for board in found} == {item["metadata"]["name"] for item in items}
    for uid in (board["uid"] for board in found):
        released = json.loads(world.path("release", "dashboards", f"{uid}.json").read_text())
        legacy = get_json(f"{address}/api/dashboards/uid/{uid}", headers)
        assert legacy["meta"]["provisioned"] is True
        assert {**legacy["dashboard"], **released} == legacy["dashboard"]
        assert get_json(f"{base}/{uid}", headers)["spec"] == released
    switch(world, "grafana", legacy=True)
    assert fetch(address + GROUP, headers=headers)[0] == 404
    switch(world, "grafana", legacy=None)


def test_unknown_things_are_404_in_grafana(world: World) -> None:
    """A dashboard, a data source and a path that are none are each not found."""
    for path in ("/api/dashboards/uid/none", "/api/datasources/uid/none/health", "/api/none", f"{GROUP}/x"):
        assert fetch(world.url("grafana") + path, headers=viewer(world))[0] == 404


def test_data_sources_tell_their_health(world: World) -> None:
    """A live data source is OK; one that is pointed at a dead address is not, nor are its panels."""
    address, headers = world.url("grafana"), viewer(world)
    sources = get_json(f"{address}/api/datasources", headers)
    assert {source["type"] for source in sources} == {"prometheus", "loki"}
    for source in sources:
        assert get_json(f"{address}/api/datasources/uid/{source['uid']}/health", headers)["status"] == "OK"
    file = world.path("grafana", "provisioning", "datasources.json")
    before = file.read_text()
    file.write_text(before.replace(world.url("prometheus"), "http://127.0.0.1:1"))
    try:
        status, _, text = fetch(f"{address}/api/datasources/uid/prometheus/health", headers=headers)
        assert (status, json.loads(text)["status"]) == (400, "ERROR")
        answer = query(world, "up")
        assert answer[0] == 400
        assert answer[1]["errorSource"] == "downstream"
    finally:
        file.write_text(before)


def query(world: World, expression: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return the status of a panel's query and its result."""
    one = {"refId": "Q", "datasource": {"uid": "prometheus"}, "expr": expression, **more}
    body = {"queries": [one], "from": "now-1m", "to": "now"}
    status, _, text = fetch(f"{world.url('grafana')}/api/ds/query", body, viewer(world))
    return status, json.loads(text)["results"]["Q"]


def test_panel_queries_have_grafanas_shapes(world: World) -> None:
    """Frames of two fields; instant queries one value; no series no frame; a wrong query its reason."""
    status, result = query(world, "vector(7)", instant=True, range=False)
    assert status == 200
    assert result["frames"][0]["data"]["values"][1] == [7.0]
    assert [field["type"] for field in result["frames"][0]["schema"]["fields"]] == ["time", "number"]
    assert query(world, "vector(0)/0", instant=True)[1]["frames"][0]["data"]["values"][1] == [None]
    assert query(world, "no_such_metric") == (200, {"status": 200, "frames": []})
    status, result = query(world, "sum(")
    assert status == 400
    assert "parse error" in result["error"]
    assert query(world, "up", datasource={"uid": "none"})[1]["status"] == 404


def test_log_panels_are_answered_by_the_log_store(world: World) -> None:
    """A Loki query comes back as lines."""
    wanted = '{service="postgres"} |= "ready to accept"'
    one = {"refId": "L", "datasource": {"uid": "loki"}, "expr": wanted}

    def lines() -> list[str]:
        body = {"queries": [one], "from": "now-1h", "to": "now"}
        text = fetch(f"{world.url('grafana')}/api/ds/query", body, viewer(world))[2]
        frames = json.loads(text)["results"]["L"]["frames"]
        return frames[0]["data"]["values"][1] if frames else []

    assert "ready to accept" in eventually(lines)[0]


def push(world: World, at_ns: int, line: str, labels: dict[str, str] | None = None) -> int:
    """Push one line and return the status."""
    stream = {"stream": labels or {"service": "test"}, "values": [[str(at_ns), line]]}
    return fetch(f"{world.url('loki')}/loki/api/v1/push", {"streams": [stream]})[0]


def test_a_pushed_line_is_found_by_its_labels_and_time(world: World) -> None:
    """Push answers 204; the labels' names and values, and the range query, know the line at once."""
    address, nonce, now = world.url("loki") + "/loki/api/v1", uuid.uuid4().hex, time.time_ns()
    assert push(world, now, f"hello {nonce}", {"service": "pushed", "nonce": nonce}) == 204
    assert "nonce" in get_json(f"{address}/labels")["data"]
    assert nonce in get_json(f"{address}/label/nonce/values")["data"]
    wanted = {"query": f'{{nonce="{nonce}"}}', "start": str(now), "end": str(now + 1)}
    data = get_json(f"{address}/query_range", **wanted)["data"]
    assert data["resultType"] == "streams"
    assert data["result"][0]["values"] == [[str(now), f"hello {nonce}"]]
    # The end of a range is exclusive, as in Loki.
    assert get_json(f"{address}/query_range", **{**wanted, "end": str(now)})["data"]["result"] == []
    [series] = get_json(f"{address}/series", **{"match[]": f'{{nonce="{nonce}"}}'})["data"]
    assert series == {"service": "pushed", "nonce": nonce}


def test_counts_come_as_matrix_and_vector(world: World) -> None:
    """A metric query is a matrix over a range and a vector at a moment, values as text."""
    nonce, now = uuid.uuid4().hex, time.time_ns()
    push(world, now, "x", {"nonce": nonce})
    wanted = f'sum by (nonce) (count_over_time({{nonce="{nonce}"}}[1m]))'
    address = world.url("loki") + "/loki/api/v1"
    data = get_json(f"{address}/query", query=wanted)["data"]
    assert data["resultType"] == "vector"
    assert data["result"][0]["value"][1] == "1"
    data = get_json(f"{address}/query_range", query=wanted, start=str(now), end=str(now + 10**9), step="1s")[
        "data"
    ]
    assert data["resultType"] == "matrix"
    assert [value for _, value in data["result"][0]["values"]] == ["1", "1"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"query": "{"}, "parse error"),
        ({"query": '{a="b"}', "limit": "10000"}, "max entries limit"),
        ({"query": '{a="b"}', "start": "yesterday"}, "could not parse"),
        ({"query": 'sum(rate({a="b"}[1m]))', "step": "0"}, "step"),
    ],
)
def test_wrong_queries_are_refused_with_their_reason(
    world: World, query: dict[str, str], reason: str
) -> None:
    """Loki answers 400 and plain text; an empty result would look like a clean log."""
    status, headers, text = fetch(f"{world.url('loki')}/loki/api/v1/query_range", **query)
    assert status == 400
    assert reason in text
    assert headers["content-type"].startswith("text/plain")


def test_lines_from_the_future_are_refused(world: World) -> None:
    """A clock that runs ahead by more than the grace period is an error of the push."""
    assert push(world, time.time_ns() + 3600 * 10**9, "later") == 400


def test_a_compressed_push_is_understood(world: World) -> None:
    """Agents compress what they send."""
    nonce = uuid.uuid4().hex
    body = {"streams": [{"stream": {"nonce": nonce}, "values": [[str(time.time_ns()), "zipped"]]}]}
    request = urllib.request.Request(
        f"{world.url('loki')}/loki/api/v1/push",
        gzip.compress(json.dumps(body).encode()),
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert reply.status == 204
    assert nonce in get_json(f"{world.url('loki')}/loki/api/v1/label/nonce/values")["data"]


def test_loki_obeys_its_switches(world: World) -> None:
    """It can be unready, and ask for a tenant."""
    address = world.url("loki")
    assert fetch(f"{address}/ready")[0] == 200
    switch(world, "loki", ready=False, tenant="t1")
    try:
        assert fetch(f"{address}/ready")[0] == 503
        assert fetch(f"{address}/loki/api/v1/labels")[0] == 401
        assert fetch(f"{address}/loki/api/v1/labels", headers={"X-Scope-OrgID": "t1"})[0] == 200
    finally:
        switch(world, "loki", ready=None, tenant=None)
    assert "retention_period: 744h" in fetch(f"{address}/config")[2]
    assert "stand-in" in get_json(f"{address}/loki/api/v1/status/buildinfo")["version"]


def test_the_pager_keeps_what_came_in(world: World) -> None:
    """A notification is recorded by channel; another channel, another method and a set status are refused."""
    address, nonce = world.url("webhook"), uuid.uuid4().hex
    assert fetch(f"{address}/hook/canary", {"alerts": [], "nonce": nonce})[0] == 200
    newest = get_json(f"{address}/received")[-1]
    assert (newest["channel"], newest["notification"]["nonce"]) == ("canary", nonce)
    assert fetch(f"{address}/hook/none", {})[0] == 404
    assert fetch(f"{address}/hook/page")[0] == 405


def test_a_silent_watchdog_turns_the_dead_mans_switch_down(world: World) -> None:
    """Without a ping for longer than its grace the switch complains."""
    address = f"{world.url('webhook')}/deadman"
    fetch(f"{world.url('webhook')}/hook/deadman", {"alerts": []})
    switch(world, "webhook", grace_s=0.001)
    time.sleep(0.01)
    try:
        assert get_json(address)["status"] == "down"
    finally:
        switch(world, "webhook", grace_s=None)
    assert get_json(address)["status"] == "up"


def container(world: World, metric: str, name: str) -> float | None:
    """Return a metric of a container from the page of the cAdvisor stand-in."""
    for line in fetch(f"{world.url('cadvisor')}/metrics")[2].splitlines():
        if line.startswith(f"{metric}{{") and f',name="{name}"' in line:
            return float(line.rpartition(" ")[2])
    return None


def test_cadvisor_obeys_its_switches(world: World) -> None:
    """Limits, out-of-memory events, added memory and whole containers can be changed."""
    memory = container(world, "container_memory_working_set_bytes", "valkey")
    assert memory is not None
    assert container(world, "container_spec_memory_limit_bytes", "valkey") == cadvisor.MEMORY_LIMIT_BYTES
    assert container(world, "container_oom_events_total", "valkey") == 0
    added = 10**9
    switch(
        world,
        "cadvisor",
        memory_limit_bytes={"valkey": 0},
        oom_events={"valkey": 2},
        extra_memory_bytes={"valkey": added},
        cpus={"valkey": 0},
        hidden=["postgres"],
    )
    try:
        assert container(world, "container_spec_memory_limit_bytes", "valkey") == 0
        assert container(world, "container_oom_events_total", "valkey") == 2
        assert container(world, "container_spec_cpu_quota", "valkey") is None
        assert container(world, "container_memory_working_set_bytes", "postgres") is None
        grown = container(world, "container_memory_working_set_bytes", "valkey")
        assert grown is not None
        assert grown > added
    finally:
        world.path("cadvisor", "switches.json").unlink()
    assert container(world, "container_memory_working_set_bytes", "postgres") is not None


def test_a_tiny_quota_throttles_a_working_container(world: World) -> None:
    """With a thousandth of a core Prometheus, which works all the time, overruns its quota."""
    metric = "container_cpu_cfs_throttled_periods_total"
    switch(world, "cadvisor", cpus={"prometheus": 0.001})
    try:
        before = container(world, metric, "prometheus")
        assert before is not None
        assert eventually(lambda: (container(world, metric, "prometheus") or 0) > before)
    finally:
        world.path("cadvisor", "switches.json").unlink()


def test_the_chain_exporter_reports_a_dead_node(world: World) -> None:
    """A node that is gone is chain_up 0 and no other metric; no old value lives on."""
    address = f"{world.url('chain_exporter')}/metrics"
    file = world.path("chain_exporter", "config.json")
    before = file.read_text()
    assert "chain_up 1\n" in fetch(address)[2]
    file.write_text(before.replace(world.url("rpc"), "http://127.0.0.1:1"))
    try:
        page = fetch(address)[2]
        assert "chain_up 0\n" in page
        assert "chain_head_block" not in page
    finally:
        file.write_text(before)
    assert "chain_id 31337\n" in fetch(address)[2]


def test_the_chain_exporter_counts_what_an_administrator_does(world: World) -> None:
    """A pause shows at once and is counted once; the deployment itself is no act of administration."""

    def reading(metric: str) -> int:
        page = fetch(f"{world.url('chain_exporter')}/metrics")[2]
        return next(int(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(metric))

    assert reading('chain_contract_admin_events_total{event="OwnershipTransferred"}') == 0
    before = reading('chain_contract_admin_events_total{event="Paused"}')
    deploy.as_owner(world, "pause()")
    try:
        assert eventually(lambda: reading("chain_contract_paused ") == 1)
        assert eventually(lambda: reading('chain_contract_admin_events_total{event="Paused"}') == before + 1)
    finally:
        deploy.as_owner(world, "unpause()")
    assert eventually(lambda: reading("chain_contract_paused ") == 0)
