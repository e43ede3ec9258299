"""Deploy: code preparation, what scanners of the code and audits of its dependencies found."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.probes.audits import blocks
from pytest_deploycheck.probes.sarif import CodeScan, SarifFacts, weight
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.dependencies import DependenciesFacts, Lock
    from pytest_deploycheck.probes.evidence_files import Origin
    from pytest_deploycheck.probes.sarif_files import Finding

SCAN = "Security scan completed"
DEPS = "Dependencies updated and audited"


@pytest.mark.checklist("deploy.code.scan", text=SCAN)
def test_scan(sarif_facts: SarifFacts, limits: Limits, now: datetime) -> None:
    """Each required scanner ran to its end, on the released commit, on all of it, lately."""
    facts = sarif_facts
    assert facts.scans, f"{', '.join(facts.empty[:3])}: no run of a scanner is in it, so none ever started"
    if not facts.required:
        unproven(
            Reason.NO_CONFIG, "no scan.required_tools; name the scanners that must have looked at the code"
        )
    for tool in facts.required:
        found = facts.of(tool)
        others = ", ".join(sorted({scan.tool for scan in facts.scans})) or "none"
        assert found, f"no scan by {tool}; there are scans by: {others}"
        for scan in found:
            assert scan.succeeded is not False, (
                f"{scan.origin.file}: {scan.tool} says that it did not succeed"
            )
            _about(scan.origin, facts.commit, now, limits)
            _looked_at_all(scan, limits)
            _lately(scan.origin, now, limits.code_scan_max_age_s)


def _looked_at_all(scan: CodeScan, limits: Limits) -> None:
    """Hold how much a scanner looked at against the code: a scan of nothing is clean, one of a folder half blind."""
    file, path = scan.origin.file, scan.origin.scanned_path
    assert scan.files is None or scan.files > 0, f"{file}: {scan.tool} looked at no file"
    assert path in ("", "."), f"{file}: {scan.tool} looked at {path} only"
    if scan.coverage is not None:
        assert scan.coverage >= limits.code_scan_min_coverage, (
            f"{file}: {scan.tool} looked at {scan.coverage:.0%} of the files, not at {', '.join(scan.missed)}"
        )
    if scan.files is None or (scan.coverage is None and not path):
        unproven(
            Reason.NO_EVIDENCE,
            f"{file} does not say what {scan.tool} looked at; write an envelope with --scanned",
        )


@pytest.mark.checklist("deploy.code.scan", text=SCAN)
def test_scan_findings(sarif_facts: SarifFacts, limits: Limits, now: datetime) -> None:
    """No scanner's finding at or above the bar is open, no secret is left, and what was accepted says why and until when."""
    facts = sarif_facts
    tools = {scan.tool for scan in facts.scans}
    newest = [one for tool in sorted(tools) for one in facts.of(tool)]
    about = [scan for scan in newest if scan.origin.commit in ("", facts.commit)]
    assert about, f"no scan is about {facts.commit}"
    for scan in about:
        for finding in scan.findings:
            named = f"{finding.rule} at {finding.place}"
            if scan.secrets:
                assert finding.suppressed, f"{scan.origin.file}: {scan.tool} found a secret: {named}"
            severe = scan.secrets or weight(finding) >= limits.code_scan_block_severity
            assert finding.suppressed or not severe, (
                f"{scan.origin.file}: {scan.tool} found {named}, {finding.level}"
                f"{'' if finding.severity is None else f', severity {finding.severity}'}"
            )
            if severe:
                _accepted(f"{scan.origin.file}: {named}", finding, now)


def _accepted(named: str, finding: Finding, now: datetime) -> None:
    assert finding.reason, f"{named} is suppressed without a reason"
    assert finding.owner, f"{named} is suppressed, and nobody answers for that; add owner: NAME"
    assert finding.until, f"{named} is suppressed for ever; add until: YYYY-MM-DD"
    assert datetime.fromisoformat(finding.until) > now, f"{named} was to be suppressed until {finding.until}"


@pytest.mark.checklist("deploy.code.deps", text=DEPS)
def test_deps(dependencies_facts: DependenciesFacts, limits: Limits, now: datetime) -> None:
    """Each lock file of the released commit is in step and was audited as it is, wholly; nothing is open at the bar."""
    facts = dependencies_facts
    for audit in facts.audits:
        for hit in audit.audited.found:
            fix = f", fixed in {hit.fixed_in}" if hit.fixed_in else ""
            assert not blocks(hit.level, facts.block_level), (
                f"{audit.origin.file}: {hit.id} in {hit.package} ({hit.level}){fix}"
            )
        for level, count in audit.audited.counted:
            assert count == 0 or not blocks(level, facts.block_level), (
                f"{audit.origin.file}: {count} vulnerabilities are {level}"
            )
        skipped = [name for name in audit.audited.skipped if name not in facts.allow_skipped]
        assert not skipped, f"{audit.origin.file} skipped {', '.join(skipped[:5])}; see deps.allow_skipped"
        assert audit.audited.packages != 0, f"{audit.origin.file} looked at no package"
    assert not facts.unlocked, f"no lock file holds what {', '.join(facts.unlocked[:5])} asks for"
    for lock in facts.locks or ():
        assert not lock.out_of_step, f"{lock.path} is not in step: {', '.join(lock.out_of_step[:5])}"
    for name, why in facts.unreadable:
        unproven(Reason.UNPARSEABLE, f"{name}: {why}")
    if facts.locks is None:
        unproven(
            Reason.NO_CONFIG, f"{facts.clone} lacks commit {facts.commit}; set repo.clone to a clone of it"
        )
    assert facts.locks, f"commit {facts.commit} has no lock file"
    for lock in facts.locks:
        _audited(lock, facts, limits, now)


