"""Faults of reviews: what was signed does not hold, is of nobody's, or of no week; and watching that has holes.

All of them are injected into the deployment that has lived. Its month is of a few days, see demo/reviews.py.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck import ledger
from pytest_deploycheck.claims import signatures
from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.past import Past
from pytest_deploycheck.demo.people import People, principal
from pytest_deploycheck.verdict import Verdict
from tests.faults.first_day import happened
from tests.faults.harness import fault
from tests.faults.tools import edited, signed_again, unsaid

BEHAVIOR = "post_go_live.first_week.behavior"
SECLOGS = "post_go_live.first_week.seclogs"
TUNING = "post_go_live.first_week.tuning"
PERF = "post_go_live.ongoing.perf_review"
AUDIT = "post_go_live.ongoing.sec_audit"
MONITORING = "post_go_live.ongoing.monitoring"
SIGNER = {
    BEHAVIOR: "product",
    SECLOGS: "security",
    TUNING: "backend",
    PERF: "backend",
    AUDIT: "security",
    MONITORING: "operations",
}
LOOKED = ("evidence", "review_files")
NEEDS = ("reviews",)
Change = Callable[[dict[str, Any]], object]
Injection = Callable[[Deployment], AbstractContextManager[None]]


def said(item: str, change: Change, *, sign: bool = True) -> Injection:
    """Return an injection that changes the newest record of an item."""
    return lambda demo: signed_again(demo, item, change, sign=sign)


def facts(**changes: Any) -> Change:
    """Return a change of some facts."""
    return lambda values: values["facts"].update(changes)


def each(key: str, **changes: Any) -> Change:
    """Return a change of every table in a list of the facts."""
    return lambda values: [one.update(changes) for one in values["facts"][key]]


def signed_at(**later: float) -> Change:
    """Return a change of when it was signed."""

    def change(values: dict[str, Any]) -> None:
        moved = datetime.fromisoformat(values["produced_at"]) + timedelta(**later)
        values["produced_at"] = moved.isoformat()

    return change


def by(role: str) -> Change:
    """Return a change of who signed."""
    return lambda values: values.update(producer={"principal": principal(role), "role": role})


def changed_action(**changes: Any) -> Change:
    """Return a change of the findings that led to a commit."""
    return lambda values: [
        one.update(changes) for one in values["facts"]["findings"] if one["action"] == "change"
    ]


def before_the_release(values: dict[str, Any]) -> None:
    """Cite the released commit."""
    changed_action(commit=values["release"]["commit"])(values)


def invented(values: dict[str, Any]) -> None:
    """Name statements that nobody sends."""
    for number, one in enumerate(values["facts"]["findings"]):
        one["what"] = f"SELECT a FROM imagined_{number} WHERE b = $1"


def dropped(values: dict[str, Any]) -> None:
    """Leave the edge's logs unread."""
    values["facts"]["sources"].remove("nginx")


