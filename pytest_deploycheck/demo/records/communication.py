"""Who was told of the demo's go-live; all of it is invented, as nobody works here."""

from __future__ import annotations

from datetime import datetime, timedelta

from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World


def write(world: World, people: People) -> None:
    """Sign what the product, support and operations did before the go-live, and write the roster."""
    go_live = datetime.fromisoformat(world.release.deployed_at)
    home = people.home
    message = home / "announcement.txt"
    message.write_text(f"Release {world.release.version} goes live at {go_live.isoformat()}.\n")
    people.record(
        "go_live.communication.stakeholders",
        "product",
        "Everybody on the list was told.",
        {
            "audience": ["customers", "investors", "support", "press"],
            "channel": "mail",
            "sent_at": (go_live - timedelta(days=2)).isoformat(),
            "go_live_at": go_live.isoformat(),
            "delivery": "mail-20261124-0001",
            "open_objections": 0,
        },
        files=[message],
    )
    people.record(
        "go_live.communication.support",
        "operations",
        "The support team was briefed.",
        {
            "held_at": (go_live - timedelta(days=1)).isoformat(),
            "attendees": ["mia", "noah", "lea", "tom"],
            "topics": ["features", "known issues", "escalation", "rollback"],
            "access_tested": True,
            "version": world.release.version,
        },
    )
    documents = ("security runbook", "chain runbook", "API reference")
    people.record(
        "go_live.communication.docs",
        "pm",
        "Both teams have read them.",
        {
            "acknowledged": {name: ["operations", "support"] for name in documents},
            "version": world.release.version,
        },
    )
    people.record(
        "go_live.communication.emergency",
        "operations",
        "A test page went out on Monday.",
        {
            "paged_at": (people.now - timedelta(days=3)).isoformat(),
            "acknowledged_s": {"primary": 95, "secondary": 240},
            "break_glass_tested_at": (people.now - timedelta(days=20)).isoformat(),
        },
    )
    _roster(people)


def _roster(people: People) -> None:
    """Write who is on call from yesterday on, a week each."""
    start = people.now.replace(hour=0, minute=0, second=0) - timedelta(days=1)
    lines = []
    for week, (primary, secondary) in enumerate((("ada", "grace"), ("grace", "alan"))):
        begin, end = start + timedelta(weeks=week), start + timedelta(weeks=week + 1)
        for level, who in (("primary", primary), ("secondary", secondary)):
            lines += [
                "[[shift]]",
                f'level = "{level}"',
                f'who = "{who}"',
                f"from = {begin.isoformat()}",
                f"until = {end.isoformat()}",
                "",
            ]
    lines += ["[providers]", 'host = "+49 30 901820"', 'rpc = "noc@rpc.test"', 'registrar = "nic@names.test"']
    (people.home / "roster.toml").write_text("\n".join([*lines, ""]))
