"""Faults of Functional Testing: the application's own reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_deploycheck.demo.deployment import Deployment
from tests.faults.functional import execute
from tests.faults.harness import fault

DB = "post_deploy.functional.db"


@fault(DB, "the application may not insert", probes=("db_activity",))
@contextmanager
def insert_revoked(demo: Deployment) -> Iterator[None]:
    """Take a right from the application's role, as a migration by the wrong owner does."""
    execute(demo, "REVOKE INSERT ON purchases FROM token_app")
    try:
        yield
    finally:
        execute(demo, "GRANT INSERT ON purchases TO token_app")


@fault(DB, "a business table is gone", probes=("db_activity",))
@contextmanager
def table_gone(demo: Deployment) -> Iterator[None]:
    """Rename a table that the business lives on."""
    execute(demo, "ALTER TABLE redemptions RENAME TO redemptions_old")
    try:
        yield
    finally:
        execute(demo, "ALTER TABLE redemptions_old RENAME TO redemptions")
