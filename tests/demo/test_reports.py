"""The stand-in reports: one for each image of the release, in shape, and never taken for real ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck.demo import reports
from pytest_deploycheck.demo.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a folder with its reports."""
    world = World(tmp_path / "world")
    reports.write(world)
    return world


def test_every_image_of_the_release_is_scanned(world: World) -> None:
    """Each digest has a report of its own with both classes of packages, made now."""
    files = {
        file.stem: json.loads(file.read_text()) for file in world.path("reports", "images").glob("*.json")
    }
    assert set(files) == set(reports.images(world)) == set(reports.IMAGES)
    for name, digest in reports.images(world).items():
        report = files[name]
        assert report["SchemaVersion"] == 2
        assert report["ArtifactType"] == "container_image"
        assert report["Metadata"]["RepoDigests"] == [f"127.0.0.1:{world.port('registry')}/{name}@{digest}"]
        assert {result["Class"] for result in report["Results"]} == {"os-pkgs", "lang-pkgs"}
        age = datetime.now(UTC) - datetime.fromisoformat(report["CreatedAt"])
        assert timedelta() <= age < timedelta(minutes=1)


def test_the_listed_packages_are_those_installed(world: World) -> None:
    """The report's packages are this environment's, pytest among them."""
    report = json.loads(world.path("reports", "images", "token-api.json").read_text())
    names = {package["Name"] for package in report["Results"][1]["Packages"]}
    assert {"pytest", "pydantic"} <= names


def test_the_database_was_fresh_at_the_scan(world: World) -> None:
    """The vulnerability database is hours older than the scan, not days."""
    version = json.loads(world.path("reports", "trivy-version.json").read_text())
    age = datetime.now(UTC) - datetime.fromisoformat(version["VulnerabilityDB"]["UpdatedAt"])
    assert timedelta(hours=1) < age < timedelta(days=1)


def test_the_web_scan_is_of_this_edge(world: World) -> None:
    """The scanned site is the deployment's own, with pages seen and nothing above informational."""
    report = json.loads(world.path("reports", "web", "zap.json").read_text())
    [site] = report["site"]
    assert site["@name"] == world.url("edge")
    assert {alert["riskcode"] for alert in site["alerts"]} == {"0"}
    counts = {one["key"]: int(one["statistic"]) for one in report["insights"]}
    assert counts["insight.endpoint.total"] > 0


def test_no_report_passes_for_a_real_one(world: World) -> None:
    """Every report names a stand-in as its maker."""
    for file in world.path("reports").rglob("*.json"):
        assert "-stand-in" in file.read_text(), file


def test_there_is_no_load_report(world: World) -> None:
    """The folder is there and empty: only a real run fills it."""
    assert list(world.path("reports", "load").iterdir()) == []
