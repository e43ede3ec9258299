"""Post-Deployment Verification, Security Testing: items 52 to 57 of the default checklist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import headers, mozilla
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.authz import Access, AuthzFacts
    from pytest_deploycheck.probes.burst import BurstFacts
    from pytest_deploycheck.probes.http_matrix import HttpMatrixFacts
    from pytest_deploycheck.probes.log_scan import LogScanFacts
    from pytest_deploycheck.probes.scans import ScansFacts
    from pytest_deploycheck.probes.tls import TlsFacts

CERT = "SSL certificate valid and properly configured"
HEADERS = "Security headers present"
AUTHZ = "Authentication required for protected endpoints"
RATE = "Rate limiting working"
LOGS = "No sensitive information exposed in logs"
VULNS = "Vulnerability scan completed"
FUTURE_MAX_S = 300
LIFETIME_RULE_FROM = datetime(2026, 3, 15, tzinfo=UTC)
LIFETIME_BEFORE_RULE_D = 398


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.cert", text=CERT)
def test_cert(tls_facts: TlsFacts, limits: Limits, now: datetime) -> None:
    """Every address serves a trusted certificate for its name, far from expiry, made by today's rules.

    A certificate issued before 2026-03-15 may still live 398 days (CA/Browser Forum SC-081v3).
    """
    if tls_facts.clock_skew_s is not None and abs(tls_facts.clock_skew_s) > limits.clock_skew_max_s:
        unproven(
            Reason.NO_EVIDENCE,
            f"the server's clock and ours are {tls_facts.clock_skew_s:.0f} s apart; dates prove nothing",
        )
    assert tls_facts.served, "no TLS endpoint was looked at"
    for served in tls_facts.served:
        where = f"{served.endpoint} ({served.address})"
        if not served.connected:
            continue  # whether every address of a name is served is another item: deploy.services.tls
        assert not served.error, f"{where}: no TLS handshake: {served.error}"
        assert served.chain, f"{where} shows no certificate"
        leaf = served.chain[0]
        start, end = datetime.fromisoformat(leaf.not_before), datetime.fromisoformat(leaf.not_after)
        assert start <= now, f"{where}: the certificate is not valid before {leaf.not_before}"
        assert end > now, f"{where}: the certificate expired at {leaf.not_after}"
        assert served.names_match, f"{where}: the certificate is for {', '.join(leaf.names) or 'no name'}"
        assert served.trusted, f"{where} is not trusted by {tls_facts.store}: {served.trust_error}"
        assert served.in_order, f"{where}: the certificates are sent in the wrong order"
        remaining = (end - now) / (end - start)
        assert remaining >= limits.cert_remaining_min, (
            f"{where}: {remaining:.0%} of the certificate's lifetime is left, until {leaf.not_after}"
        )
        lifetime_max_d = limits.cert_lifetime_max_d
        if start < LIFETIME_RULE_FROM:
            lifetime_max_d = max(lifetime_max_d, LIFETIME_BEFORE_RULE_D)
        lifetime_d = (end - start) / timedelta(days=1)
        assert lifetime_d <= lifetime_max_d, f"{where}: the certificate lives {lifetime_d:.0f} days"
        if leaf.key == "RSA":
            assert leaf.key_bits >= limits.cert_rsa_bits_min, f"{where}: RSA key of {leaf.key_bits} bits"
        else:
            assert leaf.key_bits >= limits.cert_ec_bits_min, (
                f"{where}: {leaf.key} key of {leaf.key_bits} bits"
            )
        for certificate in served.chain:
            if not certificate.self_signed and certificate.signature_hash:
                assert certificate.signature_hash in mozilla.SIGNATURE_HASHES, (
                    f"{where}: {certificate.subject} is signed with {certificate.signature_hash}"
                )
        if leaf.eku is not None or not tls_facts.private:
            assert "serverAuth" in (leaf.eku or ()), f"{where}: the certificate is not for TLS servers"
        if not tls_facts.private:
            assert leaf.scts >= limits.cert_scts_min, f"{where}: {leaf.scts} embedded SCTs"
    assert any(served.chain for served in tls_facts.served), "no address was reached"


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.headers", text=HEADERS)
def test_headers(http_matrix_facts: HttpMatrixFacts, limits: Limits) -> None:
    """Every class of answer, refusals too, carries headers that really protect, judged by their values."""
    policy = headers.Policy(
        html=http_matrix_facts.html,
        hsts_min_age_s=limits.hsts_min_age_s,
        hsts_subdomains=http_matrix_facts.hsts_subdomains,
        exempt=frozenset(http_matrix_facts.exempt),
    )
    for answer in http_matrix_facts.answers:
        problems = headers.protection_problems(
            answer.by_name(), policy, secure=http_matrix_facts.secure, body=answer.body
        )
        assert not problems, (
            f"{answer.label}: {answer.method} {answer.path} ({answer.status}): {'; '.join(problems)}"
        )
    seen = {answer.label for answer in http_matrix_facts.answers}
    for label in ("public", "unauthenticated", "not found", "authenticated"):
        if label not in seen:
            unproven(Reason.NO_EVIDENCE, f"no {label} answer was seen: {http_matrix_facts.why_unseen(label)}")


@pytest.mark.smoke
@pytest.mark.checklist("post_deploy.security.authz", text=AUTHZ)
def test_authz(authz_facts: AuthzFacts) -> None:
    """Every operation that is not public refuses no token and every bad one, and knows the good one.

    A refusal is 401 or 403, or a redirect to a login; 400 and 404 count where the good token gets another
    answer to the very same request. Operations whose refusal came before authentication are unproven.
    """
    for access in authz_facts.accesses:
        for tried in access.refused:
            assert not 200 <= tried.status < 300, f"{access.name} answers {tried.status} to {tried.says}"
            assert tried.status < 500, f"{access.name} breaks on {tried.says}: status {tried.status}"
    if not authz_facts.accesses:
        why = authz_facts.problem or "every documented operation is in auth.public_ops"
        unproven(Reason.NO_CONFIG, f"no protected operation to ask: {why}; see auth.declared_ops")
    for access in authz_facts.accesses:
        for tried in access.refused:
            if not _refused(access, tried.status):
                unproven(
                    Reason.NO_EVIDENCE,
                    f"{access.name} answers {tried.status} to {tried.says}: that is no refusal of the token",
                )
    accepted = [one.name for one in authz_facts.accesses if one.granted and 200 <= one.granted < 300]
    assert accepted, "no operation accepts the test account's own token, so that refusals prove nothing"
    if authz_facts.problem or authz_facts.skipped:
        rest = ", ".join(authz_facts.skipped[:5])
        unproven(Reason.NO_EVIDENCE, authz_facts.problem or f"not asked, see authz_routes_max: {rest}")


def _refused(access: Access, status: int) -> bool:
    if status in (401, 403) or 300 <= status < 400:
        return True
    told_apart = access.granted not in (None, status, 401) and (access.granted or 0) < 500
    return status in (400, 404) and told_apart


@pytest.mark.checklist("post_deploy.security.rate_limit", text=RATE)
def test_rate_limit(burst_facts: BurstFacts, limits: Limits) -> None:
    """Every limit refuses near its number with 429, says when to come back, and cannot be dodged."""
    assert burst_facts.rows, "no rate-limit policy was tried"
    for row in burst_facts.rows:
        name = f"{row.method} {row.route}"
        if row.skipped:
            unproven(Reason.NO_EVIDENCE, f"{name} was not tried: {row.skipped}")
        edge = row.limit * limits.burst_above_share + 1
        if row.refused_status is None and row.within_window <= edge:
            unproven(
                Reason.NO_EVIDENCE,
                f"{name} answers too slowly to reach its limit: {row.within_window} in {row.window_s:g} s",
            )
        assert row.refused_status is not None, f"{name} refused none of {row.sent} requests"
        assert row.refused_at is not None, f"{name} refuses with {row.refused_status}, not 429"
        assert row.within_window <= edge, (
            f"{name} refused only request {row.within_window} of a window; its limit is {row.limit}"
        )
        assert not row.server_errors, f"{name} broke under load: {row.server_errors} answers of 500 and above"
        assert row.retry_after_s is not None, f"{name} refuses without a Retry-After that can be read"
        assert not row.dodged, f"{name} is dodged by {', '.join(row.dodged)}"


@pytest.mark.checklist("post_deploy.security.logs", text=LOGS)
def test_logs(log_scan_facts: LogScanFacts, limits: Limits) -> None:
    """Every service's lines were read, ours among them, and none holds a secret."""
    facts = log_scan_facts
    assert facts.scanned, "logs.services names no service"
    for finding in facts.findings:
        where = f"{finding.service}: {finding.rule} in {finding.count} lines (sha256 {finding.line_sha256}…)"
        assert finding.count == 0, where
    if facts.planted is not None:
        assert facts.planted.leaked_password == 0, "the password of a failed login stands in a log"
        assert facts.planted.leaked_bearer == 0, "a bearer token that was sent stands in a log"
    assert facts.public_status is None or not 200 <= facts.public_status < 300, (
        "the log's own pages are open to anybody"
    )
    for scan in facts.scanned:
        if scan.lines < limits.logs_min_lines:
            unproven(Reason.NO_EVIDENCE, f"no line of {scan.service!r} was there to read")
    if not facts.known_secrets:
        unproven(
            Reason.NO_CONFIG, "no secret to look for by value; name some in logs.secrets or logs.env_file"
        )
    if facts.planted is None or not facts.planted.seen:
        unproven(
            Reason.NO_EVIDENCE, "our own requests were not found in any log, so clean logs prove nothing"
        )