def _audited(lock: Lock, facts: DependenciesFacts, limits: Limits, now: datetime) -> None:
    """One lock file has a fresh audit of exactly its content, of at least the packages that it locks."""
    kind = [audit for audit in facts.audits if audit.ecosystem in (lock.ecosystem, "")]
    if not kind:
        unproven(
            Reason.NO_EVIDENCE, f"no audit of {lock.path} ({lock.ecosystem}); see [reports], or deps.ignore"
        )
    if not any(audit.origin.inputs for audit in kind):
        unproven(
            Reason.NO_EVIDENCE,
            f"{kind[0].origin.file} does not say which lock file it is about; see envelopes",
        )
    about = [audit for audit in kind if audit.is_of(lock)]
    assert about, f"{lock.path} is not what was audited: no audit names its sha256 {lock.sha256[:16]}…"
    audit = max(about, key=lambda one: one.origin.produced_at)
    _about(audit.origin, facts.commit, now, limits)
    if audit.audited.names:
        missing = [
            f"{name} {version}" for name, version in lock.pins if (name, version) not in audit.audited.names
        ]
        left = [one for one in missing if one.split()[0] not in facts.allow_skipped]
        assert not left, f"{audit.origin.file} did not look at {', '.join(left[:5])} of {lock.path}"
    if audit.audited.packages is not None and lock.packages is not None and not lock.pins:
        assert audit.audited.packages >= lock.packages, (
            f"{audit.origin.file} looked at {audit.audited.packages} packages, {lock.path} has {lock.packages}"
        )
    deployed = datetime.fromisoformat(facts.deployed_at) if facts.deployed_at else now
    _lately(audit.origin, min(deployed, now), limits.audit_max_age_s)


@pytest.mark.checklist("deploy.code.deps", text=DEPS)
def test_deps_updated(dependencies_facts: DependenciesFacts, limits: Limits, now: datetime) -> None:
    """No runtime is past its end of life, and no direct dependency many major versions behind."""
    facts = dependencies_facts
    for runtime in facts.runtimes:
        named = f"{runtime.name} {runtime.version} (in {runtime.named_in})"
        assert not runtime.ends_on or runtime.ends_on >= now.date().isoformat(), (
            f"{named} gets no security updates since {runtime.ends_on}"
        )
    for listed in facts.outdated:
        for one in listed.behind:
            assert one.majors <= limits.deps_max_major_lag, (
                f"{one.name} {one.current} is {one.majors} major versions behind {one.newest}"
            )
    for name, why in facts.unreadable:
        unproven(Reason.UNPARSEABLE, f"{name}: {why}")
    unknown = [f"{one.name} {one.version}" for one in facts.runtimes if not one.ends_on]
    if unknown or not facts.runtimes:
        which = f"until when {unknown[0]} is supported" if unknown else "which runtime the code needs"
        unproven(Reason.NO_EVIDENCE, f"nothing says {which}; name its exact version in deps.runtimes")
    have = {listed.ecosystem for listed in facts.outdated}
    for ecosystem, key in (("python", "reports.pip_outdated"), ("node", "reports.npm_outdated")):
        if any(lock.ecosystem == ecosystem for lock in facts.locks or ()) and ecosystem not in have:
            unproven(Reason.NO_CONFIG, f"no {key}: nothing says how far the {ecosystem} packages are behind")
    for listed in facts.outdated:
        _about(listed.origin, facts.commit, now, limits)


@pytest.mark.checklist("deploy.code.deps", text=DEPS)
def test_deps_sbom(dependencies_facts: DependenciesFacts, limits: Limits, now: datetime) -> None:
    """For each image that is built there is a list of its parts, by the digest that is released."""
    facts = dependencies_facts
    if not facts.built:
        unproven(Reason.NO_CONFIG, "no image in release.images that is built here; see build.third_party")
    if not facts.sboms:
        for name, why in facts.unreadable:
            unproven(Reason.UNPARSEABLE, f"{name}: {why}")
        unproven(Reason.NO_CONFIG, "no bill of materials; give reports.sbom")
    for service, digest in facts.built:
        found = [one for one in facts.sboms if digest in one.digests]
        assert found, f"no bill of materials is about {service}'s image {digest[:19]}…"
        for one in found:
            assert one.parts > 0, f"{one.origin.file} lists no part"
            assert one.origin.intact is not False, (
                f"{one.origin.file} was changed after its envelope was written"
            )


def _about(origin: Origin, commit: str, now: datetime, limits: Limits) -> None:
    """Let a report be about the released commit, and neither altered nor of the future."""
    assert origin.intact is not False, f"{origin.file} was changed after its envelope was written"
    assert not origin.disputed, f"{origin.file} is about {origin.commit}, and about {origin.disputed}"
    if not origin.commit:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say which commit it is about; see envelopes")
    assert origin.commit == commit, f"{origin.file} is about {origin.commit}, not {commit}"
    age_s = origin.age_s(now)
    if age_s is None:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say when it was made; see envelopes")
    assert age_s >= -limits.evidence_future_max_s, f"{origin.file} is of the future: {origin.produced_at}"


def _lately(origin: Origin, at: datetime, oldest_s: float) -> None:
    """Let a report not have been old at a moment."""
    age_s = origin.age_s(at)
    if age_s is None or age_s > oldest_s:
        unproven(
            Reason.STALE, f"{origin.file} is of {origin.produced_at}, more than {oldest_s / 3600:.0f} h old"
        )
