"""What a CI would have left of the release: results of tests, scans of the code, audits, builds. Stand-ins, labelled.

Everything is about the real commit of DIR/repository and the real files in it, with envelopes as a CI would write
them; that the tests ran and that nothing was found is made up, which names and versions say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from pytest_deploycheck import envelope
from pytest_deploycheck.demo import history, images
from pytest_deploycheck.demo.docker import tools
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

LABEL = "stand-in"
PYTHON = "3.12.11"
_TESTED = ("accounts", "auth", "chain", "health", "orders", "tokens", "wallets")
_TESTS_EACH = 20
_PYTHON_LOCK, _NODE_LOCK = "requirements.lock", "web/package-lock.json"


def available() -> str | None:
    """Return None: this needs nothing but Python."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Write the reports afresh; there is no server behind them."""
    write(world)
    return []


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return where the reports are, and what they must show."""
    product = images.PRODUCT
    return {
        "reports": {
            "junit": "reports/junit/*.xml",
            "sarif": "reports/sarif/*.sarif",
            "pip_audit": "reports/dependencies/pip-audit.json",
            "npm_audit": "reports/dependencies/npm-audit.json",
            "pip_outdated": "reports/dependencies/pip-outdated.json",
            "npm_outdated": "reports/dependencies/npm-outdated.json",
            "sbom": "reports/sbom/*.json",
            "build": "reports/builds/*.json",
        },
        "ci": {
            "file": "reports/ci/*.json",
            "required_checks": ["test (*)", "image"],
            "min_tests": len(_TESTED) * _TESTS_EACH,
        },
        "scan": {"required_tools": ["bandit", "gitleaks"]},
        "build": {
            "third_party": [recipe.name for recipe in images.RECIPES if recipe.name != product],
            "architecture": tools.architecture(),
        },
        "standins": {"reports": "no CI ran here: results of tests, scans, audits and builds are made up"},
    }


def write(world: World) -> None:
    """Write DIR/reports/{ci,junit,sarif,dependencies,sbom,builds}."""
    now = datetime.now(UTC)
    code = history.content(world.path("repository", "token-service.git"), world.release.commit)
    scanned = (".", len(code))
    _keep(world, now, "ci/checks.json", _json(ci(world, now)))
    _keep(world, now, "junit/api.xml", junit(now - timedelta(minutes=2)), tool=f"pytest {LABEL}")
    _keep(world, now, "sarif/bandit.sarif", _json(bandit(code, now)), tool=f"bandit {LABEL}")
    _keep(world, now, "sarif/gitleaks.sarif", _json(gitleaks()), tool=f"gitleaks {LABEL}", scanned=scanned)
    python = {_PYTHON_LOCK: code[_PYTHON_LOCK]}
    node = {_NODE_LOCK: code[_NODE_LOCK]}
    audit = _json({"dependencies": [{**one, "vulns": []} for one in pins(code)], "fixes": []})
    _keep(world, now, "dependencies/pip-audit.json", audit, tool=f"pip-audit {LABEL}", inputs=python)
    _keep(world, now, "dependencies/npm-audit.json", _json(npm_audit()), tool=f"npm {LABEL}", inputs=node)
    _keep(world, now, "dependencies/pip-outdated.json", "[]\n", tool=f"pip {LABEL}", inputs=python)
    _keep(world, now, "dependencies/npm-outdated.json", "{}\n", tool=f"npm {LABEL}", inputs=node)
    digest = images.digests(world)[images.PRODUCT]
    _keep(world, now, f"sbom/{images.PRODUCT}.json", _json(sbom(code, digest, now)), tool=f"syft {LABEL}")
    _keep(world, now, f"builds/{images.PRODUCT}.json", _json(build(world, digest)))


def ci(world: World, now: datetime) -> dict[str, Any]:
    """Return the file of a CI's results, as the documentation describes it."""
    ended = _stamp(now - timedelta(minutes=1))
    done = {"status": "completed", "conclusion": "success", "completed_at": ended}
    names = ("lint", "test (3.12)", "test (3.13)", "image")
    committed = history.committed_at(datetime.fromisoformat(world.release.deployed_at))
    return {
        "commit": world.release.commit,
        "committed_at": _stamp(committed),
        "checks": [{"name": name, **done} for name in names],
    }


def junit(started: datetime) -> str:
    """Return JUnit XML in pytest's shape; which commit it is about stands in the envelope only."""
    cases = [
        f'<testcase classname="tests.test_{area}" name="test_{number:02}" time="0.0{number:02}" />'
        for area in _TESTED
        for number in range(1, _TESTS_EACH + 1)
    ]
    attributes = f'name="pytest" errors="0" failures="0" skipped="0" tests="{len(cases)}" time="14.7"'
    stamp = quoteattr(started.isoformat())
    return (
        '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">'
        f'<testsuite {attributes} timestamp={stamp} hostname="{LABEL}">{"".join(cases)}</testsuite></testsuites>\n'
    )


