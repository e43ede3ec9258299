"""Faults of Service Deployment and Security Configuration: certificates in place, and TLS hardened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_deploycheck.demo import certs, wall
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.infrastructure_wall import walled
from tests.faults.security import _leaf, _replace, certificate, edged
from tests.faults.tools import edited, stopped

TLS = "deploy.services.tls"
HARDENED = "pre_deploy.security.tls"
CERT = "post_deploy.security.cert"
OBTAINED = "pre_deploy.infrastructure.cert"
DNS = "pre_deploy.infrastructure.dns"
SHAKEN: dict[str, Any] = {"probes": ("tls", "plaintext"), "also": (CERT, DNS, OBTAINED)}
SCANNED: dict[str, Any] = {"probes": ("tls_scan",), "also": (CERT,)}
REDIRECT = "return 308 https://$public_host:"
FIRST = "    # Any other name is refused"
OWN = "        http2 on;\n        server_name localhost tokens.test www.tokens.test;\n"
SIX = "listen [::1]:{} ssl;"


@contextmanager
def two_certificates(demo: Deployment, **old: Any) -> Iterator[None]:
    """Serve another certificate of the same authority by IPv6 than by IPv4."""
    files = certs.Files.of(demo.world)
    with certificate(demo, _pair(files, old)):
        block = _six_block(demo, f"{files.edge.parent}/old.pem", f"{files.edge.parent}/old.key")
        with edged(demo, (f"        {_six(demo)}\n", ""), (FIRST, block + FIRST)):
            yield


def _pair(files: certs.Files, old: dict[str, Any]) -> Any:
    def make(issuer: certs.Issuer) -> bytes:
        leaf, key = certs.leaf(issuer, **old)
        files.edge.with_name("old.pem").write_bytes(leaf + issuer.pem())
        files.edge.with_name("old.key").write_bytes(key)
        return _leaf(issuer)

    return make


def _six(demo: Deployment) -> str:
    return SIX.format(demo.world.port("edge"))


def _six_block(demo: Deployment, cert: str, key: str, more: str = "") -> str:
    return (
        f"    server {{\n        {_six(demo)}\n        server_name localhost tokens.test www.tokens.test;\n"
        f"        ssl_certificate {cert};\n        ssl_certificate_key {key};\n{more}"
        "        location / { proxy_pass http://app; }\n    }\n"
    )


@fault(TLS, "an old certificate at the second address", **SHAKEN)
@contextmanager
def old_certificate(demo: Deployment) -> Iterator[None]:
    """Renew the certificate, and leave the listener for IPv6 with the one before, which is still valid."""
    with two_certificates(demo, not_before=datetime.now(UTC) - timedelta(days=40)):
        yield


@fault(TLS, "the leaf is sent alone", **SHAKEN)
@contextmanager
def leaf_alone(demo: Deployment) -> Iterator[None]:
    """Leave the intermediate out, which browsers find elsewhere."""
    with certificate(demo, _leaf, chain=False):
        yield


@fault(TLS, "the certificate is for another name", **SHAKEN)
@contextmanager
def another_name(demo: Deployment) -> Iterator[None]:
    """Serve the certificate of another service."""
    with certificate(demo, lambda issuer: _leaf(issuer, names=("shop.example",))):
        yield


@fault(TLS, "the certificate forgets www", **SHAKEN)
@contextmanager
def www_not_named(demo: Deployment) -> Iterator[None]:
    """Issue the certificate without one of the names."""
    with certificate(demo, lambda issuer: _leaf(issuer, names=("localhost", "tokens.test"))):
        yield


@fault(TLS, "the server forgets www", **SHAKEN)
@contextmanager
def www_not_served(demo: Deployment) -> Iterator[None]:
    """Configure the server without one of the names, so that its handshake is refused."""
    with edged(demo, (OWN, OWN.replace(" www.tokens.test", ""))):
        yield


@fault(TLS, "nobody listens at one address", **SHAKEN)
@contextmanager
def six_not_served(demo: Deployment) -> Iterator[None]:
    """Listen by IPv4 alone, while the name has an IPv6 address."""
    port = demo.world.port("edge")
    with edged(
        demo, (f"        {_six(demo)}\n", ""), (f"        listen [::1]:{port} ssl default_server;\n", "")
    ):
        yield


@fault(TLS, "HTTPS is down", **SHAKEN)
@contextmanager
def down(demo: Deployment) -> Iterator[None]:
    """Stop the edge: the gate net is dead, and this item carries it."""
    with stopped(demo, "nginx"):
        yield


@fault(TLS, "plain HTTP where TLS should be", **SHAKEN)
@contextmanager
def plain_only(demo: Deployment) -> Iterator[None]:
    """Forget `ssl` in the listeners: the gate tls is dead."""
    port = demo.world.port("edge")
    with edged(
        demo,
        (f":{port} ssl", f":{port}"),
        ("ssl_reject_handshake on;", ""),
        ("        http2 on;\n", ""),
    ):
        yield


@fault(TLS, "packets to HTTPS are dropped", probes=("tls",), also=(CERT, DNS, OBTAINED), needs=("wall",))
@contextmanager
def dropped(demo: Deployment) -> Iterator[None]:
    """Put the public door behind a filter that is silent."""
    door = f'base_url = "{demo.world.url("edge")}"'
    public = f'base_url = "https://{wall.addresses(demo.world)[0]}"'
    with (
        edited(demo.target, (door, public)),
        walled(demo, ("elements = { 22, 80, 443 }", "elements = { 22, 80 }")),
    ):
        yield


@fault(TLS, "the application answers without TLS", **SHAKEN)
@contextmanager
def plain_service(demo: Deployment) -> Iterator[None]:
    """Serve the application on the HTTP port."""
    with edged(demo, (f"{REDIRECT}{demo.world.port('edge')}$request_uri;", "proxy_pass http://app;")):
        yield


@fault(TLS, "the application answers without TLS on the TLS port", **SHAKEN)
@contextmanager
def plain_on_tls_port(demo: Deployment) -> Iterator[None]:
    """Serve who forgets the s instead of refusing."""
    page = OWN + "        error_page 497 =200 /health;\n"
    with edged(demo, (OWN, page)):
        yield


@fault(TLS, "HTTP redirects to another host", **SHAKEN)
@contextmanager
def redirect_elsewhere(demo: Deployment) -> Iterator[None]:
    """Send visitors on to a host that is not one of the service's."""
    with edged(demo, (f"{REDIRECT}{demo.world.port('edge')}", "return 302 https://shop.example")):
        yield


