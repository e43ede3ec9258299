"""The checks of reviews and upkeep against made-up records and facts, months after a go-live."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Pending, Unproven
from pytest_deploycheck.claims import policy
from pytest_deploycheck.claims.signatures import Status
from pytest_deploycheck.claims.signed import Signature, SignedFile
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.evidence import EvidenceFacts
from pytest_deploycheck.probes.review_files import SCOPE, Attached, CitedRun, ReviewFilesFacts
from pytest_deploycheck.probes.sheets import sheet
from pytest_deploycheck.probes.upkeep import Firing, Silence, UpkeepFacts
from pytest_deploycheck.probes.week_sheets import WeekSheetsFacts
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite

CHECKS = suite("post_go_live/test_ongoing.py")
LIMITS = Limits()
LIVE = datetime(2026, 1, 5, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
PERF = "post_go_live.ongoing.perf_review"
AUDIT = "post_go_live.ongoing.sec_audit"
MONITORING = "post_go_live.ongoing.monitoring"
SHEETS = tuple(
    sheet(PERF, LIVE + n * WEEK, LIVE + (n + 1) * WEEK, {"requests": 1000.0 + n}) for n in range(20)
)


def record(item: str, at: datetime, facts: dict[str, Any], **changes: Any) -> SignedFile:
    """Return a record that counts, but for the changes; it expired after a month, as most do."""
    role = policy.RECORDS[item][0]
    values: dict[str, Any] = {
        "name": f"{item.rpartition('.')[2]}-{at:%m%d}.json",
        "sha256": "0" * 64,
        "kind": "record",
        "item": item,
        "principal": f"{role}@test",
        "role": role,
        "produced_at": at.isoformat(),
        "valid_until": (at + timedelta(days=30)).isoformat(),
        "facts": facts,
        "signatures": (Signature(f"{role}@test", Status.OK.value),),
    }
    return SignedFile(**{**values, **changes})


def weekly(n: int, **facts: Any) -> SignedFile:
    """Return the review of a week, made a day after it."""
    said = {"facts_digest": SHEETS[n].facts_digest, "slo": "met", "actions": [], **facts}
    return record(PERF, LIVE + (n + 1) * WEEK + timedelta(days=1), said)


def looked_up(**changes: Any) -> ReviewFilesFacts:
    """Return that nothing was looked up, but for the changes."""
    values: dict[str, Any] = {
        "go_live_at": LIVE.isoformat(),
        "committed": (),
        "runs": (),
        "clone": True,
        "clone_at": "repo.clone",
        "commits": (),
        "attached": (),
    }
    return ReviewFilesFacts(**{**values, **changes})


def perf(
    files: list[SignedFile], now: datetime, kept: int = 4, other: ReviewFilesFacts | None = None
) -> None:
    """Run the check of weekly reviews; Prometheus still has the last `kept` weeks."""
    over = int((now - LIVE) / WEEK)
    CHECKS["test_perf_review"](
        evidence_facts=EvidenceFacts("claims", tuple(files), ()),
        week_sheets_facts=WeekSheetsFacts(LIVE.isoformat(), over, SHEETS[max(0, over - kept) : over]),
        review_files_facts=other or looked_up(),
        limits=LIMITS,
        now=now,
    )


def after(weeks: int, days: float = 2.0) -> datetime:
    """Return a time so many weeks and days after the go-live."""
    return LIVE + weeks * WEEK + timedelta(days=days)


def test_months_of_reviews_are_right() -> None:
    """Records that expired since, and weeks that Prometheus has deleted, break no chain."""
    expired = [
        replace(weekly(n), problems=(f"it expired at {LIVE.isoformat()}",), differs=("version 1 is not 2",))
        for n in range(11)
    ]
    perf([*expired, weekly(11)], after(12))


def test_before_the_first_week_is_over_it_is_pending() -> None:
    """Nobody reviews a week that is not over."""
    with pytest.raises(Pending):
        perf([], after(0, 6.9))


def test_until_the_first_review_is_due_it_is_pending() -> None:
    """A weekend after the week is early enough; later it is not."""
    with pytest.raises(Pending):
        perf([], after(1, 1.9))
    with pytest.raises(AssertionError, match="there is no review"):
        perf([], after(1, 2.1))


def test_two_skipped_weeks_fail() -> None:
    """A hole of two weeks in three months is one."""
    with pytest.raises(AssertionError, match=r"nobody reviewed from .* 21\.0 days"):
        perf([weekly(n) for n in range(12) if n not in (5, 6)], after(12))


def test_a_review_of_nothing_fails() -> None:
    """Before the first week is over there is no digest to cite but a run's."""
    early = record(PERF, LIVE + timedelta(days=3), {"facts_digest": "a" * 64, "slo": "met", "actions": []})
    with pytest.raises(AssertionError, match="not collected before it is over"):
        perf([early], after(1, 0.5))


