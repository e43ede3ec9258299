"""Post Go-Live, First Week: what people reviewed (items 95 and 97), each held against what can be counted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import pending, unproven
from pytest_deploycheck.claims import reviews
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.probes.usage_totals import DAYS, UsageTotalsFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.review_files import ReviewFilesFacts
    from pytest_deploycheck.probes.security_logs import SecurityLogsFacts

BEHAVIOR = "post_go_live.first_week.behavior"
SECLOGS = "post_go_live.first_week.seclogs"


@pytest.mark.checklist(BEHAVIOR, text="Analyze user behavior patterns")
def test_behavior(
    evidence_facts: EvidenceFacts,
    usage_totals_facts: UsageTotalsFacts,
    review_files_facts: ReviewFilesFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Product read a report of this week whose totals are the database's, and which names no person.

    That the report is understood cannot be seen; that it is of this product, of this week and free of personal data
    (by pattern, in files that can be read) can.
    """
    live = _go_live(usage_totals_facts.go_live_at)
    if _settled(usage_totals_facts.passed_in, live, limits, now):
        return
    file = _review(evidence_facts, BEHAVIOR, live, limits, now)
    days = _period(file, live)
    totals = fact(file, "totals", dict)
    counted = usage_totals_facts.over(days)
    assert counted, f"nothing was counted over the first {days} days"
    for one in counted:
        if one.count is None:
            unproven(Reason.NO_CONFIG, f"{one.name} could not be counted ({one.why}); give reviews.totals")
    assert any(one.count for one in counted), "the database has no user's action in the period"
    for one in counted:
        told = totals.get(one.name)
        if not isinstance(told, int | float) or isinstance(told, bool):
            unproven(Reason.NO_EVIDENCE, f"{file.name} does not say totals.{one.name}")
        assert one.count is not None
        assert abs(told - one.count) <= limits.review_totals_off_max * one.count, (
            f"{file.name} tells of {told:g} {one.name}, the database of {one.count}"
        )
    assert fact(file, "findings", list), (
        f"{file.name} names no finding: drop-offs, abuse, or that there is none"
    )
    attached = review_files_facts.of(file.name)
    assert attached, f"{file.name} has no report with it (deploycheck attest … --file)"
    for report in attached:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.personal)
        assert not report.personal, f"{report.path} holds personal data: {kinds}"
    for report in attached:
        if not report.readable:
            unproven(
                Reason.UNPARSEABLE,
                f"{report.path} cannot be searched for personal data; attach CSV, JSON, HTML, text or a spreadsheet",
            )


@pytest.mark.checklist(SECLOGS, text="Review security logs")
def test_seclogs(
    evidence_facts: EvidenceFacts, security_logs_facts: SecurityLogsFacts, limits: Limits, now: datetime
) -> None:
    """Security read the lines of every source, cites what was counted, and says what each unusual day was."""
    facts = security_logs_facts
    live = _go_live(facts.go_live_at)
    if _settled(facts.passed_in, live, limits, now):
        return
    file = _review(evidence_facts, SECLOGS, live, limits, now)
    if not facts.sheets:
        unproven(Reason.NO_TRAFFIC, "the log backend has no line of the week, or keeps it no longer")
    cited = fact(file, "facts_digest", str)
    sheet = next((one for one in facts.sheets if one.facts_digest == cited), None)
    told = ", ".join(f"{one.facts_digest[:12]} to {one.end}" for one in facts.sheets)
    assert sheet is not None, f"{file.name} cites {cited[:12]}; the facts of the week are {told}"
    assert sheet.ends <= file.produced, f"{file.name} cites facts of a period that was not over"
    days = (sheet.ends - live).days
    assert facts.sources, "no source of security logs is declared"
    read = fact(file, "sources", list)
    for name, lines in facts.sources:
        assert sum(lines[:days]), f"no line of source {name} in the week"
        assert name in read, f"{file.name} did not read source {name}"
    assert fact(file, "queries", list), f"{file.name} does not say what it looked for"
    outliers = fact(file, "outliers", dict)
    for count in facts.counts:
        for day in count.outliers(days, limits.seclogs_outlier_min, limits.seclogs_outlier_factor):
            assert str(outliers.get(count.name, "")).strip(), (
                f"{count.days[day - 1]} lines of {count.name} on day {day} are unusual "
                f"(days: {', '.join(map(str, count.days[:days]))}), and {file.name} does not say what they were"
            )


@pytest.mark.checklist(SECLOGS, text="Review security logs")
def test_seclogs_detect(security_logs_facts: SecurityLogsFacts, limits: Limits, now: datetime) -> None:
    """What these checks sent in the week, wrong logins and attack strings among it, can be found in the logs."""
    facts = security_logs_facts
    live = _go_live(facts.go_live_at)
    opens = live + timedelta(days=limits.review_opens_d)
    if _settled(facts.passed_in, live, limits, now):
        return
    if now < opens:
        pending(opens, f"looked for from {opens.date()} on")
    if not facts.sheets:
        unproven(Reason.NO_TRAFFIC, "the log backend has no line of the week, or keeps it no longer")
    assert sum(facts.ours), "no line of the week tells of a request by these checks: an attack would not show"


def _go_live(text: str) -> datetime:
    if not text:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    return datetime.fromisoformat(text)


def _settled(run: str, live: datetime, limits: Limits, now: datetime) -> bool:
    """Whether a run of this release found the review good once it was due; what it was judged by may be gone."""
    if not run:
        return False
    due = live + timedelta(days=limits.review_due_d)
    assert now > due, f"run {run} found it good, and it is not due before {due.isoformat()}"
    return True


def _review(facts: EvidenceFacts, item: str, live: datetime, limits: Limits, now: datetime) -> SignedFile:
    opens = live + timedelta(days=limits.review_opens_d)
    due = live + timedelta(days=limits.review_due_d)
    if now < opens:
        pending(opens, f"reviewed from {opens.date()} on")
    file = reviews.within(facts.files, item, opens=opens, due=due, now=now)
    if file is None:
        if now <= due:
            pending(due, f"nobody has reviewed it yet; due until {due.date()}: deploycheck attest {item}")
        unproven(Reason.NO_EVIDENCE, f"nobody reviewed it until {due.date()}, when it was due")
    return file


def _period(file: SignedFile, live: datetime) -> int:
    """Return over how many days from the go-live on a review is."""
    start, end = moment(file, "period_start"), moment(file, "period_end")
    assert abs(start - live) <= timedelta(minutes=1), f"{file.name} begins at {start}, not at the go-live"
    for days in DAYS:
        if abs(end - live - timedelta(days=days)) <= timedelta(minutes=1):
            assert end <= file.produced, f"{file.name} is about a period that was not over"
            return days
    raise AssertionError(
        f"{file.name} ends at {end}; a period is five, six or seven days from the go-live on"
    )
