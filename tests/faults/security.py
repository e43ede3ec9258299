"""Faults of Security Testing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.harness import fault
from tests.faults.tools import edited, reloaded, switched

CERT = "post_deploy.security.cert"
OBTAINED = "pre_deploy.infrastructure.cert"
INSTALLED = (OBTAINED, "deploy.services.tls", "pre_deploy.infrastructure.dns")
"""Its look-alike: what is served is not what is kept on the server."""
HARDENED = "pre_deploy.security.tls"
HEADERS = "post_deploy.security.headers"
RATE = "post_deploy.security.rate_limit"
AUTHZ = "post_deploy.security.authz"
LOGS = "post_deploy.security.logs"
VULNS = "post_deploy.security.vulns"
AUTH = "post_deploy.functional.auth"


@contextmanager
def certificate(
    demo: Deployment, make: Callable[[certs.Issuer], bytes], *, key: bool = True, chain: bool = True
) -> Iterator[None]:
    """Serve another certificate: `make` gives leaf and key, signed by an authority that clients trust."""
    files = certs.Files.of(demo.world)
    root = certs.authority("Token Service Root CA")
    issuer = certs.authority("Token Service Issuing CA", root)
    made = make(issuer)
    before = {path: path.read_bytes() for path in (files.edge, files.edge_key, files.ca)}
    leaf, _, rest = made.partition(b"-----END CERTIFICATE-----\n")
    _replace(files.edge, leaf + b"-----END CERTIFICATE-----\n" + (issuer.pem() if chain else b""))
    _replace(files.edge_key, rest)
    if key:
        _replace(files.ca, root.pem())
    demo.reload("nginx")
    try:
        yield
    finally:
        for path, content in before.items():
            _replace(path, content)
        demo.reload("nginx")


def _replace(path: Path, content: bytes) -> None:
    """Put another file in the place of one: nginx takes the same inode of the same second as unchanged."""
    scratch = path.with_suffix(".new")
    scratch.touch(mode=path.stat().st_mode & 0o777)
    scratch.write_bytes(content)
    scratch.replace(path)


def _leaf(issuer: certs.Issuer, **options: Any) -> bytes:
    leaf, key = certs.leaf(issuer, **options)
    return leaf + key


@fault(CERT, "the certificate has expired", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def expired(demo: Deployment) -> Iterator[None]:
    """Serve a certificate that ended yesterday."""
    old = datetime.now(UTC) - timedelta(days=91)
    with certificate(demo, lambda issuer: _leaf(issuer, not_before=old)):
        yield


@fault(CERT, "the certificate is for another name", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def wrong_name(demo: Deployment) -> Iterator[None]:
    """Serve a certificate of another host."""
    with certificate(demo, lambda issuer: _leaf(issuer, names=("shop.example",))):
        yield


@fault(CERT, "the authority is unknown", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def untrusted(demo: Deployment) -> Iterator[None]:
    """Serve a certificate of an authority that nobody trusts."""
    with certificate(demo, _leaf, key=False):
        yield


@fault(CERT, "the intermediate is missing", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def no_intermediate(demo: Deployment) -> Iterator[None]:
    """Serve the leaf alone: browsers may know the rest, phones do not."""
    with certificate(demo, _leaf, chain=False):
        yield


@fault(CERT, "the certificate lives 400 days", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def too_long(demo: Deployment) -> Iterator[None]:
    """Serve a certificate that lives longer than clients accept."""
    with certificate(demo, lambda issuer: _leaf(issuer, lifetime=timedelta(days=400))):
        yield


@fault(CERT, "the certificate ends soon", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def ends_soon(demo: Deployment) -> Iterator[None]:
    """Serve a certificate in the last tenth of its life."""
    old = datetime.now(UTC) - timedelta(days=81)
    with certificate(demo, lambda issuer: _leaf(issuer, not_before=old)):
        yield


@fault(CERT, "old TLS versions are on", probes=("tls_scan",), also=(HARDENED,))
@contextmanager
def old_versions(demo: Deployment) -> Iterator[None]:
    """Let nginx speak TLS 1.1, for which OpenSSL's own security level has to be lowered."""
    path = demo.world.path("nginx", "nginx.conf")
    changes = (
        ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;"),
        ("ssl_ciphers ECDHE", "ssl_ciphers @SECLEVEL=0:ECDHE-ECDSA-AES128-SHA:ECDHE"),
    )
    with reloaded(demo, "nginx", path, *changes):
        yield


