"""Deployments for the tests of the demo, and a look at which processes belong to a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo.deployment import Deployment

# What starts in a third of a second: enough for everything but the app and the chain.
BACKEND = ("schema", "valkey", "nginx")
MONITORING = (
    *("schema", "valkey", "contract", "reports"),
    *("standins", "shipper", "prometheus", "alertmanager", "exporters", "blackbox", "bugsink"),
)


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run a database, limiter store and edge; tests must leave them as they found them."""
    with Deployment.only(tmp_path_factory.mktemp("backend"), *BACKEND) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run the service with everything it needs, behind the edge; tests must leave it as they found it."""
    with Deployment.only(tmp_path_factory.mktemp("served"), "edge") as deployment:
        yield deployment


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Run the monitoring with what it measures, without the edge; tests must leave it as they found it."""
    with Deployment.only(tmp_path_factory.mktemp("monitored"), *MONITORING) as deployment:
        yield deployment


def processes_of(directory: Path) -> dict[int, str]:
    """Return the command lines of the live processes that work in a folder or name it."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = entry.joinpath("cwd").resolve()
        except OSError:
            continue
        # A zombie has no command line: it only waits to be counted.
        if command and (here.is_relative_to(directory) or f"{directory}/" in command):
            found[int(entry.name)] = command
    return found


def gone(directory: Path, within_s: float = 15.0) -> dict[int, str]:
    """Wait until no process belongs to a folder; what is left when the time is over."""
    deadline = time.monotonic() + within_s
    while (left := processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
