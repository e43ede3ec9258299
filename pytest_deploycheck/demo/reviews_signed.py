"""What the people of a demo that has lived signed after its first week, over what its systems hold of that time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from pytest_deploycheck import ledger
from pytest_deploycheck.checklist import default
from pytest_deploycheck.claims.cited import sha256_of
from pytest_deploycheck.demo import history, people, postgres, repository, reviews, target_file
from pytest_deploycheck.demo.people import People
from pytest_deploycheck.demo.world import World
from pytest_deploycheck.probes.review_files import SCOPE
from pytest_deploycheck.probes.sheets import Sheet
from pytest_deploycheck.record import Record

RUNNING = ("people", "prometheus", "alertmanager", "repository", "standins")
AUDITED_D = (3.5, 7.3)
"""Days after the go-live."""
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


def _sheets(world: World) -> dict[str, tuple[Sheet, ...]]:
    """Return the facts of each period, as the probes find them."""
    from pytest_deploycheck.probes import registry
    from pytest_deploycheck.run import Run
    from pytest_deploycheck.target import load

    target_file.write(world, RUNNING, {})
    seen = Run(load(world.dir / "target.toml")).gather(("week_sheets", "security_logs"), registry())
    return {name: one.facts.sheets if one.facts else () for name, one in seen.items() if "_gate" not in name}


def sign(world: World, everybody: People) -> None:
    """Sign what each role reviewed since the go-live, as it would have been at the time."""
    begun, sheets = reviews.go_live(world), _sheets(world)

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
                "sources": list(reviews.SERVICES),
                "queries": ["refused and limited requests, by address", "failed logins, by account", "paths"],
                "outliers": {"refused requests": "one client with an expired token, told on day 4"},
            },
            ago=ago(7.25),
        )
    for days in AUDITED_D:
        _audit(world, everybody, ago(days), first=days == AUDITED_D[0])
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

    begun, totals = reviews.go_live(world), {}
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


def _audit(world: World, everybody: People, ago: timedelta, *, first: bool) -> None:
    """Sign an audit of security, and a note on room, over a run of an hour before."""
    at = everybody.now - ago - timedelta(hours=1)
    evidence = everybody.home / f"audit-{at:%Y%m%d}.json"
    evidence.write_text(
        json.dumps({"made up": f"stands for the evidence.json of the run of {at.isoformat()}"})
    )
    digest, run = sha256_of(evidence), f"{at:%Y%m%dT%H%M%SZ}-made-up-audit"
    _ran(world, run, at, digest)
    cites = {"run": run, "facts_digest": digest}
    title = "an account of somebody who left" if first else "an image with a newer base"
    due = (at + timedelta(days=20)).isoformat()
    findings = [{"title": title, "severity": "low", "owner": "ada", "due": due}]
    everybody.record(
        "post_go_live.ongoing.sec_audit",
        "security",
        "Everything was looked at anew.",
        {**cites, "scope": list(SCOPE), "findings": findings},
        files=[evidence],
        ago=ago,
    )
    everybody.record(
        "post_go_live.ongoing.monitoring",
        "operations",
        "There is room.",
        {
            **cites,
            "capacity": [
                {"resource": "disk", "used": 0.41, "limit": 0.8, "unit": "ratio"},
                {"resource": "connections", "used": 24, "limit": 100, "unit": "connections"},
            ],
            "actions": [],
        },
        ago=ago,
    )


def _ran(world: World, run: str, at: datetime, evidence: str) -> None:
    """Enter a run of the security suites in the ledger, once."""
    path, checklist = world.dir / "ledger.jsonl", default()
    if any(entry.run == run for entry in ledger.read(path).entries):
        return
    items = [
        {"item": one.id, "verdict": "passed"}
        for one in checklist.items
        if one.id.startswith(("pre_deploy.security.", "post_deploy.security."))
    ]
    record = Record(
        tool={"name": "pytest-deploycheck", "version": "made up"},
        run={"id": run, "finished_at": at.isoformat()},
        target={"name": "demo", "environment": "demo", "config_digest": "made up"},
        release=people.release(world).model_dump(),
        checklist={"digest": checklist.digest},
        selection=(),
        decision={"decision": "GO"},
        items=items,
    )
    ledger.append(path, record, evidence)


def _tuned(world: World) -> str:
    """Commit what was tuned, on a branch of its own, and return the commit."""
    remote = repository.remote(world)
    objects = history.Objects(remote / "objects")
    notes = b"Orders that are pending are counted by their partial indexes.\n"
    tree = objects.tree({**history.files(), "docs/tuning.md": notes})
    at = reviews.go_live(world) + timedelta(days=6)
    commit = objects.commit(tree, at, "Pending orders are counted by an index", world.release.commit)
    branch = remote / "refs" / "heads" / "tuning"
    branch.write_text(f"{commit}\n")
    repository.git(repository.checkout(world), "fetch", "--quiet", "origin", "tuning")
    return commit