@pytest.mark.checklist("post_deploy.security.vulns", text=VULNS)
def test_vulns(scans_facts: ScansFacts, limits: Limits, now: datetime) -> None:
    """Every running image was scanned lately, wholly, by fresh data, and has nothing severe left to mend.

    Of several scans of one image the newest counts.
    """
    assert scans_facts.running, "no running image is known"
    for service, digest in scans_facts.running:
        about = [scan for scan in scans_facts.images if digest in scan.digests]
        assert about, f"{service} runs {digest[:19]}…, and no scan is about that image"
        scan = max(about, key=lambda one: one.scanned_at)
        assert not scan.end_of_life, f"{scan.file}: {scan.system or 'its system'} gets no more updates"
        assert scan.classes, f"{scan.file} looked at no package"
        looked = "os-pkgs" if scan.system else "lang-pkgs"
        assert looked in scan.classes, (
            f"{scan.file} looked at {', '.join(scan.classes)} only, not at {looked}; system: {scan.system!r}"
        )
        assert scan.packages is None or scan.packages > 0, f"{scan.file} found no package at all"
        assert not scan.fixable, (
            f"{scan.file}: {len(scan.fixable)} severe findings with a fix: {_listed(scan.fixable)}"
        )
        assert not scan.exploited, f"{scan.file}: known to be exploited: {', '.join(scan.exploited[:5])}"
        for ignored in scan.ignored:
            assert ignored.reason, f"{scan.file}: {ignored.id} is ignored without a reason"
            assert ignored.until, (
                f"{scan.file}: {ignored.id} is ignored without an end; see reports.ignore_file"
            )
            ended = datetime.fromisoformat(ignored.until) <= now
            assert not ended, f"{scan.file}: {ignored.id} was to be ignored until {ignored.until}"
        _fresh(scan.file, scan.scanned_at, now, limits.scan_max_age_s)
        if not scan.database_at:
            hint = "keep the output of `trivy version --format json` beside it"
            unproven(Reason.NO_EVIDENCE, f"{scan.file} does not tell its database's age; {hint}")
        apart = datetime.fromisoformat(scan.scanned_at) - datetime.fromisoformat(scan.database_at)
        assert apart.total_seconds() <= limits.scan_db_max_age_s, f"{scan.file}: its database was {apart} old"