@contextmanager
def headed(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Change nginx's headers."""
    with reloaded(demo, "nginx", demo.world.path("nginx", "headers.conf"), *changes):
        yield


@contextmanager
def edged(demo: Deployment, *changes: tuple[str, str]) -> Iterator[None]:
    """Change nginx's main configuration."""
    with reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), *changes):
        yield


@fault(HEADERS, "one location lost its headers", probes=("http_matrix",))
@contextmanager
def location_lost(demo: Deployment) -> Iterator[None]:
    """Add one header in a location, which drops all that it would inherit."""
    old = "        location /auth/ {\n"
    with edged(
        demo,
        (
            "        location / {\n            proxy_pass",
            "        location / {\n            add_header X-Team blue always;\n            proxy_pass",
        ),
        (old, old),
    ):
        yield


@fault(HEADERS, "HSTS ends at once", probes=("http_matrix",), also=(CERT,))
@contextmanager
def hsts_zero(demo: Deployment) -> Iterator[None]:
    """Send the header that turns HSTS off."""
    with edged(demo, ("max-age=31536000", "max-age=0")):
        yield


@fault(HEADERS, "errors have no headers", probes=("http_matrix",))
@contextmanager
def not_always(demo: Deployment) -> Iterator[None]:
    """Leave `always` out: a 404 then comes without."""
    with headed(demo, ("X-Content-Type-Options nosniff always;", "X-Content-Type-Options nosniff;")):
        yield


@fault(HEADERS, "X-Powered-By tells", probes=("http_matrix",))
@contextmanager
def powered_by(demo: Deployment) -> Iterator[None]:
    """Tell everybody what runs inside."""
    with headed(
        demo,
        (
            "add_header X-Frame-Options",
            'add_header X-Powered-By "Express 4.17" always;\nadd_header X-Frame-Options',
        ),
    ):
        yield


@fault(HEADERS, "two copies contradict each other", probes=("http_matrix",))
@contextmanager
def two_copies(demo: Deployment) -> Iterator[None]:
    """Send nosniff and something else."""
    with headed(
        demo,
        (
            "add_header X-Frame-Options",
            "add_header X-Content-Type-Options sniff always;\nadd_header X-Frame-Options",
        ),
    ):
        yield


@fault(RATE, "no limit on the login", probes=("burst",))
@contextmanager
def limiter_off(demo: Deployment) -> Iterator[None]:
    """Turn the login's limit off."""
    with switched(demo, limiter_off=["/auth/login"]):
        yield


@fault(RATE, "the limit believes X-Forwarded-For", probes=("burst",))
@contextmanager
def believes_xff(demo: Deployment) -> Iterator[None]:
    """Count by an address that any client can make up."""
    old = "proxy_set_header X-Forwarded-For $remote_addr;"
    with (
        edged(demo, (old, "proxy_set_header X-Forwarded-For $http_x_forwarded_for;")),
        switched(demo, limiter_xff=True),
    ):
        yield


@fault(RATE, "every instance counts for itself", probes=("burst",))
@contextmanager
def per_worker(demo: Deployment) -> Iterator[None]:
    """Let two instances allow twice the limit."""
    with switched(demo, limiter_per_worker=True):
        yield


@fault(AUTHZ, "one route is unguarded", probes=("authz",), also=(AUTH,))
@contextmanager
def unguarded(demo: Deployment) -> Iterator[None]:
    """Forget the guard of one route."""
    with switched(demo, unguarded=["/transactions"]):
        yield


@fault(AUTHZ, "HMAC with the public key is accepted", probes=("authz",), also=(AUTH,))
@contextmanager
def confusion(demo: Deployment) -> Iterator[None]:
    """Sign with RSA, and accept HMAC by the public key: anybody can make tokens."""
    with switched(demo, jwt_alg="RS256", hs_rs_confusion=True):
        yield


@fault(AUTHZ, "anybody may read any wallet", probes=("authz",))
@contextmanager
def idor(demo: Deployment) -> Iterator[None]:
    """Do not look at whose wallet it is."""
    with switched(demo, idor=True):
        yield


@fault(AUTHZ, "every user is an administrator", probes=("authz",))
@contextmanager
def admin_for_all(demo: Deployment) -> Iterator[None]:
    """Do not look at the role."""
    with switched(demo, admin_for_all=True):
        yield


@fault(AUTHZ, "unsigned tokens are accepted", probes=("authz",), also=(AUTH,))
@contextmanager
def unsigned(demo: Deployment) -> Iterator[None]:
    """Accept alg none."""
    with switched(demo, accept_alg_none=True):
        yield


