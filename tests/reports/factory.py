"""Makes run records: the token service's release judged NO-GO, all green, or any number of items."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck import record as records
from pytest_deploycheck.checklist import Checklist, Item, default, parse
from pytest_deploycheck.decision import DeadGate, decide
from pytest_deploycheck.record import Record, digest, jsonable
from pytest_deploycheck.verdict import Claim, Comparison, LimitUse, Outcome, Verdict, judge

from .world import COMPARISONS, FACTS, PROBES

NOW = datetime(2026, 11, 24, 4, 2, 10, tzinfo=UTC)

UNSEEN = {
    "grafana": ("no_config", "no [grafana] in targets/prod.toml; add url"),
    "uptime": ("timeout", "https://status.example.com gave no answer within 10 s"),
}

OVERRIDES: dict[str, tuple[Verdict, str, str]] = {
    "post_deploy.security.rate_limit": (
        Verdict.FAILED,
        "",
        "GET /api/v1/tokens answered 120 of 120 requests in 60 s; the policy allows 100\n"
        "assert 0 >= 1\n"
        " +  where 0 = Row(path='/api/v1/tokens', limit_n=100, sent_n=120, refused_n=0).refused_n",
    ),
    "go_live.final.backups": (
        Verdict.FAILED,
        "",
        "newest backup is 51 h 2 min old, at most 26 h are allowed (schedule: daily at 01:00 UTC)\n"
        "assert 183721 <= 93600\n +  where 183721 = Snapshot(id='c3b0e8a1').age_s",
    ),
    "deploy.database.tuning": (
        Verdict.FAILED,
        "",
        "2 of 14 foreign keys have no index: purchases.wallet_id, redemptions.purchase_id",
    ),
    "post_deploy.monitoring.grafana": (Verdict.UNPROVEN, *UNSEEN["grafana"]),
    "post_deploy.monitoring.uptime": (Verdict.UNPROVEN, *UNSEEN["uptime"]),
    "post_deploy.monitoring.errors": (
        Verdict.UNPROVEN,
        "not_allowed",
        "needs --allow canary (one test event)",
    ),
    "go_live.mobile.stores": (Verdict.UNPROVEN, "no_evidence", "no evidence/mobile-stores.toml"),
    "go_live.mobile.tested": (Verdict.UNPROVEN, "stale", "evidence of 2026-09-30, at most 30 days old"),
    "post_go_live.first_day.chain": (
        Verdict.BLOCKED,
        "explorer",
        "blocked by gate explorer (deploy.contract.verified)",
    ),
    "post_deploy.functional.chain": (
        Verdict.BLOCKED,
        "explorer",
        "blocked by gate explorer (deploy.contract.verified)",
    ),
    "operations.backup.dr_plan": (
        Verdict.ERROR,
        "",
        "KeyError: 'rto_minutes' in suites/operations/test_backup.py:88",
    ),
}

CLAIMS = (
    Claim(
        "waiver",
        "deploy.database.tuning",
        "indexes are built concurrently in 1.4.3, tables are small until then",
        "Priya Nair",
        "backend lead",
        NOW + timedelta(days=18),
        "claims/2026-11-db-index.toml",
    ),
    Claim(
        "attestation",
        "go_live.communication.support",
        "support rota briefed on 2026-11-20, minutes attached",
        "maria@example.com",
        "support lead",
        NOW + timedelta(days=30),
        "claims/support.toml",
    ),
    Claim(
        "attestation",
        "sign_off.technical.devops",
        "signed off",
        "jon@example.com",
        "devops",
        NOW + timedelta(days=7),
        "claims/so-devops.toml",
    ),
    Claim(
        "attestation",
        "sign_off.technical.backend",
        "signed off",
        "Priya Nair",
        "backend lead",
        NOW + timedelta(days=7),
        "claims/so-backend.toml",
    ),
    Claim(
        "not_applicable",
        "go_live.mobile.endpoints",
        "this release ships no mobile app",
        "Ada Okafor",
        "product owner",
        NOW + timedelta(days=60),
        "claims/mobile.toml",
    ),
    Claim(
        "waiver",
        "post_deploy.security.rate_limit",
        "accepted for 1.3",
        "Priya Nair",
        "backend lead",
        NOW - timedelta(days=3),
        "claims/old-waiver.toml",
        problem="expired on 2026-11-21; ask for it again or remove the file",
    ),
)

NO_TEST = ("sign_off", "go_live.communication")
LIMITS = {
    "tls": LimitUse("cert_remaining_min", 0.25, "ratio", "own: of the certificate's lifetime", "default"),
    "db": LimitUse("db_hit_ratio_min", 0.99, "ratio", "PostgreSQL documentation, own", "default"),
    "http": LimitUse("latency_p95_s", 1.0, "s", "checklist: < 1s for most endpoints", "targets/prod.toml"),
    "load": LimitUse("load_p95_s", 1.0, "s", "checklist: < 1s for most endpoints", "default"),
    "backup": LimitUse("backup_max_age_s", 93_600, "s", "own: daily plus two hours", "default"),
    "prom": LimitUse("prom_up_min", 0.95, "ratio", "own: share of an hour's scrapes", "default"),
    "burst": LimitUse("burst_above_share", 1.2, "ratio", "own: refused by this share of a limit", "default"),
}


def checklist(items: int) -> Checklist:
    """Return the default checklist, or one of exactly `items` made-up items in the same eight phases."""
    base = default()
    if items == len(base.items):
        return base
    phases = list(dict.fromkeys((item.phase_title, item.phase) for item in base.items))
    lines = ["# Made-up checklist", ""]
    for index, (title, phase) in enumerate(phases):
        lines += [f"## {title}", "", "### Everything"]
        share = range(index, items, len(phases))
        lines += [
            f"- [ ] {base.items[n % len(base.items)].text} ({n}) "
            f"<!-- deploycheck: {phase}.everything.item_{n} -->"
            for n in share
        ]
        lines.append("")
    return parse("\n".join(lines), f"made-up-{items}.md")


def probes_of(item: Item) -> tuple[str, ...]:
    """Return the probes that the item's test uses."""
    section = ".".join(item.id.split(".")[:2])
    names = tuple(PROBES)
    fallback = PROBES[names[item.number % len(names)]]
    return PROBES.get(item.id) or PROBES.get(section) or fallback