@pytest.mark.checklist("post_deploy.security.vulns", text=VULNS)
def test_vulns_web(scans_facts: ScansFacts, limits: Limits, now: datetime) -> None:
    """The public door was scanned lately, was really visited, and has no high risk."""
    about = [scan for scan in scans_facts.web if _origin(scans_facts.site) in map(_origin, scan.sites)]
    if not about:
        unproven(Reason.NO_EVIDENCE, f"no web scan of {scans_facts.site}; give reports.web_scan")
    scan = max(about, key=lambda one: one.scanned_at)
    assert scan.addresses > 0, f"{scan.file} saw no address of the site"
    assert not scan.high, f"{scan.file}: {', '.join(scan.high[:5])}"
    _fresh(scan.file, scan.scanned_at, now, limits.web_scan_max_age_s)


def _fresh(name: str, scanned_at: str, now: datetime, oldest_s: float) -> None:
    assert scanned_at, f"{name} does not say when it was made"
    age_s = (now - datetime.fromisoformat(scanned_at)).total_seconds()
    assert age_s >= -FUTURE_MAX_S, f"{name} was made in the future: {scanned_at}"
    if age_s > oldest_s:
        unproven(Reason.STALE, f"{name} is {age_s / 86400:.0f} days old; {oldest_s / 86400:.0f} are allowed")


def _listed(fixable: tuple[tuple[str, str, str], ...]) -> str:
    return "; ".join(f"{name} in {package}, fixed in {fixed}" for name, package, fixed in fixable[:3])


def _origin(address: str) -> tuple[str, str, int]:
    url = urlsplit(address)
    return url.scheme, str(url.hostname), url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