def long_ago(days: float) -> str:
    """Return a time so many days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


OLD_ACTION = [{"what": "more replicas", "opened_at": long_ago(40)}]
DONE_LATE = [{"title": "root over ssh", "severity": "critical", "owner": "ada", "due": long_ago(1)}]

for item, name, change, becomes in (
    (BEHAVIOR, "totals off by a fifth", facts(totals={"wallets": 6, "purchases": 0, "redemptions": 0}), Verdict.FAILED),
    (BEHAVIOR, "a total is missing", facts(totals={"wallets": 5}), Verdict.UNPROVEN),
    (BEHAVIOR, "signed on the second day", signed_at(days=-5.5), Verdict.FAILED),
    (BEHAVIOR, "another period", facts(period_start=long_ago(30)), Verdict.FAILED),
    (BEHAVIOR, "no report with it", lambda values: values["artifacts"].clear(), Verdict.FAILED),
    (SECLOGS, "the facts of another week", facts(facts_digest="7" * 64), Verdict.FAILED),
    (SECLOGS, "a source was not read", dropped, Verdict.FAILED),
    (SECLOGS, "an unusual day is not explained", facts(outliers={}), Verdict.FAILED),
    (SECLOGS, "nothing says what was looked for", facts(queries=[]), Verdict.FAILED),
    (TUNING, "the commit is not in the repository", changed_action(commit="d" * 40), Verdict.FAILED),
    (TUNING, "the commit is from before the release", before_the_release, Verdict.FAILED),
    (TUNING, "no numbers", changed_action(before=None), Verdict.FAILED),
    (TUNING, "it became slower", changed_action(after=9.0), Verdict.FAILED),
    (TUNING, "nothing was done and nobody says why", each("findings", action="none", reason=""), Verdict.FAILED),
    (TUNING, "one finding of the top five", lambda values: values["facts"]["findings"].__delitem__(slice(1, None)), Verdict.FAILED),
    (TUNING, "made-up statements", invented, Verdict.FAILED),
    (PERF, "the facts of another week", facts(facts_digest="7" * 64), Verdict.FAILED),
    (PERF, "it cites no facts", facts(facts_digest=""), Verdict.FAILED),
    (PERF, "an action is open for forty days", facts(actions=OLD_ACTION), Verdict.FAILED),
    (PERF, "signed in the future", signed_at(days=3), Verdict.FAILED),
    (PERF, "it does not say whether the objective was met", facts(slo="fine"), Verdict.FAILED),
    (AUDIT, "a critical finding is overdue", facts(findings=DONE_LATE), Verdict.FAILED),
    (AUDIT, "nobody looked at keys", lambda values: values["facts"]["scope"].remove("secrets"), Verdict.FAILED),
    (AUDIT, "over a run that nobody made", facts(run="none"), Verdict.FAILED),
    (AUDIT, "the evidence is another one", facts(facts_digest="7" * 64), Verdict.FAILED),
    (AUDIT, "nothing with it", lambda values: values["artifacts"].clear(), Verdict.FAILED),
    (MONITORING, "the note is over a run that nobody made", facts(run="none"), Verdict.FAILED),
    (MONITORING, "the note names no resource", facts(capacity=[]), Verdict.FAILED),
    (MONITORING, "what was decided is not done", facts(actions=OLD_ACTION), Verdict.FAILED),
):  # fmt: skip
    fault(item, name, probes=LOOKED, needs=NEEDS, becomes=becomes, lived=True)(said(item, change))

for item, role in SIGNER.items():
    other = "qa" if role != "qa" else "pm"
    fault(item, "signed in a role that has no say", probes=LOOKED, needs=NEEDS, lived=True)(
        said(item, by(other))
    )
    fault(item, "changed after it was signed", probes=LOOKED, needs=NEEDS, lived=True)(
        said(item, lambda values: values.update(statement="All is well."), sign=False)
    )


@contextmanager
def unsigned(demo: Deployment, item: str) -> Iterator[None]:
    """Take the newest record's signature away."""
    path = max(
        (
            one
            for one in People(demo.world).claims.glob("*.json")
            if json.loads(one.read_text())["item"] == item
        ),
        key=lambda one: str(json.loads(one.read_text())["produced_at"]),
    ).with_suffix(".json.sig")
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


for item in SIGNER:
    fault(item, "nobody's signature", probes=LOOKED, needs=NEEDS, becomes=Verdict.UNPROVEN, lived=True)(
        lambda demo, item=item: unsigned(demo, item)  # type: ignore[misc]
    )


@contextmanager
def another(
    demo: Deployment, item: str, *, hours: float, copy: bool = False, **changed: Any
) -> Iterator[None]:
    """Let there be one more record of an item, signed some time after the newest; `copy`: with the same files."""
    people = People(demo.world)
    newest = max(
        (
            values
            for one in people.claims.glob("*.json")
            if (values := json.loads(one.read_text()))["item"] == item
        ),
        key=lambda values: str(values["produced_at"]),
    )
    at = datetime.fromisoformat(newest["produced_at"]) + timedelta(hours=hours)
    digest = hashlib.sha256(str(hours).encode()).hexdigest()
    made = {
        **newest,
        "produced_at": at.isoformat(),
        "facts": {**newest["facts"], **({} if copy else {"facts_digest": digest}), **changed},
    }
    path = people.claims / f"another-{hours}.json"
    path.write_text(json.dumps(made))
    signatures.sign(path, people.key(made["producer"]["role"]))
    try:
        yield
    finally:
        path.unlink()
        path.with_name(f"{path.name}.sig").unlink()


