"""The rehearsal of the demo's migrations: on the demo's own empty database, so its numbers are invented."""

from __future__ import annotations

from pytest_deploycheck.demo import schema
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.rules.migration_files import files_hash


def write(world: World, people: People) -> None:
    """Sign a rehearsal of exactly the files that were applied."""
    people.record(
        "deploy.database.migrations",
        "backend",
        "Rehearsed on a copy of the schema with data.",
        {
            "files_hash": files_hash(schema.migrations_dir(world)),
            "upgraded": True,
            "smoke": "passed",
            "rows": 120_000,
            "downgrade": "tested",
            "longest_lock_s": 0.4,
        },
    )
