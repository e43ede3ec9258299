"""Go-live, final checks: all security scans of this release, together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.claims import evidence, policy
from pytest_deploycheck.claims.evidence import fact
from pytest_deploycheck.claims.scope import GREEN
from pytest_deploycheck.probes.audits import blocks
from pytest_deploycheck.probes.sarif import SarifFacts, weight
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.dependencies import DependenciesFacts
    from pytest_deploycheck.probes.evidence import EvidenceFacts
    from pytest_deploycheck.probes.evidence_files import Origin
    from pytest_deploycheck.probes.final_scans import FinalScansFacts
    from pytest_deploycheck.probes.ledger import LedgerFacts
    from pytest_deploycheck.probes.scans import ScansFacts

ITEM = "go_live.final.scans"
SCANS = "Security scans clean"
JUDGED = (
    *("deploy.code.scan", "deploy.code.deps", "post_deploy.security.vulns"),
    *("pre_deploy.security.tls", "pre_deploy.security.headers"),
    *("post_deploy.security.cert", "post_deploy.security.headers"),
)
FUTURE_MAX_S = 300


@pytest.mark.checklist(ITEM, text=SCANS)
def test_scans(
    sarif_facts: SarifFacts,
    dependencies_facts: DependenciesFacts,
    final_scans_facts: FinalScansFacts,
    limits: Limits,
    now: datetime,
) -> None:
    """Code, secrets and dependencies were scanned today, all at the released commit, and nothing severe is open."""
    code = sarif_facts
    assert code.scans, "there is no scan of the code"
    wanted = (*code.required, *final_scans_facts.contract_tools)
    if not wanted:
        unproven(
            Reason.NO_CONFIG, "no scan.required_tools; name the scanners that must have looked at the code"
        )
    for tool in wanted:
        found = code.of(tool)
        assert found, f"no scan by {tool}"
        for scan in found:
            _of_release(scan.origin, code.commit)
            for finding in scan.findings:
                open_ = not finding.suppressed and (
                    scan.secrets or weight(finding) >= limits.code_scan_block_severity
                )
                assert not open_, f"{scan.origin.file}: {scan.tool} found {finding.rule} at {finding.place}"
            _today(scan.origin, now, limits.final_code_scan_max_age_h)
    if not any(scan.secrets for scan in code.scans):
        unproven(Reason.NO_EVIDENCE, "no scan looks for secrets; run one, or name it in scan.secret_tools")
    dependencies = dependencies_facts
    if not dependencies.audits:
        unproven(Reason.NO_EVIDENCE, "there is no audit of dependencies")
    for audit in dependencies.audits:
        _of_release(audit.origin, dependencies.commit)
        for hit in audit.audited.found:
            assert not blocks(hit.level, dependencies.block_level), (
                f"{audit.origin.file}: {hit.id} in {hit.package} ({hit.level})"
            )
        for level, count in audit.audited.counted:
            assert count == 0 or not blocks(level, dependencies.block_level), (
                f"{audit.origin.file}: {count} vulnerabilities are {level}"
            )
        _today(audit.origin, now, limits.final_code_scan_max_age_h)
    for name, why in dependencies.unreadable:
        unproven(Reason.UNPARSEABLE, f"{name}: {why}")


def _of_release(origin: Origin, commit: str) -> None:
    if not origin.commit:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say which commit it is about; see envelopes")
    assert origin.commit == commit, f"{origin.file} is about {origin.commit}, the release is {commit}"
    assert origin.intact is not False, f"{origin.file} was changed after its envelope was written"


def _today(origin: Origin, now: datetime, oldest_h: float) -> None:
    age_s = origin.age_s(now)
    if age_s is None:
        unproven(Reason.NO_EVIDENCE, f"{origin.file} does not say when it was made; see envelopes")
    assert age_s >= -FUTURE_MAX_S, f"{origin.file} is of the future: {origin.produced_at}"
    if age_s > oldest_h * 3600:
        unproven(
            Reason.STALE, f"{origin.file} is {age_s / 3600:.0f} h old; {oldest_h:g} h are allowed at go-live"
        )


@pytest.mark.checklist(ITEM, text=SCANS)
def test_scans_running(scans_facts: ScansFacts, limits: Limits, now: datetime) -> None:
    """The very images that run were scanned today, the public door this week, and nothing severe is left."""
    facts = scans_facts
    assert facts.running, "no running image is known"
    for service, digest in facts.running:
        about = [scan for scan in facts.images if digest in scan.digests]
        assert about, f"{service} runs {digest[:19]}…, and no scan is about that image"
        scan = max(about, key=lambda one: one.scanned_at)
        assert not scan.fixable, f"{scan.file}: {len(scan.fixable)} severe findings with a fix"
        assert not scan.exploited, f"{scan.file}: known to be exploited: {', '.join(scan.exploited[:5])}"
        _age(scan.file, scan.scanned_at, now, timedelta(hours=limits.final_image_scan_max_age_h))
    about_site = [scan for scan in facts.web if _host(facts.site) in map(_host, scan.sites)]
    if not about_site:
        unproven(Reason.NO_EVIDENCE, f"no web scan of {facts.site}; give reports.web_scan")
    web = max(about_site, key=lambda one: one.scanned_at)
    assert web.addresses > 0, f"{web.file} saw no address of the site"
    assert not web.high, f"{web.file}: {', '.join(web.high[:5])}"
    _age(web.file, web.scanned_at, now, timedelta(days=limits.final_web_scan_max_age_d))


def _host(address: str) -> tuple[str, int]:
    url = urlsplit(address)
    return str(url.hostname), url.port or {"https": 443, "http": 80}.get(url.scheme, 0)


def _age(name: str, scanned_at: str, now: datetime, oldest: timedelta) -> None:
    if not scanned_at:
        unproven(Reason.NO_EVIDENCE, f"{name} does not say when it was made")
    age = now - datetime.fromisoformat(scanned_at)
    assert age >= -timedelta(seconds=FUTURE_MAX_S), f"{name} was made in the future: {scanned_at}"
    if age > oldest:
        unproven(Reason.STALE, f"{name} is of {scanned_at}, older than {oldest} at go-live")


@pytest.mark.checklist(ITEM, text=SCANS)
def test_scans_contract(
    evidence_facts: EvidenceFacts, final_scans_facts: FinalScansFacts, limits: Limits, now: datetime
) -> None:
    """Security vouches for an audit of the very contract that is released, with nothing severe left open."""
    wanted = final_scans_facts
    assert wanted.contract is not None
    if wanted.contract:
        file = evidence.newest(evidence_facts.files, ITEM, now=now, max_age_d=limits.contract_audit_max_age_d)
        assert file.artifacts, f"{file.name} does not hold the audit's report"
        assert fact(file, "auditor", str).strip(), f"{file.name} names no auditor"
        audited = fact(file, "artifact_sha256", str)
        assert audited == wanted.artifact_sha256, (
            f"{file.name} is about a contract with sha256 {audited[:16]}…, released is {wanted.artifact_sha256[:16]}…"
        )
        left = fact(file, "open_findings", int)
        assert left == 0, f"{file.name}: {left} findings of the audit are open"


@pytest.mark.checklist(ITEM, text=SCANS)
def test_scans_accepted(evidence_facts: EvidenceFacts, limits: Limits, now: datetime) -> None:
    """What was accepted instead of mended, security accepted, under signature and for a while only."""
    assert evidence_facts.directory, "claims.dir names no folder"
    for file in evidence_facts.files:
        over = file.kind == "waiver" and not file.error and file.until <= now
        if file.kind != "waiver" or over or not policy.is_security(file.item):
            continue
        assert not file.tampered, f"{file.name} was changed after it was signed"
        assert file.role in policy.approvers(file.item), (
            f"{file.name} accepts {file.item} as {file.role or 'nobody'}, which is security's to do"
        )
        assert not file.problems, f"{file.name}: {'; '.join(file.problems[:3])}"
        lasts = file.until - file.produced
        assert lasts <= timedelta(days=limits.security_waiver_max_d), (
            f"{file.name} accepts {file.item} for {lasts.days} days"
        )


@pytest.mark.checklist(ITEM, text=SCANS)
def test_scans_in_ledger(ledger_facts: LedgerFacts, final_scans_facts: FinalScansFacts) -> None:
    """An earlier run of this release found every item of the scans, of TLS and of headers proven."""
    facts = ledger_facts
    assert not facts.broken, f"the ledger's chain does not hold: {facts.broken}"
    latest = facts.latest()
    judged = (*JUDGED, "deploy.contract.mainnet") if final_scans_facts.contract else JUDGED
    items = [item for item in judged if item in facts.items]
    assert items, "the checklist has none of the items of scans"
    for item in items:
        if item not in latest:
            unproven(
                Reason.NO_EVIDENCE,
                f"no earlier run of this release looked at {item}, and a run never counts for itself: "
                "run its suite, then this one",
            )
        verdict, entry = latest[item]
        assert verdict in GREEN, f"{item} was {verdict} in the run of {entry.time}"