@fault(TLS, "HTTP redirects for this time only", **SHAKEN)
@contextmanager
def redirect_once(demo: Deployment) -> Iterator[None]:
    """Redirect by 302, which browsers do not keep."""
    with edged(demo, (REDIRECT, REDIRECT.replace("308", "302"))):
        yield


@fault(TLS, "HTTP redirects to HTTP", **SHAKEN)
@contextmanager
def redirect_plain(demo: Deployment) -> Iterator[None]:
    """Take a further step without TLS first."""
    with edged(demo, (f"{REDIRECT}{demo.world.port('edge')}", "return 308 http://$public_host:1")):
        yield


@fault(TLS, "HTTP is broken", **SHAKEN)
@contextmanager
def http_broken(demo: Deployment) -> Iterator[None]:
    """Answer 502 where visitors should be sent to HTTPS."""
    with edged(demo, (f"{REDIRECT}{demo.world.port('edge')}$request_uri;", "return 502;")):
        yield


@fault(TLS, "strangers see an internal name", **SHAKEN)
@contextmanager
def inner_name(demo: Deployment) -> Iterator[None]:
    """Show who asks for no name of ours the certificate of a machine inside."""
    folder = certs.Files.of(demo.world).edge.parent
    leaf, key = certs.leaf(certs.authority("Inner CA"), names=("db01.corp.internal",))
    _write(folder / "inner.pem", leaf)
    _write(folder / "inner.key", key)
    shown = f"ssl_certificate {folder}/inner.pem;\n        ssl_certificate_key {folder}/inner.key;"
    with edged(demo, ("ssl_reject_handshake on;", shown)):
        yield


