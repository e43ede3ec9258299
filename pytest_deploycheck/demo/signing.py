"""The demo's ten sign-offs, in order, over the runs in its ledger; what the roles add is invented."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.claims import of_target, sign, write
from pytest_deploycheck.claims.scope import SCOPES
from pytest_deploycheck.demo.people import People, principal
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.target import load


def sign_off(world: World, role: str) -> None:
    """Sign in a role; raises ClaimRefused while its scope or those before it are not green."""
    people = People(world)
    target = load(world.dir / "target.toml")
    checklist = of_target.checklist_of(target)
    now = datetime.now(UTC)
    files = of_target.signed_files(target, checklist, now)
    made = sign.sign_off(
        role, principal(role), target, checklist, files, "Looked at, and good.", _facts(world, role), now
    )
    write.write(made, people.claims, people.key(role))


def sign_off_all(world: World) -> None:
    """Sign in every role, in order."""
    for role in SCOPES:
        sign_off(world, role)


def _facts(world: World, role: str) -> dict[str, Any]:
    go_live = datetime.fromisoformat(world.release.deployed_at)
    reviewed = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    facts: dict[str, dict[str, Any]] = {
        "qa": {"plan_executed": 1.0, "open_defects": {"p0": 0, "p1": 0, "p2": 2}},
        "product": {
            "acceptance": [
                {"feature": "purchase", "criterion": "tokens arrive within a minute", "result": "met"},
                {"feature": "redemption", "criterion": "the payout equals the quote", "result": "met"},
            ]
        },
        "operations": {
            "roster": [
                {
                    "who": "ada",
                    "from": go_live.isoformat(),
                    "until": (go_live + timedelta(days=7)).isoformat(),
                }
            ]
        },
        "compliance": {
            "obligations": [
                {"name": "data protection", "status": "met", "owner": "lea", "reviewed_at": reviewed},
                {"name": "anti money laundering", "status": "met", "owner": "tom", "reviewed_at": reviewed},
                {"name": "travel rule", "status": "not applicable", "owner": "tom", "reviewed_at": reviewed},
            ]
        },
        "pm": {"go_live_at": go_live.isoformat(), "deployed_by": principal("devops")},
    }
    return facts.get(role, {})
