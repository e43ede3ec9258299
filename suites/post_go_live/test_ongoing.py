"""Post Go-Live, Ongoing Operations (items 99, 100 and 103): reviews each week and month, and that watching goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, provisional, unproven
from pytest_deploycheck.claims import cadence, reviews
from pytest_deploycheck.claims.cadence import Cadence, Review
from pytest_deploycheck.claims.evidence import fact, moment_of
from pytest_deploycheck.probes.review_files import SCOPE, ReviewFilesFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.upkeep import UpkeepFacts
    from pytest_deploycheck.probes.week_sheets import WeekSheetsFacts

PERF = "post_go_live.ongoing.perf_review"
AUDIT = "post_go_live.ongoing.sec_audit"
MONITORING = "post_go_live.ongoing.monitoring"


@pytest.mark.checklist(PERF, text="Weekly performance reviews")
def test_perf_review(
    evidence_facts: EvidenceFacts,
    week_sheets_facts: WeekSheetsFacts,
    review_files_facts: ReviewFilesFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Since the go-live somebody looked each week, at that week's numbers, and what was decided gets done."""
    live = _go_live(week_sheets_facts.go_live_at)
    often = _weekly(limits)
    files = _chain(evidence_facts, PERF, often, live, review_files_facts, now)
    known = [_cites(file, week_sheets_facts, review_files_facts, often) for file in files]
    if not any(known[-2:]):
        unproven(
            Reason.NO_EVIDENCE,
            f"what {files[-1].name} cites cannot be seen any more: Prometheus does not hold its week",
        )
    newest = files[-1]
    assert fact(newest, "slo", str) in ("met", "missed"), f"{newest.name}: slo is neither met nor missed"
    _actions(newest, limits, now)


@pytest.mark.checklist(AUDIT, text="Monthly security audits")
def test_sec_audit(
    evidence_facts: EvidenceFacts, review_files_facts: ReviewFilesFacts, limits: Limits, now: datetime
) -> None:
    """Each month security looked at everything anew, over a fresh run of the security suites, and findings close."""
    facts = review_files_facts
    live = _go_live(facts.go_live_at)
    files = _chain(evidence_facts, AUDIT, _monthly(limits), live, facts, now)
    newest = files[-1]
    _over_a_run(newest, facts, limits.audit_run_max_d, security=True)
    scope = fact(newest, "scope", list)
    missing = [name for name in SCOPE if name not in scope]
    assert not missing, f"{newest.name} did not look at {', '.join(missing)}"
    attached = {one.sha256 for one in facts.of(newest.name)}
    assert attached, f"{newest.name} has no file with it (deploycheck attest … --file)"
    if len(files) > 1:
        again = attached & {one.sha256 for one in facts.of(files[-2].name)}
        assert not again, f"{newest.name} has files that {files[-2].name} had: it is a copy"
    for one in reviews.tables(
        newest, fact(newest, "findings", list), "findings", "title", "severity", "owner", "due"
    ):
        due = moment_of(str(one["due"]), f"{newest.name}: due")
        late = str(one["severity"]).lower() == "critical" and not one.get("closed_at") and due < now
        assert not late, f"{newest.name}: critical finding {one['title']!r} was due at {due.isoformat()}"


@pytest.mark.checklist(MONITORING, text="Continuous monitoring and optimization")
def test_monitoring(upkeep_facts: UpkeepFacts, limits: Limits, now: datetime) -> None:
    """Over a month there are samples and runs without holes, the objective is met, and no alert is left alone.

    Provisional while the month since the go-live is not over.
    """
    facts, live = upkeep_facts, _go_live(upkeep_facts.go_live_at)
    opens = live + timedelta(days=limits.upkeep_first_d)
    if now < opens:
        pending(opens, "a day of watching is judged first")
    closes = live + timedelta(days=limits.upkeep_window_d)
    if now < closes:
        provisional(closes)
    assert facts.coverage, "prometheus.jobs names no job"
    for job, share in facts.coverage:
        assert share >= limits.upkeep_coverage_min, (
            f"job {job} has samples in {share:.1%} of the slots of {facts.slot_s:.0f} s since {facts.start}"
        )
    if not facts.requests:
        unproven(Reason.NO_TRAFFIC, f"no request was counted since {facts.start}")
    served = 1 - (facts.errors or 0.0) / facts.requests
    assert served >= limits.upkeep_objective, (
        f"{served:.3%} of the requests were answered without a server error"
    )
    for alert in facts.alerts:
        assert alert.longest_s <= limits.upkeep_alert_max_d * 86_400, (
            f"alert {alert.name} fired for {alert.longest_s / 86_400:.1f} days"
        )
        assert alert.starts_per_day <= limits.upkeep_flaps_max, (
            f"alert {alert.name} started to fire {alert.starts_per_day} times in a day: it flaps"
        )
    for silence in facts.silences:
        start, end = datetime.fromisoformat(silence.start), datetime.fromisoformat(silence.end)
        assert end - start <= timedelta(days=limits.upkeep_silence_max_d), (
            f"{silence.by or 'somebody'} silenced {silence.matchers} for {(end - start).days} days: {silence.comment}"
        )


@pytest.mark.checklist(MONITORING, text="Continuous monitoring and optimization")
def test_monitoring_runs(upkeep_facts: UpkeepFacts, limits: Limits, now: datetime) -> None:
    """These suites ran when they were due, so that what they would have found was looked for."""
    facts, live = upkeep_facts, _go_live(upkeep_facts.go_live_at)
    if now < live + timedelta(days=limits.upkeep_first_d):
        pending(live + timedelta(days=limits.upkeep_first_d), "a day of runs is judged first")
    if facts.ledger_problem:
        unproven(Reason.NO_CONFIG, facts.ledger_problem)
    assert not facts.broken, f"the ledger is broken at {facts.broken}"
    assert facts.runs_share >= limits.upkeep_runs_min, (
        f"{facts.missed} of {facts.due:.0f} runs that were due since {facts.start} are missing "
        f"({facts.interrupted} were interrupted); no run for {facts.longest_run_gap_s / 3600:.0f} h from {facts.gap_at} on"
    )


