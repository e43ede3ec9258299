"""What people reviewed since a demo that has lived went live: made up, but over what its systems hold of that time.

A fresh demo has nothing to review. For one that has lived, the logs of the days since are made up first, and its
accounts are as old as its release.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta

from pytest_deploycheck.demo import people, postgres
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World

LOGGED_EACH = timedelta(minutes=30)
SERVICES = ("app1", "app2", "nginx", "postgres", "valkey")
UNUSUAL_DAY, UNUSUAL = 3, 90
"""On this day since the go-live so many requests were refused: what the security review has to explain."""
REFUSED_DAILY = 12
ENOUGH = timedelta(days=7, hours=12)
"""So long a demo must have lived that there is something to review."""
MONTH: dict[str, float] = {"review_monthly_d": 6.0, "review_monthly_grace_d": 2.0, "upkeep_window_d": 7.5}
"""A demonstration cannot wait for a month."""


def available() -> str | None:
    """Return None, or why nobody can sign on this machine."""
    return people.available()


def daemons(world: World) -> list[Daemon]:
    """Make up what was logged, and sign what was reviewed, where there is a past; there is no server."""
    if world.lived >= ENOUGH:
        from pytest_deploycheck.demo import reviews_signed

        _age_accounts(world)
        _log(world)
        reviews_signed.sign(world, People(world))
    return []


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return, for a deployment that has lived, that its reviews are made up."""
    if world.lived < ENOUGH:
        return {}
    return {
        "standins": {"reviews": "what people reviewed of that past, and the log lines that it left"},
        "limits": dict(MONTH),
    }


def go_live(world: World) -> datetime:
    """Return when the release went live."""
    return datetime.fromisoformat(world.release.deployed_at)


def _age_accounts(world: World) -> None:
    """Let the accounts that the demo starts with be from the first days, an hour apart."""
    import psycopg

    begun = go_live(world)
    with psycopg.connect(postgres.dsn(world, "token_owner"), autocommit=True) as owner:
        for table in ("users", "wallets"):
            owner.execute(
                f"UPDATE {table} SET created_at = %s + id * interval '1 hour' WHERE created_at >= %s AND id < 48",  # noqa: S608
                (begun, begun + world.lived - timedelta(minutes=5)),
            )


def _log(world: World) -> None:
    """Send the log store the lines of the past; those that it has already it leaves as they are."""
    streams = [
        {
            "stream": {"service": service, "host": "demo", "file": "past"},
            "values": [[str(int(at.timestamp()) * 10**9 + n), text] for n, (at, text) in enumerate(lines)],
        }
        for service in SERVICES
        if (lines := list(past_lines(world, service)))
    ]
    request = urllib.request.Request(  # noqa: S310 - the demo's own address
        f"{world.url('loki')}/loki/api/v1/push",
        json.dumps({"streams": streams}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def past_lines(world: World, service: str) -> Iterator[tuple[datetime, str]]:
    """Yield what a service logged since the go-live, each line with its time."""
    begun = go_live(world)
    at = begun + LOGGED_EACH / 2
    while at < begun + world.lived - LOGGED_EACH:
        yield at, json.dumps({"ts": at.isoformat(), "level": "info", "event": "alive", "service": service})
        at += LOGGED_EACH
    if service != "nginx":
        return
    for day in range(1, world.lived.days + 1):
        start = begun + timedelta(days=day - 1, hours=1)
        for n in range(UNUSUAL if day == UNUSUAL_DAY else REFUSED_DAILY):
            moment = start + timedelta(minutes=n)
            yield moment, _request(moment, "/me", 401, "curl/8.5")
        yield start, _request(start, "/health?dc=flow", 200, "deploycheck/flow")


def _request(at: datetime, path: str, status: int, agent: str) -> str:
    values = {"ts": at.isoformat(), "method": "GET", "path": path, "status": status, "agent": agent}
    return json.dumps(values)