def test_a_run_is_cited_as_well_as_a_week() -> None:
    """Reviews at other times than a week's end cite the evidence of a run, as the ledger has it."""
    at = LIVE + timedelta(days=3)
    run = CitedRun("r1", (at - timedelta(hours=1)).isoformat(), "a" * 64, ())
    said = {"run": "r1", "facts_digest": "a" * 64, "slo": "met", "actions": []}
    perf([record(PERF, at, said)], after(1, 0.5), other=looked_up(runs=(run,)))
    with pytest.raises(AssertionError):
        perf(
            [record(PERF, at, said)], after(1, 0.5), other=looked_up(runs=(replace(run, evidence="b" * 64),))
        )


def test_a_release_each_week_begins_nothing_anew() -> None:
    """Reviews from before the go-live of this release go on, and so do their holes."""
    before = [
        record(PERF, LIVE - n * WEEK, {"facts_digest": f"{n:064x}", "slo": "met", "actions": []})
        for n in range(1, 5)
    ]
    run = CitedRun("r1", (LIVE - WEEK).isoformat(), f"{1:064x}", ())
    newest = replace(before[0], facts={**before[0].facts, "run": "r1"})
    perf([newest, *before[1:]], LIVE + timedelta(days=1), other=looked_up(runs=(run,)))
    with pytest.raises(AssertionError, match="nobody reviewed"):
        perf([newest, *before[2:]], LIVE + timedelta(days=1), other=looked_up(runs=(run,)))


def test_committed_in_one_evening_is_reviewed_in_one_evening() -> None:
    """Signing times that were made up do not help where all records were committed at once."""
    files = [weekly(n) for n in range(4)]
    evening = after(4).isoformat()
    with pytest.raises(AssertionError, match="nobody reviewed"):
        perf(files, after(4), other=looked_up(committed=tuple((one.name, evening) for one in files)))


def test_a_week_that_is_gone_is_no_proof() -> None:
    """Where Prometheus has none of the weeks that were cited last, nothing shows that they were looked at."""
    with pytest.raises(Unproven) as why:
        perf([weekly(n) for n in range(4)], after(4), kept=0)
    assert why.value.reason is Reason.NO_EVIDENCE


AT = LIVE + timedelta(days=62)
RUNS = tuple(
    CitedRun(
        f"r{n}",
        (LIVE + timedelta(days=30 * n, hours=-5)).isoformat(),
        f"{n:064x}",
        (("pre_deploy.security.tls", "passed"), ("post_deploy.security.authz", "passed")),
    )
    for n in (1, 2)
)
FINDING = {"title": "root over ssh", "severity": "critical", "owner": "ada", "due": AT.isoformat()}


def audit(n: int, **facts: Any) -> SignedFile:
    """Return the audit of a month."""
    said = {"run": f"r{n}", "facts_digest": f"{n:064x}", "scope": list(SCOPE), "findings": [], **facts}
    return record(AUDIT, LIVE + timedelta(days=30 * n), said)


def audited(
    *files: SignedFile, sums: tuple[str, str] = ("1", "2"), runs: tuple[CitedRun, ...] = RUNS
) -> None:
    """Run the check of monthly audits, each with one file of this sum."""
    attached = tuple(
        Attached(file.name, "audit.json", digest, True, ()) for file, digest in zip(files, sums, strict=False)
    )
    CHECKS["test_sec_audit"](
        evidence_facts=EvidenceFacts("claims", files, ()),
        review_files_facts=looked_up(runs=runs, attached=attached),
        limits=LIMITS,
        now=AT,
    )


def test_audits_each_month_are_right() -> None:
    """Two months, two audits, over runs of their own; a critical finding that was closed is none."""
    closed = {**FINDING, "due": LIVE.isoformat(), "closed_at": LIVE.isoformat()}
    audited(audit(1), audit(2, findings=[closed]))