def outcome(item: Item, overrides: Mapping[str, tuple[Verdict, str, str]]) -> Outcome | None:
    """Return what the item's test came to, or None where only people can vouch for it."""
    if item.id.startswith(NO_TEST) and item.id not in overrides:
        return None
    verdict, reason, message = overrides.get(item.id, (Verdict.PASSED, "", ""))
    if item.phase == "post_go_live" and item.id not in overrides:
        verdict, message = Verdict.PENDING, "opens 24 hours after go-live"
    probes = probes_of(item)
    compared = [] if verdict in (Verdict.UNPROVEN, Verdict.BLOCKED, Verdict.PENDING) else probes
    name = item.id.split(".")[-1]
    return Outcome(
        test=f"suites/{item.phase}/test_{item.section}.py::test_{name}",
        items=(item.id,),
        verdict=verdict,
        reason=reason,
        message=message,
        file=f"suites/{item.phase}/test_{item.section}.py",
        line=20 + 7 * (item.number % 30),
        duration_s=0.0007 * (1 + item.number % 5),
        observations=probes,
        comparisons=tuple(
            Comparison(expression, values, 24 + 7 * (item.number % 30) + place)
            for probe in compared
            for place, (expression, values) in enumerate(COMPARISONS.get(probe, ()))
        ),
        limits=tuple(LIMITS[probe] for probe in probes if probe in LIMITS),
        attempts=("failed: connection reset by 203.0.113.20:443", "passed")
        if item.id == "post_deploy.functional.health"
        else (),
        until="2026-11-25T04:02:10+00:00" if verdict is Verdict.PENDING else "",
    )