@fault(AUTHZ, "a write is unguarded", probes=("authz_writes",), also=(AUTH,), becomes=Verdict.UNPROVEN)
@contextmanager
def unguarded_write(demo: Deployment) -> Iterator[None]:
    """Forget the guard of a route that changes something: it reads the request before it refuses."""
    with switched(demo, unguarded=["/auth/logout", "/token/purchase"]):
        yield


@contextmanager
def _cleaned(demo: Deployment) -> Iterator[None]:
    """Take what a fault had the services log out of their files and out of the log store again; what was there stays."""
    store = demo.world.path("loki", "chunks.jsonl")
    before = store.read_bytes()
    try:
        yield
    finally:
        demo.service("shipper").stop()
        for path in demo.world.path("logs").glob("app*.jsonl"):
            path.write_text("")
        demo.service("standins").stop()
        store.write_bytes(before)
        demo.restart("standins")
        demo.restart("shipper")
        time.sleep(1.5)


@fault(LOGS, "request bodies are logged", probes=("log_scan",))
@contextmanager
def bodies_logged(demo: Deployment) -> Iterator[None]:
    """Log what a login sends."""
    with _cleaned(demo), switched(demo, log_bodies=True):
        yield


@fault(LOGS, "tokens are logged", probes=("log_scan",))
@contextmanager
def tokens_logged(demo: Deployment) -> Iterator[None]:
    """Log the Authorization header."""
    with _cleaned(demo), switched(demo, log_tokens=True):
        yield


@fault(LOGS, "a private key is logged", probes=("log_scan",))
@contextmanager
def key_logged(demo: Deployment) -> Iterator[None]:
    """Log the signer's key once, among thousands of transaction hashes of the same shape."""
    with _cleaned(demo), switched(demo, log_key_at_start=True):
        time.sleep(1.5)
        yield


def _scan(demo: Deployment) -> Path:
    return demo.world.path("reports", "images", "token-api.json")