@pytest.mark.parametrize(
    ("run", "match"),
    [
        (lambda: audited(audit(1), audit(2), sums=("1", "1")), "it is a copy"),
        (lambda: audited(audit(1), audit(2), sums=("1",)), "no file with it"),  # type: ignore[arg-type]
        (lambda: audited(audit(1), audit(2, scope=["access"])), "did not look at secrets"),
        (
            lambda: audited(audit(1), audit(2, findings=[{**FINDING, "due": LIVE.isoformat()}])),
            "critical finding 'root over ssh' was due",
        ),
        (lambda: audited(audit(1), audit(2), runs=RUNS[:1]), "which the ledger does not have"),
        (
            lambda: audited(audit(1), audit(2), runs=(RUNS[0], replace(RUNS[1], security=()))),
            "judged nothing of pre_deploy.security",
        ),
        (
            lambda: audited(audit(1), audit(2), runs=(RUNS[0], replace(RUNS[1], at=LIVE.isoformat()))),
            "60.0 days before",
        ),
        (lambda: audited(audit(2)), "nobody reviewed"),
    ],
    ids=["copy", "nothing with it", "scope", "overdue", "no run", "no security", "old run", "one skipped"],
)
def test_audits_that_do_not_hold(run: Callable[[], None], match: str) -> None:
    """Each is found, and the message says what."""
    with pytest.raises(AssertionError, match=re.escape(match)):
        run()


HEALTHY = UpkeepFacts(
    go_live_at=LIVE.isoformat(),
    start=(AT - timedelta(days=30)).isoformat(),
    slot_s=300.0,
    coverage=(("app", 0.9995),),
    requests=1e6,
    errors=100.0,
    alerts=(Firing("DiskFull", 3600.0, False, 1),),
    silences=(
        Silence("ada", "upgrade", "alertname=X", AT.isoformat(), (AT + timedelta(days=1)).isoformat()),
    ),
    run_every_s=86_400.0,
    due=30.0,
    runs=30,
    interrupted=0,
    missed=1,
    longest_run_gap_s=172_800.0,
    gap_at=LIVE.isoformat(),
    broken="",
    ledger_problem="",
)


def watched(now: datetime = AT, **changes: Any) -> None:
    """Run both checks of what watches."""
    facts = replace(HEALTHY, **changes)
    CHECKS["test_monitoring"](upkeep_facts=facts, limits=LIMITS, now=now)
    CHECKS["test_monitoring_runs"](upkeep_facts=facts, limits=LIMITS, now=now)


def test_a_tended_month_is_right() -> None:
    """One run that was missed in a month, and an alert of an hour, are ordinary."""
    watched()


def test_on_the_first_day_it_is_pending() -> None:
    """An hour of samples is no watching yet."""
    with pytest.raises(Pending):
        watched(LIVE + timedelta(hours=1))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"coverage": (("app", 0.98),)}, "job app has samples in 98.0%"),
        ({"coverage": ()}, "names no job"),
        ({"errors": 5000.0}, "99.500% of the requests"),
        ({"alerts": (Firing("DiskFull", 10 * 86_400.0, True, 1),)}, "DiskFull fired for 10.0 days"),
        ({"alerts": (Firing("DiskFull", 300.0, False, 9),)}, "9 times in a day"),
        (
            {"silences": (Silence("ada", "noisy", "alertname=X", LIVE.isoformat(), AT.isoformat()),)},
            "silenced alertname=X for 62 days",
        ),
        ({"missed": 2}, "2 of 30 runs"),
        ({"runs": 0, "missed": 29}, "29 of 30 runs"),
        ({"broken": "line 7"}, "broken at line 7"),
    ],
)
def test_a_month_that_nobody_tended(changes: dict[str, Any], match: str) -> None:
    """Holes, errors, alerts and silences that are left alone, and missing runs, are each found."""
    with pytest.raises(AssertionError, match=re.escape(match)):
        watched(**changes)


@pytest.mark.parametrize("changes", [{"requests": None}, {"requests": 0.0}, {"ledger_problem": "no ledger"}])
def test_what_was_not_counted_proves_nothing(changes: dict[str, Any]) -> None:
    """Without requests or a ledger the item is unproven, not passed."""
    with pytest.raises(Unproven):
        watched(**changes)
