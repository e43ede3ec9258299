"""Checks of the mobile app against made-up facts: what flips each of them, and what must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.mobile import AppFacts, MobileFacts
from pytest_deploycheck.probes.mobile_links import ANDROID, APPLE, Document, MobileLinksFacts
from pytest_deploycheck.probes.mobile_pins import MobilePinsFacts, PinnedKeys
from pytest_deploycheck.probes.mobile_store import MobileStoreFacts, Offer
from tests.suites.checks import suite

CHECKS = suite("go_live/test_mobile.py")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CERT = "ab" * 32
APK = AppFacts(
    file="shop.apk", sha256="1" * 64, kind="apk", problem="", released=None, id="shop.app", version="1.4.2", build="142",
    min_os="26", target_sdk=35, debuggable=False, test_only=False, cleartext=False, cleartext_hosts=(),
    own_certificates=False, links=(), pins=(), team_app_id="", schemes=("v2",), certificates=(CERT,), subjects=("CN=Shop",),
    test_key=False, verified=True, signature_problem="", oddities=(), api_hosts=("api.shop.example",), hosts=(),
    names_contract=True, chain_ids=(1,), hits=(), texts=3,
)  # fmt: skip
AAB = replace(APK, file="shop.aab", kind="aab", schemes=("v1",), verified=None, certificates=("cd" * 32,))
IPA = replace(
    APK,
    file="shop.ipa",
    kind="ipa",
    schemes=("profile",),
    verified=None,
    certificates=(),
    team_app_id="T.shop.app",
)
APPS = MobileFacts(
    enabled=True, distribution="store", package="shop.app", bundle_id="shop.app", team_app_id="T.shop.app",
    signing_certificates=(), api_hosts=("api.shop.example", "pay.shop.example"), cleartext_hosts=(), contract="0x1",
    chain_id=1, known_secrets=3, apps=(APK, IPA),
)  # fmt: skip
SITE = "https://shop.example"
LINKS = MobileLinksFacts(
    enabled=True,
    sites=(SITE,),
    android=(Document(SITE, ANDROID, 200, "", "application/json", True, (("shop.app", CERT),), ""),),
    apple=(Document(SITE, APPLE, 200, "", "application/json", True, (("T.shop.app", ""),), ""),),
    apple_copies=(),
    min_version="1.3.0",
    min_version_at="/config: min",
)


def judge(name: str, apps: MobileFacts, links: MobileLinksFacts = LINKS) -> None:
    """Run a check of item 86."""
    given: dict[str, Any] = {"mobile_facts": apps}
    if name in ("test_endpoints_links", "test_endpoints_version"):
        given["mobile_links_facts"] = links
    CHECKS[name](**given)


@pytest.mark.parametrize(
    "name", ["test_endpoints", "test_endpoints_build", "test_endpoints_links", "test_endpoints_version"]
)
def test_a_good_release_passes(name: str) -> None:
    """An APK and an IPA as they should be."""
    judge(name, APPS)


@pytest.mark.parametrize(
    "name", ["test_endpoints", "test_endpoints_build", "test_endpoints_links", "test_endpoints_version"]
)
def test_no_files_are_no_release(name: str) -> None:
    """Nothing that was looked at never passes; without an app the item is declared out of scope."""
    with pytest.raises(AssertionError):
        judge(name, replace(APPS, apps=()))
    quiet = replace(LINKS, android=(), apple=())
    with pytest.raises(Unproven, match="not-applicable"):
        judge(name, replace(APPS, enabled=False, apps=()), quiet)


def test_an_app_that_is_denied_though_the_site_names_it() -> None:
    """`enabled = false` beside an association file that names an app is a contradiction."""
    with pytest.raises(AssertionError, match="belong to shop"):
        judge("test_endpoints_links", replace(APPS, enabled=False, apps=()))


def test_a_bundle_is_signed_by_play() -> None:
    """The upload key is not what devices see: without Play's certificate nothing is proven, with it all is."""
    bundle = replace(APPS, apps=(AAB,))
    judge("test_endpoints_build", bundle)
    with pytest.raises(Unproven, match="signing_certificates"):
        judge("test_endpoints_links", bundle)
    judge("test_endpoints_links", replace(bundle, signing_certificates=(CERT,)))
    with pytest.raises(AssertionError, match="signed with"):
        judge("test_endpoints_links", replace(bundle, signing_certificates=("ef" * 32,)))


def test_signatures_that_cannot_be_checked() -> None:
    """An algorithm that is unknown here proves nothing; scheme v1 alone is enough only for old systems."""
    with pytest.raises(Unproven):
        judge("test_endpoints_build", replace(APPS, apps=(replace(APK, verified=None),)))
    old = replace(APK, schemes=("v1",), verified=None)
    with pytest.raises(AssertionError, match="scheme v2"):
        judge("test_endpoints_build", replace(APPS, apps=(old,)))
    judge("test_endpoints_build", replace(APPS, apps=(replace(old, target_sdk=29),)))


