"""The store probe: which version Apple's stores offer, country by country."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead, probe

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

COUNTRIES_MAX = 12


@dataclass(frozen=True)
class Offer:
    """What a country's store says of the app: count: of the apps found; released_at: of this version, ISO 8601.

    why: why there is no answer, empty where there is one.
    """

    country: str
    count: int | None
    bundle_id: str
    version: str
    released_at: str
    why: str


@dataclass(frozen=True)
class MobileStoreFacts:
    """The stores' offers.

    expected_version: that users must be able to install, by default the release's.  asked: Apple's stores were, which
    is so where there is a `mobile.bundle_id`.  package: Android's, where there is one.  go_live_at: ISO 8601.
    """

    enabled: bool
    distribution: str
    expected_version: str
    bundle_id: str
    package: str
    offers: tuple[Offer, ...]
    go_live_at: str


@probe(facts=MobileStoreFacts, deadline=40, uses={"app_store": "GET"})
def mobile_store(target: Target, connect: Connections) -> MobileStoreFacts:
    """Look the app up as everybody can; the answers are cached by the store for some hours."""
    section = target.mobile
    wanted = section.enabled and section.distribution == "store"
    countries = section.countries[:COUNTRIES_MAX] if wanted and section.bundle_id else []
    return MobileStoreFacts(
        enabled=section.enabled,
        distribution=section.distribution,
        expected_version=section.expected_version or target.release.version,
        bundle_id=section.bundle_id,
        package=section.package,
        offers=tuple(_offer(target, connect, country) for country in countries),
        go_live_at=target.release.go_live_at.isoformat() if target.release.go_live_at else "",
    )


def _offer(target: Target, connect: Connections, country: str) -> Offer:
    asked = {"bundleId": target.mobile.bundle_id, "country": country}
    try:
        answer = connect.http("app_store").get("/lookup", params=asked)
    except (Dead, CannotLook) as why:
        return Offer(country, None, "", "", "", why.message)
    try:
        body = safe_json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    count = body.get("resultCount") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(count, int):
        return Offer(country, None, "", "", "", f"the store answers {answer.status} without a result")
    results = body.get("results")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    word = {key: str(first.get(key, ""))[:80] for key in ("bundleId", "version", "currentVersionReleaseDate")}
    return Offer(country, count, word["bundleId"], word["version"], word["currentVersionReleaseDate"], "")
