"""Go-Live, Mobile App Integration (item 88): users can install a version that the API accepts, when it is planned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.rules.app_versions import older
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.mobile import MobileFacts
    from pytest_deploycheck.probes.mobile_links import MobileLinksFacts
    from pytest_deploycheck.probes.mobile_store import MobileStoreFacts, Offer

STORES = "go_live.mobile.stores"
TEXT = "App store deployment coordinated (if applicable)"
APPROVED = ("READY_FOR_DISTRIBUTION", "PENDING_DEVELOPER_RELEASE", "PENDING_APPLE_RELEASE")
"""App Store Connect's `appVersionState` once the review is passed."""
PLAY_TRACKS = ("production",)
PLAY_STATES = ("completed", "inProgress", "draft")
"""`status` of a release of the Google Play Developer API that is on its way; "halted" is not."""


@pytest.mark.checklist(STORES, text=TEXT)
def test_stores(
    mobile_facts: MobileFacts,
    mobile_store_facts: MobileStoreFacts,
    mobile_links_facts: MobileLinksFacts,
    evidence_facts: EvidenceFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Every store offers the version, or has it approved for its time, and the API serves what the stores offer."""
    _applies(mobile_store_facts)
    assert mobile_store_facts.expected_version, "neither mobile.expected_version nor release.version is set"
    kinds = {app.kind for app in mobile_facts.apps}
    file = _record(evidence_facts, mobile_store_facts, limits, now)
    if "ipa" in kinds:
        _apple(mobile_store_facts, mobile_links_facts, file, now)
    if kinds & {"apk", "aab"}:
        _play(mobile_facts, mobile_store_facts, mobile_links_facts, file, limits)
    assert kinds & {"ipa", "apk", "aab"}, "mobile.artifacts names no app that a store could have"


def _record(
    evidence_facts: EvidenceFacts, facts: MobileStoreFacts, limits: Limits, now: datetime
) -> SignedFile:
    """Return the newest record, which was fresh when the service went live, or is now where that is to come."""
    file = evidence.newest(
        evidence_facts.files, STORES, now=now, max_age_d=limits.store_record_max_age_d + 30
    )
    if not facts.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    age = min(now, datetime.fromisoformat(facts.go_live_at)) - file.produced
    if age > timedelta(days=limits.store_record_max_age_d):
        unproven(
            Reason.STALE,
            f"{file.name} was {age.days} days old at the go-live; the stores may have moved since",
        )
    return file


def _applies(facts: MobileStoreFacts) -> None:
    if not facts.enabled:
        unproven(Reason.NO_CONFIG, "there is no app (mobile.enabled = false): declare the item out of scope")
    if facts.distribution != "store":
        unproven(
            Reason.NO_CONFIG,
            'no store has the app (mobile.distribution = "internal"): declare the item out of scope',
        )


def _apple(facts: MobileStoreFacts, links: MobileLinksFacts, file: SignedFile, now: datetime) -> None:
    if not facts.bundle_id:
        unproven(Reason.NO_CONFIG, "no mobile.bundle_id in the target file; add it")
    assert facts.offers, "mobile.countries names none"
    waiting = []
    for offer in facts.offers:
        if offer.count is None:
            unproven(Reason.NO_EVIDENCE, f"the store of {offer.country} could not be asked: {offer.why}")
        if not _offers(offer, facts):
            waiting.append(offer)
        if offer.version and links.min_version:
            assert not _too_old(offer.version, links.min_version), (
                f"the store of {offer.country} offers {offer.version}, and the API serves from {links.min_version} on"
            )
    if not waiting:
        return
    # Not there yet: it must have passed its review, and be planned for later.
    names = ", ".join(f"{one.country} ({one.version or 'not there'})" for one in waiting)
    words = f"Apple's stores do not offer {facts.expected_version} in {names}"
    state = file.facts.get("app_store")
    assert isinstance(state, dict), f"{words}, and {file.name} does not say that it is approved"
    assert state.get("version") == facts.expected_version, (
        f"{words}; {file.name} is about {state.get('version')}"
    )
    assert state.get("state") in APPROVED, f"{words}; its state there is {state.get('state')}"
    planned = moment(file, "release_at")
    assert planned > now or state.get("phased") is True, (
        f"{words}, though it was planned for {planned.isoformat()}"
    )


def _offers(offer: Offer, facts: MobileStoreFacts) -> bool:
    assert offer.count in (0, 1), f"the store of {offer.country} knows {offer.count} apps of this name"
    assert not offer.count or offer.bundle_id == facts.bundle_id, (
        f"the store of {offer.country} answers with {offer.bundle_id}"
    )
    return bool(offer.count) and not _too_old(offer.version, facts.expected_version)


def _too_old(version: str, wanted: str) -> bool:
    try:
        return older(version, wanted)
    except ValueError as error:
        unproven(Reason.UNPARSEABLE, f"versions cannot be compared: {error}")


def _play(
    mobile: MobileFacts, facts: MobileStoreFacts, links: MobileLinksFacts, file: SignedFile, limits: Limits
) -> None:
    """Judge what the product wrote down of Play, whose API shows tracks only to who may change them."""
    assert fact(file, "play.package", str) == facts.package, f"{file.name} is about another app"
    track, status = fact(file, "play.track", str), fact(file, "play.status", str)
    assert track in PLAY_TRACKS, (
        f"{file.name}: Play has the version on the track {track}, where users do not get it"
    )
    assert status in PLAY_STATES, f"{file.name}: the release on Play is {status}"
    version = fact(file, "play.version", str)
    assert not _too_old(version, facts.expected_version), f"{file.name}: Play offers {version}"
    builds = {app.build for app in mobile.apps if app.kind in ("apk", "aab")}
    code = fact(file, "play.version_code", int)
    assert str(code) in builds, (
        f"{file.name}: Play has build {code}, the released files are {', '.join(builds)}"
    )
    rollout = fact(file, "play.rollout", (int, float))
    if status == "inProgress":
        assert rollout >= limits.play_rollout_min, f"{file.name}: Play offers it to {rollout:.1%} of users"
    if links.min_version and "." in links.min_version:
        assert not _too_old(version, links.min_version), (
            f"Play offers {version}, and the API serves from {links.min_version} on"
        )


@pytest.mark.checklist(STORES, text=TEXT)
def test_stores_plan(
    mobile_store_facts: MobileStoreFacts, evidence_facts: EvidenceFacts, limits: Limits, now: datetime
) -> None:
    """The version comes out with the service, neither long before nor after, and the stores' questions are answered."""
    _applies(mobile_store_facts)
    file = _record(evidence_facts, mobile_store_facts, limits, now)
    go_live = datetime.fromisoformat(mobile_store_facts.go_live_at)
    planned = moment(file, "release_at")
    assert moment(file, "go_live_at") == go_live, (
        f"{file.name} tells another go-live than {go_live.isoformat()}"
    )
    early = go_live - planned
    assert early <= timedelta(days=limits.store_release_early_d) or file.facts.get("early_because"), (
        f"{file.name}: the stores offer the version {early.days} days before the service is there"
    )
    assert planned <= go_live + timedelta(days=limits.store_release_late_d), (
        f"{file.name}: the stores have the version on {planned.isoformat()}, long after the go-live"
    )
    answers = fact(file, "listing", dict)
    for question in ("privacy", "export"):
        assert answers.get(question) is True, (
            f"{file.name}: the stores' questions on {question} are not answered"
        )
