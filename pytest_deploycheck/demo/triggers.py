"""The demo's rollback plan, as a file that is held against the alerts which are loaded; and what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import issues
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

PLAN = Path(__file__).with_name("files") / "rollback_plan.toml"
_SETTLED = (
    "SELECT count(*) FROM {table} o WHERE o.status = 'confirmed' AND NOT EXISTS (SELECT 1 FROM chain_events e"
    " WHERE e.tx_hash = o.tx_hash AND e.kind = '{kind}' AND e.tokens = o.tokens)"
)
_SIGNED = "CASE kind WHEN 'purchase' THEN tokens ELSE -tokens END"
INVARIANTS = (
    ("settled purchases without an event", _SETTLED.format(table="purchases", kind="purchase")),
    ("settled redemptions without an event", _SETTLED.format(table="redemptions", kind="redemption")),
    (
        "negative balances",
        f"SELECT count(*) FROM (SELECT address FROM chain_events GROUP BY address HAVING sum({_SIGNED}) < 0) b",  # noqa: S608
    ),
    (
        "orders without a wallet",
        "SELECT count(*) FROM (SELECT user_id FROM purchases UNION ALL SELECT user_id FROM redemptions) o"
        " WHERE NOT EXISTS (SELECT 1 FROM wallets w WHERE w.user_id = o.user_id)",
    ),
)
SUPPLY = (
    f"SELECT coalesce(sum({_SIGNED}), 0)::bigint AS supply,"  # noqa: S608 - no value comes from outside
    " (SELECT block_number FROM indexer_cursor) AS block FROM chain_events"
)


def available() -> str | None:
    """Return None: it is a file."""
    return None


def daemons(world: World) -> list[Daemon]:
    """Write the plan; there is no server."""
    path_of(world).write_text(PLAN.read_text())
    return []


def path_of(world: World) -> Path:
    """Return the plan's file."""
    return world.path("docs", "rollback_plan.toml")


def target_sections(world: World) -> dict[str, dict[str, Any]]:
    """Return `[triggers]` of the target file."""
    return {
        "release": {"first_deploy": not world.lived},
        "triggers": {
            "plan": "docs/rollback_plan.toml",
            "invariants": [{"name": name, "sql": sql, "equals": 0} for name, sql in INVARIANTS],
            "supply_sql": SUPPLY,
            "blockers_url": issues.search(world, "P0", "P1"),
            "security_url": issues.search(world, "security-critical"),
        },
        "standins": {issues.LABEL: "the team's issue tracker: GitHub's search over a file"},
    }