def _write(path: Any, content: bytes) -> None:
    path.touch(mode=0o600)
    _replace(path, content)


@fault(HARDENED, "TLS 1.0 and 1.1 are on", **SCANNED)
@contextmanager
def old_versions(demo: Deployment) -> Iterator[None]:
    """Speak versions that RFC 8996 forbids; OpenSSL's own security level has to be lowered for it."""
    with edged(
        demo,
        ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;"),
        ("ssl_ciphers ECDHE", "ssl_ciphers @SECLEVEL=0:ECDHE-ECDSA-AES128-SHA:ECDHE"),
    ):
        yield


@fault(HARDENED, "suites with CBC are on", **SCANNED)
@contextmanager
def cbc(demo: Deployment) -> Iterator[None]:
    """Accept suites that encrypt block by block and authenticate afterwards."""
    with edged(
        demo, ("ssl_ciphers ECDHE", "ssl_ciphers ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE")
    ):
        yield


@fault(HARDENED, "curves are left to the default", **SCANNED)
@contextmanager
def default_curves(demo: Deployment) -> Iterator[None]:
    """Leave the curves to OpenSSL, which offers X448 and P-521 as well."""
    with edged(demo, ("ssl_ecdh_curve X25519:prime256v1:secp384r1;", "ssl_ecdh_curve auto;")):
        yield


@fault(HARDENED, "early data is accepted", **SCANNED)
@contextmanager
def early_data(demo: Deployment) -> Iterator[None]:
    """Accept requests in the first packet, which anybody may send again."""
    with edged(demo, ("ssl_session_tickets off;", "ssl_session_tickets on;\n    ssl_early_data on;")):
        yield


@fault(HARDENED, "TLS 1.3 is off", **SCANNED)
@contextmanager
def no_newest(demo: Deployment) -> Iterator[None]:
    """Speak TLS 1.2 alone."""
    with edged(demo, ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.2;")):
        yield


@fault(HARDENED, "one name alone has weak suites", **SCANNED)
@contextmanager
def one_name(demo: Deployment) -> Iterator[None]:
    """Give www a server of its own, copied from an old article."""
    files, port = certs.Files.of(demo.world), demo.world.port("edge")
    block = (
        f"    server {{\n        listen 127.0.0.1:{port} ssl;\n        {_six(demo)}\n        server_name www.tokens.test;\n"
        f"        ssl_certificate {files.edge};\n        ssl_certificate_key {files.edge_key};\n"
        "        ssl_ciphers HIGH:!aNULL;\n        location / { proxy_pass http://app; }\n    }\n"
    )
    with edged(demo, (OWN, OWN.replace(" www.tokens.test", "")), (FIRST, block + FIRST)):
        yield


@fault(HARDENED, "the second address speaks TLS 1.1", **SCANNED)
@contextmanager
def second_address(demo: Deployment) -> Iterator[None]:
    """Let the listener for IPv6 be another, with another default server."""
    files, port = certs.Files.of(demo.world), demo.world.port("edge")
    weak = "        ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;\n        ssl_ciphers @SECLEVEL=0:ALL;\n"
    block = _six_block(demo, str(files.edge), str(files.edge_key), weak)
    with edged(
        demo,
        (f"        {_six(demo)}\n", ""),
        (f"        listen [::1]:{port} ssl default_server;\n", ""),
        (FIRST, block + FIRST),
    ):
        yield


@fault(
    HARDENED,
    "one address was not scanned",
    probes=("tls_scan",),
    also=(CERT, TLS, DNS, OBTAINED),
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def not_scanned(demo: Deployment) -> Iterator[None]:
    """Take one listener away: what is not scanned is not hardened."""
    with six_not_served(demo):
        yield
