"""The same checks as teams write them: one after the other, each with its library, straight in the test.

Reads the target file named by BENCH_TARGET, and no part of the plugin. Writes the number of HTTP requests it
sent to the file named by BENCH_COUNT.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
import testinfra
from cryptography import x509
from psycopg.rows import dict_row
from web3 import Web3

FILE = Path(os.environ["BENCH_TARGET"])
TARGET = tomllib.loads(FILE.read_text())
LIMITS = {
    "health_samples": 5,
    "latency_p95_s": 1.0,
    "latency_share_ok": 0.9,
    "memory_ratio_max": 0.8,
    "cpu_throttled_max": 0.05,
    "cpu_quota_max": 0.9,
    "db_mean_max_s": 0.1,
    **TARGET["limits"],
}
BASE = TARGET["target"]["base_url"]
CA = str(FILE.parent / TARGET["target"]["ca_file"])
SENT = 0


def secret(reference: dict[str, str]) -> str:
    """Return the secret that a reference points to."""
    return (FILE.parent / reference["file"]).read_text().strip()


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    """Return a session that trusts the demo's root and counts."""

    def count(*_: Any, **__: Any) -> None:
        global SENT
        SENT += 1

    with requests.Session() as session:
        session.trust_env = False  # else REQUESTS_CA_BUNDLE overrides the next line
        session.verify = CA
        session.hooks["response"].append(count)
        yield session
    Path(os.environ["BENCH_COUNT"]).write_text(json.dumps({"requests": SENT}))


@pytest.fixture(scope="session")
def token(http: requests.Session) -> str:
    """Log the test account in once."""
    account = TARGET["auth"]["test_account"]
    body = {"username": account["username"], "password": secret(account["password"])}
    answer = http.post(f"{BASE}/auth/login", json=body)
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


def query(http: requests.Session, promql: str) -> list[tuple[dict[str, str], float]]:
    """Ask Prometheus."""
    answer = http.get(f"{TARGET['prometheus']['url']}/api/v1/query", params={"query": promql})
    answer.raise_for_status()
    return [(one["metric"], float(one["value"][1])) for one in answer.json()["data"]["result"]]


def test_health(http: requests.Session) -> None:
    """Five looks are good."""
    for number in range(LIMITS["health_samples"]):
        if number:
            time.sleep(LIMITS["health_interval_s"])
        answer = http.get(f"{BASE}/health", params={"n": number})
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"
        for name in TARGET["health"]["components"]:
            assert answer.json()["components"][name]["status"] == "ok"
        assert "no-store" in answer.headers["Cache-Control"]
    assert http.get(f"{BASE}/version").json()["commit"] == TARGET["release"]["commit"]


def test_latency(http: requests.Session, token: str) -> None:
    """Most endpoints answer in time."""
    times: dict[str, list[float]] = {path: [] for path in TARGET["perf"]["endpoints"]}
    for number in range(LIMITS["latency_samples"]):
        if number:
            time.sleep(LIMITS["latency_interval_s"])
        for path, found in times.items():
            answer = http.get(BASE + path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, path
            answer.json()
            found.append(answer.elapsed.total_seconds())
    quick = [path for path, found in times.items() if max(found) <= LIMITS["latency_p95_s"]]
    assert len(quick) / len(times) >= LIMITS["latency_share_ok"]


def test_memory(http: requests.Session) -> None:
    """Containers stay within their limits."""
    window = f"[{LIMITS['resource_window_s']}s]"
    used = query(
        http,
        f"quantile_over_time(0.95, container_memory_working_set_bytes{window})"
        " / on (id) container_spec_memory_limit_bytes",
    )
    assert used
    assert all(value <= LIMITS["memory_ratio_max"] for _, value in used)
    assert not [m for m, v in query(http, f"increase(container_oom_events_total{window})") if v > 0]
    assert query(http, "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes")


def test_cpu(http: requests.Session) -> None:
    """Containers are not held back by their quota."""
    window = f"[{LIMITS['resource_rate_s']}s]"
    used = query(
        http,
        f"rate(container_cpu_usage_seconds_total{window})"
        " / on (id) (container_spec_cpu_quota / container_spec_cpu_period)",
    )
    assert used
    assert all(value <= LIMITS["cpu_quota_max"] for _, value in used)
    throttled = query(
        http,
        f"increase(container_cpu_cfs_throttled_periods_total{window})"
        f" / on (id) increase(container_cpu_cfs_periods_total{window})",
    )
    assert all(not value > LIMITS["cpu_throttled_max"] for _, value in throttled)


def test_database() -> None:
    """Statements are quick, over time and just now; nobody waits."""
    statements = (
        "SELECT queryid, query, calls, total_exec_time, mean_exec_time FROM pg_stat_statements s"
        " JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'token_app'"
    )
    with psycopg.connect(secret(TARGET["db"]["dsn"]), autocommit=True, row_factory=dict_row) as db:
        first = {row["queryid"]: row for row in db.execute(statements)}
        time.sleep(LIMITS["db_stats_interval_s"])
        second = db.execute(statements).fetchall()
        assert second
        for row in second:
            assert row["mean_exec_time"] / 1000 <= LIMITS["db_mean_max_s"], row["query"]
            before = first.get(row["queryid"], {"calls": 0, "total_exec_time": 0.0})
            calls = row["calls"] - before["calls"]
            if calls >= LIMITS["db_recent_min_calls"]:
                mean = (row["total_exec_time"] - before["total_exec_time"]) / calls / 1000
                assert mean <= LIMITS["db_mean_max_s"], row["query"]
        assert not db.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'"
        ).fetchall()
        assert not db.execute(
            "SELECT 1 FROM pg_stat_activity WHERE now() - xact_start > interval '5 min'"
            " AND backend_type = 'client backend'"
        ).fetchall()


