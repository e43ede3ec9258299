"""The edge: TLS as Mozilla's intermediate profile, headers on every answer, no secrets in its log."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.deployment import Deployment

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "nginx",
}


class Echo(BaseHTTPRequestHandler):
    """An app that answers with the headers it was sent, and claims security headers of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer anything."""
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(429 if self.path.startswith("/limited") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Powered-By", "Echo/1.0")
        self.send_header("Connection", "close")
        if self.path.startswith("/limited"):
            self.send_header("Retry-After", "7")
        if self.path.startswith("/public"):
            self.send_header("Cache-Control", "public, max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def app(deployment: Deployment, name: str = "app1") -> Iterator[None]:
    """Run an app behind the edge."""
    server = ThreadingHTTPServer(("127.0.0.1", deployment.world.port(name)), Echo)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        # An upstream that has just refused is left alone for a moment.
        deadline = time.monotonic() + 20
        while ask(deployment, "/")[0].status == 502 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield
    finally:
        server.shutdown()
        server.server_close()


def trusting(deployment: Deployment) -> ssl.SSLContext:
    """Trust the deployment's root and nothing else."""
    return ssl.create_default_context(cafile=str(certs.Files.of(deployment.world).ca))


def ask(
    deployment: Deployment,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    source: str = "127.0.0.1",
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send one request through the edge."""
    connection = http.client.HTTPSConnection(
        "localhost",
        deployment.world.port("edge"),
        timeout=10,
        context=trusting(deployment),
        source_address=(source, 0),
    )
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def handshake(
    deployment: Deployment, context: ssl.SSLContext, name: str = "localhost"
) -> tuple[str | None, tuple[str, str, int] | None]:
    """Shake hands with the edge; the protocol and the cipher."""
    import socket

    with (
        socket.create_connection(("127.0.0.1", deployment.world.port("edge")), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as session,
    ):
        return session.version(), session.cipher()


def test_tls_1_2_and_1_3_only(backend: Deployment) -> None:
    """Both modern versions are spoken with strong ciphers, older ones are refused."""
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        context = trusting(backend)
        context.minimum_version = context.maximum_version = version
        spoken, cipher = handshake(backend, context)
        assert spoken == name
        assert cipher is not None
        assert cipher[2] >= 128
    old = trusting(backend)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        handshake(backend, old)


@pytest.mark.parametrize(
    ("curve", "accepted"), [("prime256v1", True), ("secp384r1", True), ("secp521r1", False)]
)
def test_only_the_curves_of_the_profile(backend: Deployment, curve: str, accepted: bool) -> None:
    """P-256 and P-384 are agreed on, P-521 is not."""
    context = trusting(backend)
    context.set_ecdh_curve(curve)
    if accepted:
        assert handshake(backend, context)[0] == "TLSv1.3"
    else:
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            handshake(backend, context)


def test_another_name_sees_no_certificate(backend: Deployment) -> None:
    """A handshake for an unknown name is refused before a certificate is shown."""
    context = trusting(backend)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert handshake(backend, context)[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        handshake(backend, context, "example.org")


@pytest.mark.parametrize(
    ("path", "status", "method", "size"),
    [
        ("/anything", 502, "GET", 0),
        ("/metrics", 404, "GET", 0),
        ("/metrics/anything", 404, "GET", 0),
        ("/auth/login", 502, "POST", 10),
        ("/too/large", 413, "POST", 70_000),
    ],
)
def test_refusals_are_problem_details_with_every_header(
    backend: Deployment, path: str, status: int, method: str, size: int
) -> None:
    """What nginx itself answers is a problem document and carries each security header once."""
    response, body = ask(backend, path, method=method, body=b"x" * size or None)
    assert response.status == status
    assert response.getheader("Content-Type") == "application/problem+json"
    assert json.loads(body)["status"] == status
    for name, value in HEADERS.items():
        assert response.headers.get_all(name) == [value]


def test_the_app_answers_through_the_edge(backend: Deployment) -> None:
    """Headers come once, the app's own claims are dropped, its cache rule and Retry-After stand."""
    with app(backend):
        response, body = ask(
            backend,
            "/x",
            headers={"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"},
        )
        assert response.status == 200
        for name, value in HEADERS.items():
            assert response.headers.get_all(name) == [value]
        assert response.getheader("X-Powered-By") is None
        seen = json.loads(body)
        assert "6.6.6.6" not in body.decode()
        assert seen["X-Real-IP"] == seen["X-Forwarded-For"] == "127.0.0.1"
        assert seen["X-Forwarded-Proto"] == "https"
        assert seen["X-Request-ID"] == response.getheader("X-Request-ID")
        public, _ = ask(backend, "/public")
        assert public.headers.get_all("Cache-Control") == ["public, max-age=60"]
        limited, _ = ask(backend, "/limited")
        assert limited.headers.get_all("Retry-After") == ["7"]


def test_bursts_on_the_login_are_refused_politely(backend: Deployment) -> None:
    """Past the burst the edge answers 429 with Retry-After, not 503."""
    connection = http.client.HTTPSConnection(
        "localhost", backend.world.port("edge"), timeout=10, context=trusting(backend)
    )
    answers: list[tuple[int, str | None, str]] = []
    deadline = time.monotonic() + 60
    while not any(status == 429 for status, _, _ in answers) and time.monotonic() < deadline:
        connection.request("POST", "/auth/login")
        response = connection.getresponse()
        body = response.read()
        answers.append((response.status, response.getheader("Retry-After"), json.loads(body)["title"]))
    connection.close()
    assert (429, "1", "Too Many Requests") in answers
    assert {status for status, _, _ in answers} == {429, 502}


def test_plain_http_is_sent_to_https(backend: Deployment) -> None:
    """One redirect, to the same path on the edge's own name whatever the Host header says."""
    connection = http.client.HTTPConnection("127.0.0.1", backend.world.port("edge_http"), timeout=10)
    connection.request("GET", "/me?x=1", headers={"Host": "evil.example"})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 308
    assert response.getheader("Location") == backend.world.url("edge") + "/me?x=1"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Strict-Transport-Security") is None


def test_maintenance_closes_all_but_health_and_operators(backend: Deployment) -> None:
    """While the file exists clients get 503 and Retry-After; health routes and operators pass."""
    switch = backend.world.path("nginx", "maintenance")
    switch.touch()
    try:
        response, body = ask(backend, "/me")
        assert (response.status, response.getheader("Retry-After")) == (503, "120")
        assert json.loads(body)["detail"].startswith("Maintenance")
        assert ask(backend, "/health")[0].status == 502
        assert ask(backend, "/me", source="127.0.0.2")[0].status == 502
    finally:
        switch.unlink()
    assert ask(backend, "/me")[0].status == 502


def test_the_access_log_has_no_query(backend: Deployment) -> None:
    """Each request leaves one JSON line with its path and id, and nothing of its query string."""
    response, _ = ask(backend, "/reset?token=very-secret-value")
    request_id = response.getheader("X-Request-ID")
    log = backend.world.path("logs", "nginx-access.jsonl")
    deadline = time.monotonic() + 10
    entry: dict[str, object] = {}
    while not entry and time.monotonic() < deadline:  # the line is written after the answer
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        entry = next((one for one in entries if one["request_id"] == request_id), {})
    assert (entry["route"], entry["status"], entry["method"]) == ("/reset", 502, "GET")
    assert "very-secret-value" not in log.read_text()


def test_an_edit_takes_effect_on_reload(backend: Deployment) -> None:
    """The first request after reload meets the new configuration, without a restart."""
    config = backend.world.path("nginx", "nginx.conf")
    before, pid = config.read_text(), backend.service("nginx").pid
    try:
        config.write_text(
            before.replace(
                "location /metrics {\n            return 404", "location /metrics {\n            return 403"
            )
        )
        backend.reload("nginx")
        assert ask(backend, "/metrics")[0].status == 403
    finally:
        config.write_text(before)
        backend.reload("nginx")
    assert ask(backend, "/metrics")[0].status == 404
    assert backend.service("nginx").pid == pid


def test_a_broken_edit_is_refused(backend: Deployment) -> None:
    """Reload names the mistake and the edge goes on as before."""
    config = backend.world.path("nginx", "nginx.conf")
    before = config.read_text()
    try:
        config.write_text(before.replace("server_tokens off;", "server_tokens of course;"))
        with pytest.raises(RuntimeError, match=r"nginx refuses .*nginx\.conf: .*server_tokens"):
            backend.reload("nginx")
    finally:
        config.write_text(before)
    assert ask(backend, "/metrics")[0].status == 404
