"""Rollback Plan, Rollback Triggers: no known critical hole in what runs (item 104)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims.evidence import fact, newest
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.known_holes import KnownHolesFacts
    from pytest_deploycheck.probes.rollback_plan import RollbackPlanFacts

VULN = "Critical security vulnerability discovered"
ITEM = "rollback.triggers.vuln"
DECIDE = "rollback decision needed"
FUTURE_MAX_S = 300


@pytest.mark.checklist(ITEM, text=VULN)
def test_vuln_scanned_today(
    known_holes_facts: KnownHolesFacts, rollback_plan_facts: RollbackPlanFacts, limits: Limits, now: datetime
) -> None:
    """Every image of the release was scanned since yesterday, and has no critical finding with a fix.

    That the release's images are those that run is another item's to prove (running = released).
    """
    assert known_holes_facts.images, "no running image is known"
    said = rollback_plan_facts.trigger("vuln")
    assert said is not None, f"{rollback_plan_facts.file} does not speak of 'vuln'"
    hours = said.number("scan_max_age_h")
    assert hours is not None, f"{rollback_plan_facts.file}: [vuln] has no scan_max_age_h"
    assert hours <= limits.trigger_scan_max_age_h, (
        f"the plan is content with scans of {hours:g} h; {limits.trigger_scan_max_age_h:g} h are allowed"
    )
    for image in known_holes_facts.images:
        assert image.file, f"not armed: no scan is about {image.digest[:19]}…, which {image.service} runs"
        assert image.scanned_at, f"not armed: {image.file} does not say when it was made"
        age_s = (now - datetime.fromisoformat(image.scanned_at)).total_seconds()
        assert age_s >= -FUTURE_MAX_S, f"{image.file} was made in the future: {image.scanned_at}"
        assert age_s <= hours * 3600, (
            f"not armed: {image.file} is {age_s / 3600:.0f} h old, {hours:g} h are promised"
        )
    for image in known_holes_facts.images:
        assert not image.critical, f"{DECIDE}: {image.service}: " + "; ".join(
            f"{name} in {package}, fixed in {fixed}" for name, package, fixed in image.critical[:3]
        )
        assert not image.exploited, (
            f"{DECIDE}: {image.service} has holes that are being exploited: {', '.join(image.exploited[:5])}"
        )


@pytest.mark.checklist(ITEM, text=VULN)
def test_vuln_disclosed(
    known_holes_facts: KnownHolesFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """Nobody has reported a critical hole that is still open: by the team's tracker, or by security's word."""
    count = known_holes_facts.security_issues
    if count is not None:
        assert count == 0, f"{DECIDE}: {count} critical security issues are open"
    said = [one for one in evidence_facts.files if one.item == ITEM and one.kind == "record"]
    if count is None and not said:
        unproven(
            Reason.NO_EVIDENCE,
            f"nobody says whether critical holes were reported: {known_holes_facts.security_problem}; "
            f"give triggers.security_url, or security's record of {ITEM}",
        )
    if said:
        record = newest(
            evidence_facts.files,
            ITEM,
            now=now,
            max_age_d=limits.disclosure_word_max_age_d,
            this_release=False,
        )
        disclosures = fact(record, "open_disclosures", int)
        assert disclosures == 0, f"{DECIDE}: {disclosures} disclosures are open ({record.name})"