@pytest.mark.parametrize(
    ("told", "good"), [("142", True), ("143", False), ("1.4.2", True), ("1.4.3", False), ("1", True)]
)
def test_oldest_versions(told: str, good: bool) -> None:
    """A number of builds is held against the build, a version against the version."""
    links = replace(LINKS, min_version=told)
    if good:
        judge("test_endpoints_version", APPS, links)
    else:
        with pytest.raises(AssertionError, match="serves from"):
            judge("test_endpoints_version", APPS, links)


@pytest.mark.parametrize(
    ("keys", "served", "outcome"),
    [(("a", "b"), (("x", "a"),), ""), (("a", "b"), (("x", "y"),), "does not serve"), (("a", "x"), (("x", "a"),), "no key"), (("a",), (("a",),), "one key")],
)  # fmt: skip
def test_pins(keys: tuple[str, ...], served: tuple[tuple[str, ...], ...], outcome: str) -> None:
    """One pinned key is served, and one waits; which of the chain's it is does not matter."""
    facts = MobilePinsFacts(2, (PinnedKeys("shop.apk", "api.shop.example", keys, "", True, served, ""),))
    check = CHECKS["test_endpoints_pins"]
    if outcome:
        with pytest.raises(AssertionError, match=outcome):
            check(mobile_facts=APPS, mobile_pins_facts=facts)
    else:
        check(mobile_facts=APPS, mobile_pins_facts=facts)
    with pytest.raises(Unproven):
        check(
            mobile_facts=APPS, mobile_pins_facts=replace(facts, hosts=(replace(facts.hosts[0], pinned=("a", "b"), served=()),))
        )  # fmt: skip


STORE = MobileStoreFacts(
    enabled=True,
    distribution="store",
    expected_version="1.4.2",
    bundle_id="shop.app",
    package="shop.app",
    offers=(Offer("us", 1, "shop.app", "1.4.2", "", ""), Offer("de", 1, "shop.app", "1.5.0", "", "")),
    go_live_at=NOW.isoformat(),
)


class Said:
    """A signed record as the checks see it."""

    name = "record.json"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts


WAITING = {"version": "1.4.2", "state": "PENDING_DEVELOPER_RELEASE"}


@pytest.mark.parametrize(
    ("version", "count", "facts", "outcome"),
    [
        ("1.4.2", 1, {}, ""),
        ("1.4.1", 1, {}, "does not say that it is approved"),
        ("1.4.1", 1, {"app_store": WAITING, "release_at": (NOW + timedelta(hours=1)).isoformat()}, ""),
        ("", 0, {"app_store": WAITING, "release_at": (NOW + timedelta(hours=1)).isoformat()}, ""),
        ("1.4.1", 1, {"app_store": WAITING, "release_at": (NOW - timedelta(hours=9)).isoformat()}, "though it was planned"),
        ("1.4.1", 1, {"app_store": {**WAITING, "state": "IN_REVIEW"}}, "IN_REVIEW"),
        ("1.4.1", 1, {"app_store": {**WAITING, "version": "1.4.0"}}, "is about 1.4.0"),
        ("1.2.9", 1, {"app_store": WAITING, "release_at": (NOW + timedelta(hours=1)).isoformat()}, "serves from 1.3.0"),
    ],
)  # fmt: skip
def test_apples_stores(version: str, count: int, facts: dict[str, Any], outcome: str) -> None:
    """The version is there, or approved and planned; whatever is there is served by the API."""
    offer = Offer("us", count, "shop.app" if count else "", version, "", "")
    apple = suite("go_live/test_mobile.py")["test_stores"].__globals__["_apple"]
    given = (replace(STORE, offers=(offer, STORE.offers[1])), LINKS, Said(**facts), NOW)
    if outcome:
        with pytest.raises(AssertionError, match=outcome):
            apple(*given)
    else:
        apple(*given)


def test_a_store_that_gives_no_answer_proves_nothing() -> None:
    """A lookup that failed is neither an offer nor the lack of one."""
    apple = suite("go_live/test_mobile.py")["test_stores"].__globals__["_apple"]
    silent = Offer("us", None, "", "", "", "timed out")
    with pytest.raises(Unproven, match="timed out"):
        apple(replace(STORE, offers=(silent,)), LINKS, Said(), NOW)
    with pytest.raises(Unproven, match="internal"):
        CHECKS["test_stores_plan"](
            mobile_store_facts=replace(STORE, distribution="internal"),
            evidence_facts=None,
            limits=Limits(),
            now=NOW,
        )
