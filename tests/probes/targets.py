"""A look with one probe at what a whole target file says."""

from __future__ import annotations

from pathlib import Path

from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes import registry
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load


def gather(folder: Path, text: str, *probes: str) -> dict[str, Observation]:
    """Write a target file into a folder and look with these probes, through the gatherer as in a run."""
    path = folder / "target.toml"
    path.write_text(text)
    return dict(Run(load(path)).gather(probes, registry()))
