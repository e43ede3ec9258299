"""The page of a real run: the reference deployment, judged by the suites."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_deploycheck import record as records
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.run import WARM_UP_S
from pytest_deploycheck.record import Record

from .pages import by_id, parsed, text

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle(demo: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the evidence of one run of the post-deployment suite."""
    time.sleep(WARM_UP_S)
    folder = tmp_path_factory.mktemp("evidence")
    command = [sys.executable, "-m", "pytest", "suites/post_deploy", "-q", "-p", "no:cacheprovider"]
    command += ["--target", str(demo.target), "--evidence", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (folder / "report.html").is_file(), done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def made(bundle: Path) -> Record:
    """Return its record."""
    return records.read(bundle / "evidence.json", facts=True)


def test_the_page_of_a_real_run_stays_small(bundle: Path, made: Record) -> None:
    """The page of the 23 items and all they rest on takes at most 400 kB, 60 kB gzipped (R1)."""
    page = (bundle / "report.html").read_bytes()
    assert len(made.items) == 23
    assert len(page) <= 400_000
    assert len(gzip.compress(page)) <= 60_000


def test_it_shows_every_comparison_and_every_observation_of_that_run(bundle: Path, made: Record) -> None:
    """What is left out for the weight is no comparison, no limit, no observation (R1)."""
    tree = parsed((bundle / "report.html").read_text())
    for item in made.items:
        shown = text(by_id(tree, item["item"]))
        for outcome in item["outcomes"]:
            for comparison in outcome["comparisons"]:
                assert " ".join(comparison["values"].split()) in shown
                assert " ".join(comparison["expression"].split()) in shown
            for limit in outcome["limits"]:
                assert f"{limit['name']} = {limit['value']} {limit['unit']}".rstrip() in shown
    for seen in made.observations:
        shown = text(by_id(tree, f"probe.{seen['probe']}"))
        assert (seen["digest"][:12] or seen["detail"][:100]) in shown