@pytest.mark.checklist(MONITORING, text="Continuous monitoring and optimization")
def test_monitoring_notes(
    evidence_facts: EvidenceFacts,
    review_files_facts: ReviewFilesFacts,
    upkeep_facts: UpkeepFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Each month operations noted how much room there is, over a run of these suites, and what is done about it."""
    live = _go_live(upkeep_facts.go_live_at)
    often = _monthly(limits)
    if now < live + timedelta(days=often.every) and not reviews.counting(evidence_facts.files, MONITORING):
        # What is watched counts; the first note is not due yet.
        provisional(live + often.longest)
        assert upkeep_facts.start, "the window has no start"
        return
    files = _chain(evidence_facts, MONITORING, often, live, review_files_facts, now)
    newest = files[-1]
    _over_a_run(newest, review_files_facts, limits.audit_run_max_d, security=False)
    capacity = reviews.tables(newest, fact(newest, "capacity", list), "capacity", "resource", "used", "limit")
    assert capacity, f"{newest.name} names no resource"
    _actions(newest, limits, now)


def _weekly(limits: Limits) -> Cadence:
    return Cadence(
        limits.review_weekly_d,
        limits.review_weekly_grace_d,
        limits.review_weekly_back_d,
        limits.review_committed_max_d,
    )


def _monthly(limits: Limits) -> Cadence:
    return Cadence(
        limits.review_monthly_d,
        limits.review_monthly_grace_d,
        limits.review_monthly_back_d,
        limits.review_committed_max_d,
    )


def _go_live(text: str) -> datetime:
    if not text:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    return datetime.fromisoformat(text)


def _chain(
    evidence: EvidenceFacts,
    item: str,
    often: Cadence,
    live: datetime,
    looked_up: ReviewFilesFacts,
    now: datetime,
) -> Sequence[SignedFile]:
    """Return the counting records of an item, oldest first, once their chain holds.

    It begins at the go-live, or with the first review within the look-back where that is earlier: with a new release
    each week nobody begins anew each week.
    """
    begin = now - timedelta(days=often.back)
    files = [file for file in reviews.counting(evidence.files, item) if file.produced >= min(begin, live)]
    since = min([live, *(file.produced for file in files)])
    first = live + timedelta(days=often.every)
    if not files and now < first:
        pending(first, f"the first {often.every:.0f} days are not over")
    made = [
        Review(
            file.name,
            file.produced,
            str(file.facts.get("facts_digest", "")),
            looked_up.committed_at(file.name),
        )
        for file in files
    ]
    found = cadence.chain(made, often, since=since, now=now)
    if not made and not found.problems:
        pending(
            found.due, f"nobody has reviewed it yet; due until {found.due.date()}: deploycheck attest {item}"
        )
    assert not found.problems, "; ".join(found.problems[:4])
    return files


def _cites(file: SignedFile, weeks: WeekSheetsFacts, looked_up: ReviewFilesFacts, often: Cadence) -> bool:
    """Fail unless a review cites a week that was over and not long past, or a run of then by its evidence.

    False where Prometheus does not have the week any more, or it was another release's.
    """
    cited, run = str(file.facts.get("facts_digest", "")), looked_up.run(str(file.facts.get("run", "")))
    early, late = file.produced - often.longest, file.produced + cadence.FUTURE_MAX
    if run is not None and run.evidence == cited and early <= datetime.fromisoformat(run.at) <= late:
        return True
    theirs = [one for one in weeks.sheets if early <= one.ends <= late]
    told = ", ".join(f"{one.facts_digest[:12]} to {one.end}" for one in theirs)
    live = datetime.fromisoformat(weeks.go_live_at)
    assert cited in [one.facts_digest for one in theirs] or not (
        theirs or live <= file.produced < weeks.first_over
    ), (
        f"{file.name} cites {cited[:12]}; the facts of its week are {told or 'not collected before it is over'}"
    )
    return bool(theirs)


def _over_a_run(file: SignedFile, facts: ReviewFilesFacts, longest_d: float, *, security: bool) -> None:
    """Fail unless a record cites, by its evidence's digest, a run that ended shortly before."""
    name, cited = fact(file, "run", str), fact(file, "facts_digest", str)
    run = facts.run(name)
    assert run is not None, f"{file.name} cites run {name}, which the ledger does not have"
    assert run.evidence == cited, (
        f"{file.name} cites {cited[:12]}; the evidence of run {name} is {run.evidence[:12]}"
    )
    age = file.produced - datetime.fromisoformat(run.at)
    assert timedelta(minutes=-5) <= age <= timedelta(days=longest_d), (
        f"{file.name} is over a run of {run.at}, {age / timedelta(days=1):.1f} days before"
    )
    if security:
        phases = {item.split(".")[0] for item, _ in run.security}
        for phase in ("pre_deploy", "post_deploy"):
            assert phase in phases, f"run {name} judged nothing of {phase}.security"


def _actions(file: SignedFile, limits: Limits, now: datetime) -> None:
    actions = reviews.tables(file, fact(file, "actions", list), "actions", "what", "opened_at")
    late = reviews.open_too_long(file, actions, timedelta(days=limits.review_action_max_d), now)
    assert not late, f"{file.name}: open for too long: {'; '.join(late)}"