@contextmanager
def scanned(demo: Deployment, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the scan of an image."""
    with tools.json_edited(_scan(demo), change):
        yield


@fault(VULNS, "the scan is of another image", probes=("scans",))
@contextmanager
def other_digest(demo: Deployment) -> Iterator[None]:
    """Scan the tag, and run another digest."""
    digest = json.loads(_scan(demo).read_text())["Metadata"]["RepoDigests"][0].rpartition("@")[2]
    with edited(_scan(demo), (digest, "sha256:" + "0" * 64)):
        yield


@fault(VULNS, "the system gets no more updates", probes=("scans",))
@contextmanager
def end_of_life(demo: Deployment) -> Iterator[None]:
    """Build on a system that has reached its end of life."""
    with scanned(demo, lambda report: report["Metadata"]["OS"].update(EOSL=True)):
        yield


@fault(VULNS, "a critical finding has a fix", probes=("scans",))
@contextmanager
def critical(demo: Deployment) -> Iterator[None]:
    """Leave a critical finding unmended."""
    finding = {
        "VulnerabilityID": "CVE-2099-0001",
        "PkgName": "libc6",
        "Severity": "CRITICAL",
        "FixedVersion": "2.36-9",
    }
    with scanned(demo, lambda report: report["Results"][0]["Vulnerabilities"].append(finding)):
        yield


@fault(VULNS, "the vulnerability data was old", probes=("scans",))
@contextmanager
def old_data(demo: Deployment) -> Iterator[None]:
    """Scan with a database of last year."""
    stale = {"Version": "0.68.1", "VulnerabilityDB": {"UpdatedAt": "2025-01-01T00:00:00Z"}}
    with scanned(demo, lambda report: report.update(Trivy=stale)):
        yield


@fault(VULNS, "the web scan found a high risk", probes=("scans",))
@contextmanager
def web_high(demo: Deployment) -> Iterator[None]:
    """Leave a high-risk alert of the web scan open."""
    path = demo.world.path("reports", "web", "zap.json")
    with edited(path, ('"riskcode": "0"', '"riskcode": "3"')):
        yield


@fault(CERT, "the certificate is self-signed", probes=("tls", "tls_scan"), also=INSTALLED)
@contextmanager
def self_signed(demo: Deployment) -> Iterator[None]:
    """Serve a certificate that vouches for itself."""
    own = certs.authority("localhost")
    with certificate(demo, lambda issuer: _leaf(own), chain=False):
        yield


@fault(CERT, "another curve is offered", probes=("tls_scan",), also=(HARDENED,))
@contextmanager
def other_curve(demo: Deployment) -> Iterator[None]:
    """Offer what OpenSSL would by default."""
    with edged(demo, ("ssl_ecdh_curve X25519:", "ssl_ecdh_curve X448:X25519:")):
        yield


@fault(CERT, "TLS 1.3 is off", probes=("tls_scan",), also=(HARDENED,))
@contextmanager
def no_tls13(demo: Deployment) -> Iterator[None]:
    """Stay with the protocol of 2008."""
    with edged(demo, ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.2;")):
        yield


@fault(HEADERS, "any site may frame it", probes=("http_matrix",))
@contextmanager
def framed(demo: Deployment) -> Iterator[None]:
    """Open frame-ancestors, which browsers believe before X-Frame-Options."""
    with headed(demo, ("frame-ancestors 'none'", "frame-ancestors *")):
        yield


@fault(HEADERS, "private answers may be stored", probes=("http_matrix",))
@contextmanager
def storable(demo: Deployment) -> Iterator[None]:
    """Send nothing about storing."""
    with edged(demo, ("add_header Cache-Control $cache_control always;", "")):
        yield


@fault(HEADERS, "HSTS leaves subdomains out", probes=("http_matrix",))
@contextmanager
def no_subdomains(demo: Deployment) -> Iterator[None]:
    """Protect the name itself only."""
    with edged(demo, ("max-age=31536000; includeSubDomains", "max-age=31536000")):
        yield


@fault(AUTHZ, "metrics are open at the edge", probes=("authz",))
@contextmanager
def open_metrics(demo: Deployment) -> Iterator[None]:
    """Pass the route on that is in no specification."""
    before = "location /metrics {\n            return 404;"
    with edged(demo, (before, "location /metrics {\n            proxy_pass http://app;")):
        yield


@fault(AUTHZ, "signatures are not looked at", probes=("authz",), also=(AUTH,))
@contextmanager
def no_signature(demo: Deployment) -> Iterator[None]:
    """Believe whatever a token says."""
    with switched(demo, ignore_signature=True):
        yield


@fault(AUTHZ, "expired tokens are accepted", probes=("authz",), also=(AUTH,))
@contextmanager
def no_expiry(demo: Deployment) -> Iterator[None]:
    """Let tokens live for ever."""
    with switched(demo, ignore_exp=True):
        yield


@fault(AUTHZ, "a bad token breaks the service", probes=("authz",), also=(AUTH,))
@contextmanager
def token_breaks(demo: Deployment) -> Iterator[None]:
    """Answer 500 where 401 belongs."""
    with switched(demo, bad_token_500=True):
        yield


@fault(
    LOGS,
    "a service logs nothing",
    probes=("log_scan",),
    becomes=Verdict.UNPROVEN,
    limits={"logs_lookback_s": 1},
)
@contextmanager
def silent_service(demo: Deployment) -> Iterator[None]:
    """Look at a stretch in which the cache says nothing: no lines are not clean lines."""
    yield


@fault(VULNS, "a finding is ignored without a reason", probes=("scans",))
@contextmanager
def ignored_silently(demo: Deployment) -> Iterator[None]:
    """Hide a severe finding and do not say why."""
    hidden = {
        "Type": "vulnerability",
        "Status": "ignored",
        "Finding": {"VulnerabilityID": "CVE-2099-0002", "Severity": "HIGH"},
    }
    with scanned(demo, lambda report: report["Results"][0].update(ExperimentalModifiedFindings=[hidden])):
        yield


@fault(VULNS, "the system was not recognized", probes=("scans",))
@contextmanager
def unknown_system(demo: Deployment) -> Iterator[None]:
    """Scan an image whose system the scanner does not know: it finds nothing there."""

    def change(report: dict[str, Any]) -> None:
        del report["Metadata"]["OS"]
        report["Results"] = []

    with scanned(demo, change):
        yield


@fault(VULNS, "the web scan visited nothing", probes=("scans",))
@contextmanager
def web_empty(demo: Deployment) -> Iterator[None]:
    """Have a report of a scan that was stopped at the door."""
    path = demo.world.path("reports", "web", "zap.json")

    def emptied(report: dict[str, Any]) -> None:
        report["insights"] = []
        report["site"][0]["alerts"] = []

    with tools.json_edited(path, emptied):
        yield


@fault(VULNS, "the image scan is old", probes=("scans",), becomes=Verdict.UNPROVEN)
@contextmanager
def old_scan(demo: Deployment) -> Iterator[None]:
    """Keep last month's report: it neither fails nor proves anything."""
    past = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with scanned(demo, lambda report: report.update(CreatedAt=past)):
        yield
