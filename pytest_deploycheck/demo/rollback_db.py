"""The demo's rollback, as far as the database is concerned: a dump, its way back into place, and the chain's copy."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pytest_deploycheck.demo import postgres, schema
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.world import World

_AGAIN = 50
"""Blocks before the snapshot that are read again: what was under way when it was taken."""
_INDEX_S = 60.0


def dump(world: World, path: Path) -> int:
    """Dump the database; return the block up to which its copy of the chain goes."""
    import psycopg

    _tool("pg_dump", "-Fc", "-f", str(path), postgres.dsn(world, "postgres"))
    with psycopg.connect(postgres.dsn(world, "postgres")) as database:
        row = database.execute("SELECT block_number FROM indexer_cursor").fetchone()
    assert row is not None
    return int(row[0])


def restore(world: World, path: Path) -> bool | None:
    """Restore a dump beside the database and put it in its place; whether its indexes are sound, None if unknown.

    An interrupted restore leaves either the old database or the new one in place, and perhaps one beside it.
    """
    import psycopg

    with psycopg.connect(postgres.dsn(world, "postgres", "postgres"), autocommit=True) as cluster:
        for name in ("tokens_new", "tokens_old"):
            cluster.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cluster.execute("CREATE DATABASE tokens_new OWNER token_owner TEMPLATE template0")
        _tool("pg_restore", "--exit-on-error", "-d", postgres.dsn(world, "postgres", "tokens_new"), str(path))
        sound = _sound(world)
        cluster.execute("ALTER DATABASE tokens ALLOW_CONNECTIONS false")
        cluster.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'tokens'"
        )
        with cluster.transaction():
            cluster.execute("ALTER DATABASE tokens RENAME TO tokens_old")
            cluster.execute("ALTER DATABASE tokens_new RENAME TO tokens")
        cluster.execute("DROP DATABASE tokens_old WITH (FORCE)")
    schema.roles(world)
    with psycopg.connect(postgres.dsn(world, "postgres"), autocommit=True) as database:
        database.execute("ANALYZE")
    return sound


def reindex(world: World, block: int, go_on: Callable[[], None]) -> None:
    """Let the indexer read the chain again from before a block, until it has caught up with the chain's head.

    go_on: lets the indexer work; until then it stands still, or it would write over where it is to begin.
    """
    import psycopg

    start = max(0, block - _AGAIN)
    with psycopg.connect(postgres.dsn(world, "token_owner"), autocommit=True) as owner:
        owner.execute("DELETE FROM chain_events WHERE block_number > %s", (start,))
        owner.execute("UPDATE indexer_cursor SET block_number = %s, updated_at = now()", (start,))
    go_on()
    catch_up(world)


def catch_up(world: World) -> None:
    """Wait until the indexer has read up to where the chain's head is now; RuntimeError when it does not get there."""
    import psycopg

    head = int(Rpc(world.url("rpc")).call("eth_blockNumber"), 16)
    deadline = time.monotonic() + _INDEX_S
    with psycopg.connect(postgres.dsn(world, "token_owner"), autocommit=True) as owner:
        while True:
            row = owner.execute("SELECT block_number FROM indexer_cursor").fetchone()
            if row and row[0] >= head:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the index is at block {row and row[0]} of {head} after {_INDEX_S:g} s")
            time.sleep(0.1)


def _sound(world: World) -> bool | None:
    """Check every B-tree of the restored database; the extension for that stays in it only where it was."""
    import psycopg

    with psycopg.connect(postgres.dsn(world, "postgres", "tokens_new")) as database:
        try:
            database.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            database.execute(
                "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace"
            )
        except psycopg.errors.UndefinedFile:
            return None
        except psycopg.errors.IndexCorrupted:
            return False
        finally:
            database.rollback()
    return True


def _tool(name: str, *words: str) -> None:
    folder = postgres.bin_dir()
    assert folder is not None  # see backup.available()
    done = subprocess.run([str(folder / name), *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-300:]}")
