"""What people reviewed since a demo that has lived went live: made up, but over what its systems hold of that time.

A fresh demo has nothing to review. For one that has lived, the logs of the days since are made up first, and its
accounts are as old as its release.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import history, people, postgres, repository, target_file
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.probes.sheets import Sheet

RUNNING = ("people", "prometheus", "alertmanager", "repository")
LOGGED_EACH = timedelta(minutes=30)
SERVICES = ("app1", "app2", "nginx", "postgres", "valkey")
UNUSUAL_DAY, UNUSUAL = 3, 90
"""On this day since the go-live so many requests were refused: what the security review has to explain."""
REFUSED_DAILY = 12
_FINDINGS: tuple[dict[str, Any], ...] = (
    {
        "what": "SELECT (SELECT count(*) FROM purchases WHERE status = $1) + (SELECT count(*) FROM redemptions",
        "action": "change",
        "before": 4.1,
        "after": 0.3,
        "unit": "ms a call",
    },
    {
        "what": "SELECT u.id, u.username, u.role, EXISTS (SELECT FROM refresh_tokens r WHERE r.jti = $1) AS",
        "reason": "one row by its key with each request, as designed",
    },
    {
        "what": "INSERT INTO purchases (user_id, tokens, cost_wei, idempotency_key, run_tag) VALUES ($1, $2, $3",
        "reason": "grows with the orders, a tenth of a millisecond each",
    },
    {
        "what": "SELECT block_number FROM indexer_cursor",
        "reason": "a table of one row, read each second",
    },
    {
        "what": "UPDATE redemptions r SET status = $1, confirmed_at = now() FROM chain_events e WHERE r.status =",
        "reason": "uses the partial index of what is pending",
    },
    {
        "what": "UPDATE purchases p SET status = $1, confirmed_at = now() FROM chain_events e WHERE p.status = $2",
        "reason": "uses the partial index of what is pending",
    },
    {
        "what": "INSERT INTO redemptions (user_id, tokens, cost_wei, idempotency_key, run_tag) VALUES ($1, $2,",
        "reason": "grows with the orders, a tenth of a millisecond each",
    },
    {
        "what": "UPDATE indexer_cursor SET block_number = $1, updated_at = now()",
        "reason": "a table of one row, written with each block",
    },
)


def available() -> str | None:
    """Return None, or why nobody can sign on this machine."""
    return people.available()


def daemons(world: World) -> list[Daemon]:
    """Make up what was logged, and sign what was reviewed, where there is a past; there is no server."""
    if world.lived >= timedelta(days=7, hours=12):
        _age_accounts(world)
        _log(world)
        _sign(world, People(world))
    return []


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return, for a deployment that has lived, that its reviews are made up."""
    if not world.lived:
        return {}
    return {"standins": {"reviews": "what people reviewed of that past, and the log lines that it left"}}


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
        if (lines := list(_lines(world, service)))
    ]
    request = urllib.request.Request(  # noqa: S310 - the demo's own address
        f"{world.url('loki')}/loki/api/v1/push",
        json.dumps({"streams": streams}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def _lines(world: World, service: str) -> Iterator[tuple[datetime, str]]:
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


def _sheets(world: World) -> dict[str, tuple[Sheet, ...]]:
    """Return the facts of each period, as the probes find them."""
    from pytest_deploycheck.probes import registry
    from pytest_deploycheck.run import Run
    from pytest_deploycheck.target import load

    target_file.write(world, {*RUNNING, "standins", "schema", "postgres"}, {})
    seen = Run(load(world.dir / "target.toml")).gather(("week_sheets", "security_logs"), registry())
    return {name: one.facts.sheets if one.facts else () for name, one in seen.items() if "_gate" not in name}


def _sign(world: World, everybody: People) -> None:
    begun, sheets = go_live(world), _sheets(world)

    def ago(days: float) -> timedelta:
        return everybody.now - begun - timedelta(days=days)

    _behavior(world, everybody, ago(7.2))
    for sheet in sheets["security_logs"][-1:]:
        everybody.record(
            "post_go_live.first_week.seclogs",
            "security",
            "All sources were read; one day stood out.",
            {
                "facts_digest": sheet.facts_digest,
                "sources": list(SERVICES),
                "queries": ["refused and limited requests, by address", "failed logins, by account", "paths"],
                "outliers": {"refused requests": "one client with an expired token, told on day 4"},
            },
            ago=ago(7.25),
        )
    commit = _tuned(world)
    findings = [
        {"action": "none", **one} | ({"commit": commit} if one.get("action") == "change" else {})
        for one in _FINDINGS
    ]
    everybody.record(
        "post_go_live.first_week.tuning",
        "backend",
        "The statements that took most time.",
        {"findings": findings},
        ago=ago(7.4),
    )
    for sheet in sheets["week_sheets"]:
        at = (sheet.ends - begun) / timedelta(days=1) + 0.3
        if ago(at) > timedelta():
            everybody.record(
                "post_go_live.ongoing.perf_review",
                "backend",
                "The week was quiet.",
                {
                    "facts_digest": sheet.facts_digest,
                    "slo": "met",
                    "actions": [
                        {
                            "what": "count orders by an index",
                            "opened_at": sheet.end,
                            "closed_at": (sheet.ends + timedelta(hours=5)).isoformat(),
                        }
                    ],
                },
                ago=ago(at),
            )


def _behavior(world: World, everybody: People, ago: timedelta) -> None:
    import psycopg

    begun, totals = go_live(world), {}
    with psycopg.connect(postgres.dsn(world, "deploycheck"), autocommit=True) as database:
        for table in ("wallets", "purchases", "redemptions"):
            row = database.execute(
                f"SELECT count(*) FROM {table} WHERE created_at >= %s AND created_at < %s",  # noqa: S608
                (begun, begun + timedelta(days=7)),
            ).fetchone()
            totals[table] = int(row[0]) if row else 0
    report = everybody.home / "funnel.csv"
    report.write_text("step,total\n" + "".join(f"{name},{count}\n" for name, count in totals.items()))
    everybody.record(
        "post_go_live.first_week.behavior",
        "product",
        "From sign-up to redemption.",
        {
            "period_start": begun.isoformat(),
            "period_end": (begun + timedelta(days=7)).isoformat(),
            "totals": totals,
            "findings": ["who has a wallet has not bought yet"],
        },
        files=[report],
        ago=ago,
    )


def _tuned(world: World) -> str:
    """Commit what was tuned, on a branch of its own, and return the commit."""
    remote = repository.remote(world)
    objects = history.Objects(remote / "objects")
    notes = b"Orders that are pending are counted by their partial indexes.\n"
    tree = objects.tree({**history.files(), "docs/tuning.md": notes})
    at = go_live(world) + timedelta(days=6)
    commit = objects.commit(tree, at, "Pending orders are counted by an index", world.release.commit)
    branch = remote / "refs" / "heads" / "tuning"
    branch.write_text(f"{commit}\n")
    repository.git(repository.checkout(world), "fetch", "--quiet", "origin", "tuning")
    return commit