fault(PERF, "two weeks with the same facts", probes=LOOKED, needs=NEEDS, lived=True)(
    lambda demo: another(demo, PERF, hours=2, copy=True)
)
fault(AUDIT, "a copy of the audit before", probes=LOOKED, needs=NEEDS, lived=True)(
    lambda demo: another(demo, AUDIT, hours=2, copy=True)
)
fault(
    AUDIT,
    "over a run of long before",
    probes=LOOKED,
    also=(MONITORING,),
    needs=NEEDS,
    limits={"audit_run_max_d": 0.02},
    lived=True,
)(said(AUDIT, facts()))
fault(
    PERF,
    "two weeks were skipped",
    probes=LOOKED,
    needs=NEEDS,
    limits={"review_weekly_d": 2, "review_weekly_grace_d": 1},
    lived=True,
)(said(PERF, facts()))


@fault(
    PERF,
    "all of them signed in one evening",
    probes=LOOKED,
    needs=NEEDS,
    limits={"review_weekly_d": 2, "review_weekly_grace_d": 1},
    lived=True,
)
@contextmanager
def backfilled(demo: Deployment) -> Iterator[None]:
    """Sign what was left undone on the evening of the newest, each with facts of its own."""
    with another(demo, PERF, hours=-0.3), another(demo, PERF, hours=-0.2), another(demo, PERF, hours=-0.1):
        yield


fault(PERF, "nobody reviewed the last week", probes=LOOKED, needs=NEEDS, lived=True,
      limits={"review_weekly_d": 6, "review_weekly_grace_d": 1})(lambda demo: unsaid(demo, PERF))  # fmt: skip


def attached(content: bytes) -> Injection:
    """Return an injection of another report, signed with the record that it belongs to."""

    @contextmanager
    def inject(demo: Deployment) -> Iterator[None]:
        files = People(demo.world).claims / "files"
        report: Path = files / "report.bin"
        report.write_bytes(content)
        artifact = {"path": "files/report.bin", "sha256": hashlib.sha256(content).hexdigest()}
        try:
            with signed_again(demo, BEHAVIOR, lambda values: values.update(artifacts=[artifact])):
                yield
        finally:
            report.unlink()

    return inject


