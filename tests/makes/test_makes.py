"""Correct deployments of other makes: nothing of them is called wrong, and what cannot be read is called unseen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_deploycheck.demo import nginx, postgres, valkey
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.run import warm_up
from pytest_deploycheck.demo.server import wrappers
from tests.makes import caddy

ROOT = Path(__file__).parents[2]
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
PHASES = ("pre_deploy", "deploy", "post_deploy")
Verdicts = dict[str, tuple[str, str]]


def judge(deployment: Deployment) -> Verdicts:
    """Run the three phases as a user does; each item's verdict and reason."""
    evidence = deployment.world.dir / "evidence"
    command = [sys.executable, "-m", "pytest", *(f"suites/{phase}" for phase in PHASES), "-q", "--tb=short"]
    command += ["--target", str(deployment.target), "--evidence", str(evidence)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (evidence / "evidence.json").exists(), done.stdout + done.stderr
    items = json.loads((evidence / "evidence.json").read_text())["items"]
    return {
        one["item"]: (one["verdict"], one["reason"]) for one in items if one["item"].split(".")[0] in PHASES
    }


def others(verdicts: Verdicts) -> Verdicts:
    """Leave out what passed."""
    return {item: found for item, found in verdicts.items() if found[0] != "passed"}


def test_caddy_postgresql_15_redis_7(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's servers behind Caddy: 60 of 63 items pass, and the three that are read from nginx are unseen."""
    if not (PROGRAMS / "postgres").exists() or not shutil.which("redis-server") or not shutil.which("caddy"):
        pytest.skip(
            "Debian's postgresql-15, redis-server and caddy are not installed: tests/setup.sh does that"
        )
    monkeypatch.setattr(nginx, "daemon", caddy.daemon)
    monkeypatch.setitem(wrappers.TABLE, "nginx", lambda world: None)
    monkeypatch.setattr(postgres, "bin_dir", lambda: PROGRAMS)
    monkeypatch.setattr(valkey, "_binary", lambda: Path(shutil.which("redis-server") or ""))
    with Deployment(tmp_path / "other") as deployment:
        # Caddy limits no rates by itself; what the application limits stays.
        text = deployment.target.read_text()
        deployment.target.write_text(re.sub(r'\n *\{ route = "/docs", [^}]*\},', "", text))
        warm_up(deployment)
        verdicts = judge(deployment)
    assert len(verdicts) == 63
    assert others(verdicts) == {
        "pre_deploy.security.rate_limit": ("unproven", "no_evidence"),
        "pre_deploy.security.headers": ("unproven", "no_evidence"),
        "deploy.services.lb": ("unproven", "no_evidence"),
    }


def test_a_bare_host(tmp_path: Path) -> None:
    """The service alone, without server access, monitoring, containers or people: what is seen passes, nothing fails."""
    with Deployment.only(tmp_path / "bare", "edge", "traffic") as deployment:
        warm_up(deployment)
        verdicts = judge(deployment)
    assert len(verdicts) == 63
    found = others(verdicts)
    assert {verdict for verdict, _ in found.values()} <= {"unproven", "not_applicable"}, found
    reasons = {reason for verdict, reason in found.values() if verdict == "unproven"}
    assert reasons == {"no_config", "not_allowed"}, found  # nobody allowed a load test of it
    seen = {item for item, (verdict, _) in verdicts.items() if verdict == "passed"}
    assert {f"post_deploy.functional.{name}" for name in ("health", "auth", "wallet", "token", "db")} <= seen
    assert {f"post_deploy.security.{name}" for name in ("cert", "headers", "rate_limit", "authz")} <= seen
