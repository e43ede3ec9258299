"""Go-Live, Mobile App Integration (item 87): the app that is released was used against production, and worked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence
from pytest_deploycheck.claims.evidence import fact, moment
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.claims.signed import SignedFile
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.mobile import MobileFacts
    from pytest_deploycheck.probes.mobile_use import MobileUseFacts

TESTED = "go_live.mobile.tested"
TEXT = "Mobile app tested against production backend"
STEPS_WITHOUT_LOG = ("push", "deep link", "offline")


def _record(facts: EvidenceFacts, use: MobileUseFacts, limits: Limits, now: datetime) -> SignedFile:
    """Return the newest record, whose tests were not long before the go-live."""
    file = evidence.newest(facts.files, TESTED, now=now, max_age_d=limits.app_tests_max_age_d + 30)
    if not use.go_live_at:
        unproven(Reason.NO_CONFIG, "no release.go_live_at in the target file; add it")
    started, finished = moment(file, "started_at"), moment(file, "finished_at")
    assert started <= finished <= file.produced + timedelta(minutes=5), (
        f"{file.name} tells times that cannot be"
    )
    age = datetime.fromisoformat(use.go_live_at) - started
    assert age <= timedelta(days=limits.app_tests_max_age_d), (
        f"the app was tried {age.days} days before the go-live"
    )
    return file


@pytest.mark.checklist(TESTED, text=TEXT)
def test_tested(
    evidence_facts: EvidenceFacts,
    mobile_facts: MobileFacts,
    mobile_use_facts: MobileUseFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Every flow was tried with the released files on real devices, against this very release of the service."""
    file = _record(evidence_facts, mobile_use_facts, limits, now)
    place = fact(file, "environment", str)
    assert place == mobile_use_facts.environment, f"{file.name}: tried against {place}"
    commit = fact(file, "backend_commit", str)
    assert mobile_use_facts.commit, "no release.commit in the target file"
    assert commit == mobile_use_facts.commit, (
        f"{file.name}: tried against another release of the service, {commit}"
    )
    tried = {str(one.get("sha256")) for one in _entries(file, "apps")}
    assert mobile_facts.apps, "mobile.artifacts names no file"
    for app in mobile_facts.apps:
        assert app.sha256 in tried, f"{file.name}: {app.file} ({app.sha256[:12]}) was not what was tried"
    _devices(file, mobile_facts, mobile_use_facts, limits)
    flows = fact(file, "flows", dict)
    assert mobile_use_facts.required_flows, "mobile.required_flows names none"
    for flow in mobile_use_facts.required_flows:
        assert flows.get(flow) == "passed", f"{file.name}: {flow} {flows.get(flow, 'was not tried')}"


def _entries(file: SignedFile, key: str) -> list[dict[str, Any]]:
    found = fact(file, key, list)
    if not all(isinstance(one, dict) for one in found):
        unproven(Reason.UNPARSEABLE, f"{file.name}: {key} is no list of tables")
    return list(found)


def _devices(file: SignedFile, facts: MobileFacts, use: MobileUseFacts, limits: Limits) -> None:
    devices = _entries(file, "devices")
    real = [one for one in devices if one.get("kind") == "device"]
    assert len(real) >= limits.app_devices_min, (
        f"{file.name}: tried on {len(real)} devices, simulators and emulators left out; "
        f"at least {limits.app_devices_min:g} are needed"
    )
    tried = {(str(one.get("platform")).lower(), one.get("os_major")) for one in real}
    for platform in {"ios" if app.kind == "ipa" else "android" for app in facts.apps}:
        assert any(platform == one for one, _ in tried), f"{file.name}: tried on no device with {platform}"
    for platform, majors in use.os_majors:
        for major in majors:
            assert (platform.lower(), major) in tried, (
                f"{file.name}: tried on no device with {platform} {major}"
            )


@pytest.mark.checklist(TESTED, text=TEXT)
def test_tested_results(
    evidence_facts: EvidenceFacts, mobile_use_facts: MobileUseFacts, limits: Limits, now: datetime
) -> None:
    """The tests' own reports are those that were signed, hold tests, and none failed."""
    file = _record(evidence_facts, mobile_use_facts, limits, now)
    reports = mobile_use_facts.reports
    if not reports:
        # A matrix that people went through by hand: the record itself holds the numbers.
        tests, failures = fact(file, "tests", int), fact(file, "failures", int)
        assert tests >= len(mobile_use_facts.required_flows), (
            f"{file.name}: {tests} tests are fewer than the flows"
        )
        assert failures == 0, f"{file.name}: {failures} tests failed"
        return
    signed = {str(one.get("sha256")) for one in _entries(file, "reports")}
    for report in reports:
        assert report.sha256 in signed, f"{report.file} is not the report that {file.name} was signed with"
        assert report.tests > report.skipped, f"{report.file} holds no test that ran"
        bad = report.failures + report.errors
        assert bad == 0, f"{report.file}: {bad} of {report.tests} tests failed: {', '.join(report.bad)}"
    assert fact(file, "tests", int) == sum(one.tests for one in reports), (
        f"{file.name} tells another number of tests"
    )


@pytest.mark.checklist(TESTED, text=TEXT)
def test_tested_in_log(
    evidence_facts: EvidenceFacts, mobile_use_facts: MobileUseFacts, limits: Limits, now: datetime
) -> None:
    """The access log of those hours has the app, in its version, on each route that the flows need, answered well."""
    file = _record(evidence_facts, mobile_use_facts, limits, now)
    assert mobile_use_facts.window == (fact(file, "started_at", str), fact(file, "finished_at", str))
    if mobile_use_facts.lines == 0 and mobile_use_facts.unread:
        unproven(Reason.UNPARSEABLE, "no request could be found in the log's lines with the app's name")
    assert mobile_use_facts.lines, (
        f"no client that calls itself {mobile_use_facts.user_agent} is in the access log from "
        f"{mobile_use_facts.window[0]} to {mobile_use_facts.window[1]}"
    )
    needed = [one for one in mobile_use_facts.required_flows if one not in STEPS_WITHOUT_LOG]
    wanted = [one for one in mobile_use_facts.routes if one.flow in needed]
    if not wanted:
        unproven(Reason.NO_CONFIG, "mobile.flow_routes names no route of a required flow")
    for one in wanted:
        assert one.good >= limits.app_requests_min, (
            f"{one.flow}: the app asked {one.route} {one.requests} times, and {one.good} were answered well"
        )
