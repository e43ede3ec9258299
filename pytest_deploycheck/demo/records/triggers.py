"""What is signed about the triggers of a rollback: amcheck really ran here; the rest is invented, nobody works here."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World

_TIMEOUT_S = 60
_COUNT = """
SELECT count(*) FILTER (WHERE c.relkind = 'r') AS tables,
    count(*) FILTER (WHERE c.relkind = 'i' AND m.amname = 'btree') AS indexes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am m ON m.oid = c.relam
WHERE n.nspname = 'public' AND c.relpersistence = 'p'
"""


def write(world: World, people: People) -> None:
    """Read the database through with pg_amcheck where there is one, and sign what security and support say."""
    people.record(
        "rollback.triggers.vuln",
        "security",
        "Nobody has reported a critical hole.",
        {"open_disclosures": 0},
    )
    people.record(
        "rollback.triggers.bugs",
        "operations",
        "Support is listening; no report stops a user so far.",
        {"open_blockers": 0, "reports": 0, "until": people.now.isoformat()},
    )
    _amcheck(world, people)


def _amcheck(world: World, people: People) -> None:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    folder = postgres.bin_dir()
    if folder is None or not (folder / "pg_amcheck").exists():
        return
    dsn = postgres.dsn(world, "postgres")
    with psycopg.connect(dsn) as connection:
        row = connection.execute(_COUNT).fetchone()
    tables, indexes = row or (0, 0)
    command = [folder / "pg_amcheck", "--install-missing=pg_catalog", "--schema=public", "--heapallindexed"]
    parts = conninfo_to_dict(dsn)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names |= {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    done = subprocess.run(
        [*map(str, command), postgres.DATABASE],
        env={**os.environ, **{name: str(parts[key]) for key, name in names.items()}},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    words = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    report = people.home / "amcheck.txt"
    report.write_text("\n".join([f"pg_amcheck ended with status {done.returncode}", *words, ""]))
    people.record(
        "rollback.triggers.corruption",
        "backend",
        "pg_amcheck read every table and every B-tree index of the schema.",
        {
            "tool": "pg_amcheck",
            "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "tables": tables,
            "indexes": indexes,
            "errors": len(words) if done.returncode else 0,
        },
        files=[report],
    )