def bandit(code: Mapping[str, bytes], now: datetime) -> dict[str, Any]:
    """Return Bandit's SARIF: it measures every file that it looks at, and lists its rules with their levels."""
    python = [path for path in code if path.endswith(".py")]
    measures = {f"./{path}": {"loc": code[path].count(b"\n"), "nosec": 0} for path in python}
    return _sarif(
        {"name": "Bandit", "version": f"1.9.4-{LABEL}", "rules": []},
        [
            {
                "ruleId": "B608",
                "level": "warning",
                "message": {"text": "made up: below the bar"},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": python[0]}}}],
            }
        ],
        invocations=[{"executionSuccessful": True, "endTimeUtc": _stamp(now)}],
        properties={
            "metrics": {"_totals": {"loc": sum(one["loc"] for one in measures.values())}, **measures}
        },
    )


def gitleaks() -> dict[str, Any]:
    """Return Gitleaks' SARIF: nothing but its rules and results; all else stands in the envelope."""
    rule = {"id": "generic-api-key", "shortDescription": {"text": "Generic API Key"}}
    return _sarif({"name": "gitleaks", "semanticVersion": f"v8.30.0-{LABEL}", "rules": [rule]}, [])


def pins(code: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Return name and version of each package in the lock file."""
    lines = code[_PYTHON_LOCK].decode().split()
    return [dict(zip(("name", "version"), line.split("=="), strict=True)) for line in lines]


def npm_audit() -> dict[str, Any]:
    """Return `npm audit --json` of version 2 without findings."""
    levels = ("info", "low", "moderate", "high", "critical", "total")
    kinds = {"prod": 2, "dev": 0, "optional": 0, "peer": 0, "peerOptional": 0, "total": 1}
    return {
        "auditReportVersion": 2,
        "vulnerabilities": {},
        "metadata": {"vulnerabilities": dict.fromkeys(levels, 0), "dependencies": kinds},
    }


def sbom(code: Mapping[str, bytes], digest: str, now: datetime) -> dict[str, Any]:
    """Return a CycloneDX list of the image's parts, as Syft names the image in it."""
    parts = [
        {"type": "library", **one, "purl": f"pkg:pypi/{one['name']}@{one['version']}"} for one in pins(code)
    ]
    runtime = {
        "type": "application",
        "name": "python",
        "version": PYTHON,
        "purl": f"pkg:generic/python@{PYTHON}",
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": _stamp(now),
            "tools": {"components": [{"type": "application", "name": "syft", "version": LABEL}]},
            "component": {"type": "container", "name": images.PRODUCT, "version": digest},
        },
        "components": [*parts, runtime],
    }


def build(world: World, digest: str) -> dict[str, Any]:
    """Return the record of the product's build, as the documentation describes it."""
    ended = images.built_at(world)
    return {
        "service": images.PRODUCT,
        "image": f"127.0.0.1:{world.port('registry')}/{images.PRODUCT}:{world.release.version}",
        "digest": digest,
        "commit": world.release.commit,
        "clean": True,
        "exit_status": 0,
        "started_at": _stamp(ended - timedelta(minutes=2)),
        "finished_at": _stamp(ended),
        "builder": LABEL,
    }


def seal(world: World, path: Path, **changed: Any) -> None:
    """Write a report's envelope anew, around its content as it is now; keywords replace what it says."""
    beside = envelope.path_of(path)
    said = json.loads(beside.read_text())
    made = envelope.values(path.read_bytes(), commit=world.release.commit, produced_at=datetime.now(UTC))
    beside.write_text(_json({**said, "sha256": made["sha256"], **changed}))


def _keep(
    world: World,
    at: datetime,
    name: str,
    content: str,
    *,
    tool: str = "",
    inputs: Mapping[str, bytes] | None = None,
    scanned: tuple[str, int] | None = None,
) -> None:
    path = world.path("reports", *name.split("/"))
    path.write_text(content)
    made = envelope.values(
        content.encode(),
        commit=world.release.commit,
        produced_at=at,
        tool=tool,
        clean=True,
        inputs=inputs,
        scanned=scanned,
    )
    envelope.path_of(path).write_text(_json(made))


def _sarif(driver: Mapping[str, Any], results: list[Any], **more: Any) -> dict[str, Any]:
    run = {"tool": {"driver": driver}, "results": results, **more}
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"
