"""The checks of items 56 and 57 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.image_scans import Ignored, ImageScan
from pytest_deploycheck.probes.log_scan import Finding, LogScanFacts, Planted, ServiceScan
from pytest_deploycheck.probes.scans import ScansFacts, WebScan
from tests.suites.checks import suite

CHECKS = suite("post_deploy/test_security.py")
LIMITS = Limits()
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)

PLANTED = Planted(seen=True, login=True, waited_s=0.4, leaked_password=0, leaked_bearer=0)
LOGS = LogScanFacts(
    scanned=(ServiceScan("api", 400, 1.0, 2.0), ServiceScan("edge", 1, 1.0, 1.0)),
    allowed=0,
    known_secrets=7,
    findings=(),
    planted=PLANTED,
    public_status=None,
)


@pytest.mark.parametrize("status", [None, 0, 302, 401, 403, 404])
def test_clean_logs_pass(status: int | None) -> None:
    """With the log's own pages closed in any way."""
    CHECKS["test_logs"](log_scan_facts=replace(LOGS, public_status=status), limits=LIMITS)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"findings": (Finding("api", "value of JWT_SECRET", 3, "0badc0de"),)},
            AssertionError,
            "JWT_SECRET in 3 lines",
        ),
        ({"planted": replace(PLANTED, leaked_password=1)}, AssertionError, "password of a failed login"),
        ({"planted": replace(PLANTED, leaked_bearer=2)}, AssertionError, "bearer token"),
        ({"public_status": 200}, AssertionError, "open to anybody"),
        ({"scanned": ()}, AssertionError, "names no service"),
        ({"scanned": (ServiceScan("api", 0, 0.0, 0.0),)}, Unproven, "no line of 'api'"),
        ({"known_secrets": 0}, Unproven, "no secret to look for"),
        ({"planted": None}, Unproven, "our own requests"),
        ({"planted": replace(PLANTED, seen=False)}, Unproven, "our own requests"),
    ],
)
def test_logs_that_tell_or_say_nothing(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """A secret fails, whatever else; silence is unproven."""
    with pytest.raises(error, match=words):
        CHECKS["test_logs"](log_scan_facts=replace(LOGS, **changes), limits=LIMITS)


def stamp(days: float, hours: float = 0) -> str:
    """Return a moment so long ago."""
    return (NOW - timedelta(days=days, hours=hours)).isoformat()


IMAGE = ImageScan(
    file="api.json",
    digests=("sha256:aa", "sha256:id"),
    scanned_at=stamp(1),
    database_at=stamp(1, 5),
    system="debian 12.8",
    classes=("lang-pkgs", "os-pkgs"),
    packages=300,
    end_of_life=False,
    fixable=(),
    exploited=(),
    ignored=(),
)
WEB = WebScan("zap.json", ("https://shop.example",), stamp(3), 14, ())
SCANS = ScansFacts((("api", "sha256:aa"),), "https://shop.example", (IMAGE,), (WEB,))


def image(**changes: Any) -> ScansFacts:
    """Return facts in which the image's scan differs."""
    return replace(SCANS, images=(replace(IMAGE, **changes),))


def vulns(facts: ScansFacts) -> None:
    """Run the check of images."""
    CHECKS["test_vulns"](scans_facts=facts, limits=LIMITS, now=NOW)


@pytest.mark.parametrize(
    "facts",
    [
        SCANS,
        image(packages=None),
        image(classes=("os-pkgs",)),  # a database image has no libraries of a language
        image(system="", classes=("lang-pkgs",)),  # one built from scratch has no system
        image(ignored=(Ignored("CVE-1", "not reachable", stamp(-30)),)),
        replace(SCANS, running=(("api", "sha256:id"),)),
        replace(SCANS, images=(replace(IMAGE, scanned_at=stamp(90), fixable=(("CVE-0", "x", "2"),)), IMAGE)),
    ],
)
def test_scanned_images_pass(facts: ScansFacts) -> None:
    """Any kind of image, matched by digest or id; an older report of the same image does not matter."""
    vulns(facts)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(SCANS, running=(("api", "sha256:other"),)), AssertionError, "no scan is about that image"),
        (replace(SCANS, running=()), AssertionError, "no running image"),
        (image(end_of_life=True), AssertionError, "no more updates"),
        (image(classes=()), AssertionError, "no package"),
        (image(classes=("lang-pkgs",)), AssertionError, "not at os-pkgs"),
        (image(system="", classes=("os-pkgs",)), AssertionError, "not at lang-pkgs"),
        (image(packages=0), AssertionError, "no package at all"),
        (image(fixable=(("CVE-9", "libc6", "2.36-9"),)), AssertionError, "CVE-9 in libc6, fixed in 2.36-9"),
        (image(exploited=("CVE-8",)), AssertionError, "known to be exploited: CVE-8"),
        (image(ignored=(Ignored("CVE-1", "", stamp(-1)),)), AssertionError, "without a reason"),
        (image(ignored=(Ignored("CVE-1", "why", ""),)), AssertionError, "without an end"),
        (image(ignored=(Ignored("CVE-1", "why", stamp(1)),)), AssertionError, "was to be ignored until"),
        (image(scanned_at=""), AssertionError, "does not say when"),
        (image(scanned_at=stamp(-1)), AssertionError, "in the future"),
        (image(scanned_at=stamp(8)), Unproven, "8 days old"),
        (image(database_at=""), Unproven, "database's age"),
        (image(database_at=stamp(3)), AssertionError, "database was 2 days"),
    ],
)
def test_images_that_are_not_proven_clean(facts: ScansFacts, error: type[Exception], words: str) -> None:
    """Another digest, half a scan, old data, open findings and endless excuses do not pass."""
    with pytest.raises(error, match=words):
        vulns(facts)


def web(**changes: Any) -> ScansFacts:
    """Return facts in which the web scan differs."""
    return replace(SCANS, web=(replace(WEB, **changes),))


@pytest.mark.parametrize(
    "facts",
    [
        SCANS,
        web(sites=("https://cdn.example", "https://shop.example:443")),
        replace(SCANS, site="https://shop.example/api"),
    ],
)
def test_a_scanned_site_passes(facts: ScansFacts) -> None:
    """The default port may be written out, and the API may stand below a path."""
    CHECKS["test_vulns_web"](scans_facts=facts, limits=LIMITS, now=NOW)


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (web(sites=("https://staging.example",)), Unproven, "no web scan of https://shop.example"),
        (replace(SCANS, web=()), Unproven, "no web scan"),
        (web(addresses=0), AssertionError, "saw no address"),
        (web(high=("SQL Injection",)), AssertionError, "SQL Injection"),
        (web(scanned_at=stamp(40)), Unproven, "40 days old"),
    ],
)
def test_a_site_that_is_not_proven_clean(facts: ScansFacts, error: type[Exception], words: str) -> None:
    """Another site, no page, a high risk or an old report do not pass."""
    with pytest.raises(error, match=words):
        CHECKS["test_vulns_web"](scans_facts=facts, limits=LIMITS, now=NOW)