def test_certificate() -> None:
    """The certificate is trusted, and valid for a while yet."""
    url = urlsplit(BASE)
    context = ssl.create_default_context(cafile=CA)
    with (
        socket.create_connection((url.hostname, url.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=url.hostname) as wrapped,
    ):
        leaf = x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert (leaf.not_valid_after_utc - datetime.now(UTC)) / lifetime > 0.25


def test_protocols(tmp_path: Path) -> None:
    """Only TLS 1.2 and 1.3 are spoken, and no known attack works."""
    flags = (
        "--certinfo --sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves "
        "--compression --openssl_ccs --heartbleed --robot --reneg --early_data"
    )
    report = tmp_path / "scan.json"
    argv = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "sslyze",
        "--quiet",
        "--mozilla_config=disable",
        *flags.split(),
    ]
    place = urlsplit(BASE).netloc
    subprocess.run(
        [*argv, f"--certinfo_ca_file={CA}", f"--json_out={report}", place], check=True, timeout=120
    )
    (server,) = json.loads(report.read_text())["server_scan_results"]
    assert server["scan_status"] == "COMPLETED"
    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert not server["scan_result"][f"{version}_cipher_suites"]["result"]["accepted_cipher_suites"]
    assert not server["scan_result"]["heartbleed"]["result"]["is_vulnerable_to_heartbleed"]


def test_headers(http: requests.Session, token: str) -> None:
    """Every class of answer carries the security headers."""
    sent = {"Authorization": f"Bearer {token}"}
    answers = [
        http.get(f"{BASE}/health"),
        http.get(f"{BASE}/openapi.json"),
        http.get(f"{BASE}/me", headers=sent),
        http.get(f"{BASE}/me"),
        http.get(f"{BASE}/no-such-page"),
        http.get(f"{BASE}/metrics"),
        http.get(f"{BASE}/token"),
        http.options(f"{BASE}/token"),
    ]
    for answer in answers:
        assert int(re.findall(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])[0]) >= 31_536_000
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["Content-Security-Policy"]
        assert not re.search(r"\d", answer.headers.get("Server", ""))


def test_wallet(http: requests.Session, token: str) -> None:
    """The API shows the balance that the chain has."""
    sent = {"Authorization": f"Bearer {token}"}
    chain = Web3(Web3.HTTPProvider(secret(TARGET["rpc"]["url"])))
    shown = http.get(f"{BASE}/wallet", headers=sent).json()
    assert Web3.is_checksum_address(shown["address"])
    assert chain.eth.chain_id == shown["chain_id"] == TARGET["contract"]["chain_id"]
    held = chain.eth.get_balance(shown["address"], block_identifier=shown["block_number"])
    assert held == int(shown["native_balance_wei"])
    abi = json.loads((FILE.parent / TARGET["contract"]["abi_file"]).read_text())["abi"]
    contract = chain.eth.contract(Web3.to_checksum_address(TARGET["contract"]["address"]), abi=abi)
    tokens = contract.functions.balanceOf(shown["address"]).call(block_identifier=shown["block_number"])
    assert tokens == int(shown["token_balance"])
    assert http.get(f"{BASE}/wallets/{shown['id']}/history", headers=sent).json()


def test_metrics(http: requests.Session) -> None:
    """Every target is scraped, and a request of ours moves the counter."""
    answer = http.get(f"{TARGET['prometheus']['url']}/api/v1/targets").json()
    up = [one["labels"]["job"] for one in answer["data"]["activeTargets"] if one["health"] == "up"]
    for job, count in TARGET["prometheus"]["jobs"].items():
        assert up.count(job) >= count, job
    for metric in TARGET["prometheus"]["required_metrics"]:
        assert query(http, metric), metric
    counter = 'sum(http_requests_total{route="/version"})'
    before = query(http, counter)[0][1]
    for _ in range(5):
        http.get(f"{BASE}/version")
    deadline = time.monotonic() + LIMITS["prom_movement_s"]
    while query(http, counter)[0][1] < before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.25)


def test_logs() -> None:
    """No log on the server holds a secret."""
    host = testinfra.get_host("local://")
    secrets = [secret(reference) for reference in TARGET["logs"]["secrets"].values()]
    logs = sorted((FILE.parent / "logs").iterdir())
    assert logs
    for log in logs:
        text = host.run(f"tail -n {LIMITS['logs_lines_max']} {log}").stdout
        for value in secrets:
            assert value not in text, log.name
        assert not re.search(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}", text), log.name
