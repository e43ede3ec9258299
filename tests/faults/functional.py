"""Faults of Functional Testing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.harness import fault
from tests.faults.tools import stopped, switched

HEALTH = "post_deploy.functional.health"


@fault(HEALTH, "PostgreSQL is stopped", probes=("health",))
@contextmanager
def postgres_stopped(demo: Deployment) -> Iterator[None]:
    """Stop the database under a deep health check."""
    with stopped(demo, "postgres"):
        yield


@fault(HEALTH, "degraded but 200", probes=("health",))
@contextmanager
def degraded_200(demo: Deployment) -> Iterator[None]:
    """Let the app say degraded with status 200."""
    with switched(demo, health_degraded_200=True):
        yield