fault(BEHAVIOR, "addresses of users in the report", probes=LOOKED, needs=NEEDS, lived=True)(
    attached(b"who,bought\njane.doe@example.com,3\n")
)
fault(BEHAVIOR, "wallets in the report", probes=LOOKED, needs=NEEDS, lived=True)(
    attached(b"wallet,bought\n0x" + b"ab" * 20 + b",3\n")
)
fault(BEHAVIOR, "a picture of a dashboard", probes=LOOKED, needs=NEEDS, becomes=Verdict.UNPROVEN, lived=True)(
    attached(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
)


@fault(BEHAVIOR, "a wallet less than the report tells of", probes=("usage_totals",), needs=NEEDS, lived=True)
@contextmanager
def fewer(demo: Deployment) -> Iterator[None]:
    """Let one of the wallets have been made yesterday."""
    import psycopg

    with psycopg.connect(postgres.dsn(demo.world, "token_owner"), autocommit=True) as owner:
        row = owner.execute("SELECT id, created_at FROM wallets ORDER BY id LIMIT 1").fetchone()
        assert row is not None
        owner.execute("UPDATE wallets SET created_at = now() WHERE id = %s", row[:1])
        try:
            yield
        finally:
            owner.execute("UPDATE wallets SET created_at = %s WHERE id = %s", (row[1], row[0]))


@fault(SECLOGS, "a declared source sends nothing", probes=("security_logs",), needs=NEEDS, lived=True)
@contextmanager
def silent_source(demo: Deployment) -> Iterator[None]:
    """Declare a source that no line is of."""
    names = ", ".join(f'"{name}"' for name in ("app1", "app2", "nginx", "postgres", "valkey", "sshd"))
    with demo.target.open("a") as file:
        before = file.tell()
        file.write(f"\n[reviews]\nsecurity_sources = [{names}]\n")
    try:
        yield
    finally:
        with demo.target.open("r+") as file:
            file.truncate(before)


def alert(name: str, start_h: float, end_h: float, *, every: int = 1) -> Callable[[Past], None]:
    """Return a past in which an alert fired for some hours, or in every so-manieth sample of them."""

    def change(made: Past) -> None:
        labels = (("alertname", name), ("alertstate", "firing"), ("severity", "warning"))
        values: list[float | None] = [None] * len(made.times)
        for number, n in enumerate(made.between(start_h, end_h)):
            if number % every == 0:
                values[n] = 1.0
        made.gauges["ALERTS", labels] = values

    return change


fault(
    MONITORING,
    "an alert fired for days on end",
    probes=("upkeep",),
    needs=NEEDS,
    limits={"upkeep_window_d": 30, "upkeep_alert_max_d": 5},
    lived=True,
)(lambda demo: happened(demo, alert("DiskFillsSoon", 30, 7 * 24), "after"))
fault(MONITORING, "an alert that comes and goes", probes=("upkeep",), needs=NEEDS, lived=True)(
    lambda demo: happened(demo, alert("HighLatency", 40, 60, every=8), "after")
)
fault(MONITORING, "nothing was scraped for half a day", probes=("upkeep",), needs=NEEDS, lived=True)(
    lambda demo: happened(demo, lambda made: made.silence(40, 52), "after")
)


def errors(made: Past) -> None:
    """Let one in fifty requests fail for two days."""
    made.scale("http_requests_total", 48, 96, 100.0, route="/token", status="500")


fault(MONITORING, "the objective was missed", probes=("upkeep",), needs=NEEDS, lived=True)(
    lambda demo: happened(demo, errors, "after")
)


@fault(MONITORING, "no run for two days", probes=("upkeep",), needs=NEEDS, lived=True)
@contextmanager
def no_runs(demo: Deployment) -> Iterator[None]:
    """Write the ledger without the runs of two days."""
    path = demo.world.dir / "ledger.jsonl"
    before = path.read_bytes()
    go_live = datetime.fromisoformat(demo.world.release.deployed_at)
    kept: list[str] = []
    head = ledger.GENESIS
    for line in before.splitlines():
        values = json.loads(line)
        if not timedelta(days=4) <= datetime.fromisoformat(values["time"]) - go_live <= timedelta(days=6):
            values |= {"n": len(kept) + 1, "prev": head}
            head = values["hash"] = ledger._hash(values)
            kept.append(json.dumps(values))
    path.write_text("\n".join([*kept, ""]))
    try:
        yield
    finally:
        path.write_bytes(before)


fault(MONITORING, "an entry of the ledger was changed", probes=("upkeep",), needs=NEEDS, lived=True)(
    lambda demo: edited(demo.world.dir / "ledger.jsonl", ('"decision": "GO"', '"decision": "NO-GO"'))
)


@fault(MONITORING, "a silence for a month", probes=("upkeep",), needs=NEEDS, lived=True)
@contextmanager
def silenced(demo: Deployment) -> Iterator[None]:
    """Silence an alert for thirty days."""
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": "DiskFillsSoon", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(days=30)).isoformat(),
        "createdBy": "ada",
        "comment": "noisy",
    }
    base = f"{demo.world.url('alertmanager')}/api/v2"
    request = urllib.request.Request(
        f"{base}/silences", json.dumps(silence).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        made = json.load(answer)["silenceID"]
    try:
        yield
    finally:
        delete = urllib.request.Request(f"{base}/silence/{made}", method="DELETE")
        urllib.request.urlopen(delete, timeout=10).close()
