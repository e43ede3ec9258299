"""One reference deployment for all tests of a process, started when the first test asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from pytest_deploycheck.demo import signing
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.run import WARM_UP_S
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.run import Run
from pytest_deploycheck.target import load
from tests.faults.harness import all_probes, look, look_after_go_live
from tests.faults.ledgers import green_run

pytest_plugins = ["pytester"]
# Two busy cores are no reason to fail a property.
# No database of examples: its default is found by an assertion in Hypothesis's settings, whose values pytest shows to
# the plugin by asking for them again, without end.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
settings.load_profile("busy")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything is installed and nothing is left out: a skip is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return the running reference deployment; in CI every part of it must have been installed."""
    with Deployment(tmp_path_factory.mktemp("demo", numbered=True)) as deployment:
        if os.environ.get("CI") and deployment.absent:
            pytest.fail(f"not installed, so not tested: {deployment.absent}", pytrace=False)
        yield deployment


@pytest.fixture(scope="session")
def healthy(demo: Deployment) -> tuple[Run, dict[str, Observation]]:
    """Return one look with every probe at the healthy deployment, once there is something to see.

    Its ledger holds one green run, made up, so that what is judged from earlier runs has something to stand on.
    """
    time.sleep(WARM_UP_S)
    if "people" not in demo.absent:
        green_run(demo)
        signing.sign_off_all(demo.world)
    return look(load(demo.target), all_probes())


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return the part of a deployment that says how it has been since it went live, eight days ago."""
    folder, parts = (
        tmp_path_factory.mktemp("lived", numbered=True),
        ("prometheus", "people", "standins", "reviews", "recovery", "server", "bugsink"),
    )
    with Deployment.only(folder, *parts, lived=timedelta(days=8)) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def lived_healthy(lived: Deployment) -> tuple[Run, dict[str, Observation]]:
    """Return one look at it with the probes of post_go_live, the others having seen nothing."""
    return look_after_go_live(load(lived.target))