def observations(facts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the observations of a run: those with facts, two unseen, one dead, one broken."""
    seen: list[dict[str, Any]] = []
    for place, (name, values) in enumerate(facts.items()):
        seen.append(_observation(name, place, "seen", facts=jsonable(values)))
    for place, (name, (reason, detail)) in enumerate(UNSEEN.items()):
        seen.append(_observation(name, 20 + place, "unseen", reason=reason, detail=detail))
    detail = "api.etherscan.example refused the key: 403 Invalid API Key"
    seen.append(_observation("explorer", 22, "dead", gate="explorer", detail=detail))
    seen.append(_observation("mobile", 23, "broken", detail="zipfile.BadZipFile: File is not a zip file"))
    return seen


def _observation(name: str, place: int, state: str, **given: Any) -> dict[str, Any]:
    facts = given.get("facts")
    return {
        "probe": name,
        "state": state,
        "facts": facts,
        "digest": digest(facts) if facts is not None else "",
        "reason": given.get("reason", ""),
        "gate": given.get("gate", ""),
        "detail": given.get("detail", ""),
        "safety": "S2" if name in ("tls", "burst", "load") else "S1",
        "started_at": (NOW + timedelta(milliseconds=3 * place)).isoformat(),
        "duration_s": round(0.04 + 0.173 * (place % 9), 4),
        "needs": ["tls"] if name in ("http", "health", "auth") else [],
    }


def record(
    items: int = 125,
    *,
    overrides: Mapping[str, tuple[Verdict, str, str]] = OVERRIDES,
    claims: Sequence[Claim] = CLAIMS,
    gates: Sequence[DeadGate] = (
        DeadGate(
            "explorer",
            "deploy.contract.verified",
            "api.etherscan.example refused the key: 403 Invalid API Key",
        ),
    ),
    baseline: Mapping[str, Any] | None = None,
    green: bool = False,
) -> Record:
    """Return a record of `items` items; `green` makes everything proven, else it is the NO-GO release."""
    listed = checklist(items)
    if green:
        overrides, gates = {}, ()
        sign_offs = [item for item in listed.items if item.id.startswith(NO_TEST)]
        until = NOW + timedelta(days=7)
        claims = [
            Claim(
                "attestation",
                item.id,
                "signed off",
                "maria@example.com",
                item.section,
                until,
                "claims/all.toml",
            )
            for item in sign_offs
        ]
    outcomes = [found for item in listed.items if (found := outcome(item, overrides))]
    verdicts = judge([item.id for item in listed.items], outcomes, claims, now=NOW)
    ruling = decide(verdicts, kinds={item.id: item.kind for item in listed.items}, dead_gates=gates)
    names = [item.id for item in listed.items]
    earlier = {
        verdict.item: ("passed" if verdict.verdict is Verdict.FAILED else verdict.verdict.value)
        for verdict in verdicts
    }
    if items == 125 and not green:
        earlier |= {"deploy.code.deps": "failed", "post_deploy.security.headers": "failed"}
    compared = {
        "state": "ok",
        "sentence": "Compared with run 2026-11-10T0402Z of 2026-11-10T04:02:00+00:00.",
        "newly_failing": [v.item for v in verdicts if v.verdict is Verdict.FAILED],
        "fixed": [name for name in ("deploy.code.deps", "post_deploy.security.headers") if name in names],
        "evidence_changed": [name for name in names if name.startswith("deploy.services")],
        "verdicts": earlier,
    }
    return Record(
        tool={"name": "pytest-deploycheck", "version": "0.1.0", "python": "3.11.7", "pytest": "8.4.2"},
        run={
            "id": "2026-11-24T0402Z",
            "started_at": NOW.isoformat(),
            "finished_at": (NOW + timedelta(seconds=9.4)).isoformat(),
            "duration_s": 9.412,
            "operator": "jon@example.com",
            "runner": "ci-runner-7 (Linux 6.8 x86_64)",
            "ci_run": "https://ci.example.com/tokens/release/runs/8812",
            "command": "pytest suites --target prod --allow burst,load --evidence release-1.4.2",
            "as_of": "",
            "replayed_from": "",
            "interrupted": False,
            "gather_s": 6.204,
        },
        target={
            "name": "prod",
            "environment": "production",
            "base_url": "https://api.tokens.example.com",
            "file": "targets/prod.toml",
            "config_digest": "1f0d5c1f8d8b9a06f7f0f4e8fd8e4b2b5f9f3f6a2c7d8e9fa0b1c2d3e4f50617",
        },
        release={
            "service": "token-service",
            "version": "1.4.2",
            "commit": "9f2c41e7d8a5b3c60f1e2d3c4b5a69788f7e6d5c",
            "deployed_at": "2026-11-24T03:40:02+00:00",
            "images": {
                "api": "sha256:7c4c0a1de5b0a1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aa",
                "worker": "sha256:1be20a9de5b0a1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899bb",
                "nginx": "sha256:93afcc1de5b0a1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899cc",
            },
            "contract": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        },
        checklist={
            "path": listed.path,
            "title": listed.title,
            "digest": listed.digest,
            "items": [dataclasses.asdict(item) for item in listed.items],
        },
        selection=names,
        decision=records.decision_section(ruling),
        items=records.item_sections(verdicts),
        observations=observations(FACTS),
        gates=records.gate_sections(gates),
        claims=records.claim_sections(claims),
        coverage={
            "items_without_test": [n for n in names if n.startswith(NO_TEST)],
            "tests_without_item": ["suites/post_deploy/test_extra.py::test_dashboard_colours"],
            "drift": [
                {
                    "item": names[0],
                    "test": "suites/pre_deploy/test_infrastructure.py::test_capacity",
                    "written_for": "a1b2c3d4",
                    "reads_now": listed.items[0].fingerprint,
                }
            ],
        },
        requests=[
            {
                "probe": "http",
                "endpoint": "api",
                "action": "GET",
                "where": "https://api.tokens.example.com",
                "safety": "S1",
                "count": 43,
            },
            {
                "probe": "auth",
                "endpoint": "api",
                "action": "POST",
                "where": "https://api.tokens.example.com",
                "safety": "S2",
                "count": 12,
            },
            {
                "probe": "burst",
                "endpoint": "api",
                "action": "GET",
                "where": "https://api.tokens.example.com",
                "safety": "S2",
                "count": 128,
            },
            {
                "probe": "db",
                "endpoint": "database",
                "action": "SELECT",
                "where": "10.0.3.5:5432",
                "safety": "S1",
                "count": 25,
            },
            {
                "probe": "rpc",
                "endpoint": "rpc",
                "action": "eth_call",
                "where": "https://rpc.example.com",
                "safety": "S1",
                "count": 30,
            },
            {
                "probe": "tls",
                "endpoint": "edge",
                "action": "scan",
                "where": "203.0.113.20:443",
                "safety": "S2",
                "count": 212,
            },
        ],
        standins={"explorer": "Etherscan, built from its documented responses"},
        baseline=compared if baseline is None else baseline,
    )
