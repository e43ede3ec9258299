"""Every run against a hostile target ends within its deadline plus five seconds, with the right verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import html5lib
import pytest

from pytest_deploycheck.probes import registry
from tests.hostile import servers

ROOT = Path(__file__).parents[2]
HEALTH = "post_deploy.functional.health"
TARGET = """
[target]
name = "hostile"
environment = "staging"
base_url = "{base}"
[db]
dsn = {{ file = "dsn" }}
[rpc]
url = {{ file = "rpc" }}
[contract]
address = "0x0000000000000000000000000000000000000001"
[prometheus]
url = "{plain}"
jobs = {{ app = 1 }}
[limits]
health_samples = 2
health_interval_s = 0.1
"""


def judge(folder: Path, base: str, plain: str, dsn: str) -> tuple[dict[str, Any], float, str]:
    """Run the suite against a target; return its record, the seconds it took, and the terminal output."""
    (folder / "dsn").write_text(dsn)
    (folder / "rpc").write_text(plain)
    target = folder / "target.toml"
    target.write_text(TARGET.format(base=base, plain=plain))
    command = [sys.executable, "-m", "pytest", "suites/post_deploy", "--target", str(target)]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--evidence", str(folder / "ev"), "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        timeout=240,
    )
    took = time.monotonic() - began
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-2000:]
    record: dict[str, Any] = json.loads((folder / "ev" / "evidence.json").read_text())
    return record, took, done.stdout.decode("utf-8", "replace")


def deadline() -> float:
    """Return the longest chain of deadlines that a run can wait for, in seconds."""
    probes = registry()

    def chain(name: str) -> float:
        return probes[name].deadline + max((chain(need) for need in probes[name].upstream), default=0.0)

    return max(chain(name) for name, probe in probes.items() if not probe.exclusive)


@pytest.mark.parametrize(
    ("behave", "verdict", "reason"),
    [
        (servers.silent, "unproven", "timeout"),
        (servers.drip, "unproven", "timeout"),
        (servers.endless, "failed", ""),
        (servers.half_header, "failed", ""),  # a 200 that ends early is read as a 200 without a body
        (servers.redirects, "failed", ""),
        (servers.garbage, "unproven", "unparseable"),
        (servers.html, "failed", ""),
        (servers.markup, "failed", ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_hostile_http(behave: Callable[..., None], verdict: str, reason: str, tmp_path: Path) -> None:
    """Whatever an HTTP server does, health gets its verdict, nothing passes, and the page stays inert."""
    with servers.serve(behave) as port:
        place = f"http://127.0.0.1:{port}"
        record, took, shown = judge(tmp_path, place, place, f"postgresql://u:p@127.0.0.1:{port}/d")
    items = {item["item"]: item for item in record["items"]}
    assert (items[HEALTH]["verdict"], items[HEALTH]["reason"]) == (verdict, reason)
    assert "passed" not in record["decision"]["counts"]
    assert took <= deadline() + 5
    assert "\x1b" not in shown and "\x00" not in shown
    page = html5lib.parse((tmp_path / "ev" / "report.html").read_text(), namespaceHTMLElements=False)
    scripts = [element.get("type") for element in page.iter("script")]
    assert scripts == ["application/json"]
    handlers = [name for element in page.iter() for name in element.attrib if name.startswith("on")]
    assert not handlers


def test_garbage_instead_of_tls(tmp_path: Path) -> None:
    """A server that answers a TLS handshake with noise is a dead gate, seen and wrong."""
    with servers.serve(servers.garbage) as port:
        record, took, _ = judge(
            tmp_path, f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port}", "postgresql://127.0.0.1:1/d"
        )
    items = {item["item"]: item for item in record["items"]}
    assert items[HEALTH]["verdict"] == "blocked"
    assert {gate["name"] for gate in record["gates"]} >= {"tls", "db"}
    assert record["decision"]["decision"] == "NO-GO"
    assert took <= deadline() + 5


def test_a_database_that_stalls_in_a_query(tmp_path: Path) -> None:
    """A query that never ends makes the database's items unproven by timeout, and holds nobody up."""
    with servers.serve(servers.stalled_postgres) as port, servers.serve(servers.html) as web:
        place = f"http://127.0.0.1:{web}"
        record, took, _ = judge(tmp_path, place, place, f"postgresql://u:p@127.0.0.1:{port}/d")
    seen = {entry["probe"]: entry for entry in record["observations"]}
    assert (seen["db_gate"]["state"], seen["db_gate"]["reason"]) == ("unseen", "timeout")
    assert took <= deadline() + 5


def test_closed_ports_everywhere(tmp_path: Path) -> None:
    """With nothing listening at all, everything is blocked or unproven within seconds, and it is NO-GO."""
    record, _, _ = judge(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1", "postgresql://127.0.0.1:1/d")
    assert "passed" not in record["decision"]["counts"]
    assert record["decision"]["decision"] == "NO-GO"
    assert record["run"]["gather_s"] < 30
