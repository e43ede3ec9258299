"""What the demo's target file says on a machine that lacks servers: no section, and the reason for each item."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_deploycheck.checklist import default
from pytest_deploycheck.demo import bugsink, monitoring, tools
from pytest_deploycheck.demo.target_file import _section
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.target import Target, load


def written(folder: Path) -> Target:
    """Return the monitoring sections as a loaded target file."""
    values = {
        "target": {"name": "demo", "environment": "demo", "base_url": "https://localhost:1"},
        **monitoring.target_sections(World(folder)),
    }
    path = folder / "target.toml"
    path.write_text("\n".join("\n".join(_section(name, entry)) for name, entry in values.items()))
    return load(path)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Pretend that nothing of Prometheus and no Bugsink is installed."""
    monkeypatch.setattr(tools, "find", lambda tool: None)
    monkeypatch.setenv(bugsink.ENV, str(tmp_path / "nowhere"))
    return monkeypatch


def test_without_any_server_the_items_are_named(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every item that needs them is out of scope with what is missing, and has no section."""
    target = written(tmp_path)
    assert target.not_applicable.keys() == monitoring.NEEDS.keys()
    assert all("is not" in reason for reason in target.not_applicable.values())
    assert "prometheus-node-exporter" in target.not_applicable["post_deploy.performance.cpu"]
    assert target.prometheus is target.grafana is target.errors is target.uptime is None
    assert target.logs is not None


def test_what_is_missing_is_named_alone(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the blackbox exporter alone, only the items that look at its metrics are out of scope."""
    bare.setattr(tools, "find", lambda tool: None if tool == "blackbox_exporter" else "/bin/true")
    bare.setattr(bugsink, "available", lambda: None)
    target = written(tmp_path)
    assert {item.rpartition(".")[2] for item in target.not_applicable} == {"grafana", "rules", "uptime"}
    assert target.prometheus is not None and target.uptime is None


def test_with_every_server_nothing_is_out_of_scope(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where all are installed there is no such section."""
    bare.setattr(tools, "find", lambda tool: "/bin/true")
    bare.setattr(bugsink, "available", lambda: None)
    assert written(tmp_path).not_applicable == {}


def test_the_items_are_the_checklists() -> None:
    """Every item that may be out of scope is one of the checklist."""
    assert monitoring.NEEDS.keys() <= {item.id for item in default().items}
