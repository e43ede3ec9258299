"""Rollback Plan, Rollback Triggers: users' trouble would be seen, and there is none (item 108)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import provisional, unproven
from pytest_deploycheck.claims.evidence import fact, moment, newest
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.journeys import JourneysFacts
    from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts
    from pytest_deploycheck.probes.user_issues import UserIssuesFacts

BUGS = "User-impacting bugs discovered"
ITEM = "rollback.triggers.bugs"
DECIDE = "rollback decision needed"
DAY = timedelta(days=1)


@pytest.mark.checklist(ITEM, text=BUGS)
def test_bugs_tracked(
    user_issues_facts: UserIssuesFacts, rollback_plan_facts: RollbackPlanFacts, limits: Limits
) -> None:
    """Somebody is told of new issues, and none since the release hit more users than the plan allows.

    An issue that is older than the release counts by its events since then, where the tracker tells them.
    """
    facts = user_issues_facts
    assert facts.project_found, "the tracker does not have the project"
    assert facts.alerts is not False, "not armed: nobody is told of new issues"
    said = rollback_plan_facts.trigger("bugs")
    assert said is not None, f"{rollback_plan_facts.file} does not speak of 'bugs'"
    most = said.number("users_max")
    assert most is not None, f"{rollback_plan_facts.file}: [bugs] has no users_max"
    assert most <= limits.bug_users_max, (
        f"the plan lets one issue hit {most:g} users; {limits.bug_users_max:g} are allowed"
    )
    for one in facts.issues:
        assert one.users is None or one.users <= most, (
            f"{DECIDE}: {one.title!r} hit {one.users} users or more since the release"
        )
    unknown = [one for one in facts.issues if one.users is None and one.events > most]
    if unknown:
        unproven(
            Reason.NO_EVIDENCE,
            f"{unknown[0].title!r} came {unknown[0].events} times, and its events name no user; let the SDK set one",
        )


@pytest.mark.checklist(ITEM, text=BUGS)
def test_bugs_journeys(journeys_facts: JourneysFacts, limits: Limits) -> None:
    """Synthetic users make every journey every few minutes, and arrive."""
    facts = journeys_facts
    assert facts.journeys, "triggers.journeys names none"
    for journey in facts.journeys:
        assert journey.success is not None, (
            f"not armed: {facts.metric} has no journey {journey.name!r}; there are {', '.join(facts.reported) or 'none'}"
        )
        assert journey.age_s is not None, f"not armed: {facts.run_metric} has no journey {journey.name!r}"
        assert journey.age_s <= limits.journey_interval_max_s, (
            f"not armed: journey {journey.name!r} was last made {journey.age_s:.0f} s ago"
        )
    for journey in facts.journeys:
        assert journey.success == 1, f"{DECIDE}: journey {journey.name!r} fails"


@pytest.mark.checklist(ITEM, text=BUGS)
def test_bugs_reported(
    user_issues_facts: UserIssuesFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """No bug of the highest priorities is open; after the first day support has told what users reported.

    Until a day after the go-live support's word need not be there; what it says already counts.
    """
    facts = user_issues_facts
    if facts.blockers is None:
        unproven(
            Reason.NO_EVIDENCE,
            f"open blockers are not known: {facts.blockers_problem}; give triggers.blockers_url",
        )
    assert facts.blockers == 0, f"{DECIDE}: {facts.blockers} issues of the highest priorities are open"
    if not facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at; support's word covers the day after it")
    ends = datetime.fromisoformat(facts.go_live_at) + DAY
    there = any(one.item == ITEM and one.kind == "record" for one in evidence_facts.files)
    if now < ends:
        provisional(ends)
        if not there:
            return
    record = newest(evidence_facts.files, ITEM, now=now, max_age_d=limits.support_word_max_age_d)
    blockers = fact(record, "open_blockers", int)
    assert blockers == 0, f"{DECIDE}: support has {blockers} open reports that stop users ({record.name})"
    until = moment(record, "until")
    if now >= ends and until < ends:
        unproven(
            Reason.STALE, f"{record.name} covers the time until {until.isoformat()} only, not the first day"
        )
