"""Edges of other make than the demo's: Caddy, and servers written for one answer each."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.process import Daemon, answers
from pytest_deploycheck.probes.plaintext import PlaintextFacts
from pytest_deploycheck.probes.tls import TlsFacts
from tests.probes.service import Asked, Reply, serving
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECKS = suite("deploy/test_services_tls.py")
HARDENED = suite("pre_deploy/test_security_tls.py")["test_tls_hardened"]


def free() -> int:
    """Return a port that nobody listens on now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


def target(https: int, http: int, more: str = "") -> str:
    """Return a target file for an edge on 127.0.0.1 that is called localhost."""
    return f"""
[target]
name = "edge"
environment = "dev"
base_url = "https://localhost:{https}"
ca_file = "ca.pem"
[tls]
http_port = {http}
{more}
"""


def issue(folder: Path, names: tuple[str, ...] = ("localhost",)) -> ssl.SSLContext:
    """Write a root, and a chain for some names with its key; return what a server needs to serve it."""
    root = certs.authority("Root")
    issuer = certs.authority("Issuing", root)
    leaf, key = certs.leaf(issuer, names=names)
    (folder / "ca.pem").write_bytes(root.pem())
    (folder / "chain.pem").write_bytes(leaf + issuer.pem())
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


def judge(tls: TlsFacts, plaintext: PlaintextFacts) -> None:
    """Run the checks of item 40."""
    for name in ("test_tls_everywhere", "test_tls_same_certificate", "test_tls_strangers"):
        CHECKS[name](tls_facts=tls)
    CHECKS["test_tls_plaintext"](plaintext_facts=plaintext)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy on PATH")
@pytest.mark.parametrize("redirects", [True, False], ids=["redirects", "HTTP shut"])
def test_caddy_passes(redirects: bool, tmp_path: Path) -> None:
    """Caddy as it is without any tuning, with a redirect or with its HTTP port shut.

    The redirect that it makes by itself leads to port 443, which is not where it listens here.
    """
    issue(tmp_path)
    https, http = free(), free()
    site = (
        f"http://localhost:{http} {{\n redir https://localhost:{https}{{uri}} permanent\n}}\n"
        if redirects
        else ""
    )
    (tmp_path / "Caddyfile").write_text(
        f"{{\n admin off\n https_port {https}\n http_port {http}\n default_bind 127.0.0.1\n auto_https disable_redirects\n}}\n{site}"
        f"https://localhost:{https} {{\n tls chain.pem key.pem\n respond ok\n}}\n"
    )
    daemon = Daemon(
        "caddy",
        [str(shutil.which("caddy")), "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
        home=tmp_path,
        ready=lambda: answers(https) and (not redirects or answers(http)),
    )
    daemon.start()
    try:
        daemon.wait_ready()
        seen = gather(tmp_path, target(https, http), "plaintext", "tls_scan")
    finally:
        daemon.stop()
    judge(seen["tls"].facts, seen["plaintext"].facts)
    HARDENED(tls_scan_facts=seen["tls_scan"].facts)
    plain = [one for one in seen["plaintext"].facts.asked if not one.tls_port]
    assert all(one.status == 301 if redirects else one.status is None for one in plain)


@contextmanager
def tls_server(
    context: ssl.SSLContext, answer: Callable[[socket.socket], None] | None = None
) -> Iterator[int]:
    """Shake hands with everybody; `answer` is given each raw connection first."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    raw, _ = server.accept()
                except OSError:
                    return
                try:
                    with raw:
                        raw.settimeout(2)
                        if answer is not None and raw.recv(3, socket.MSG_PEEK) == b"GET":
                            raw.recv(4096)
                            answer(raw)
                            continue
                        with context.wrap_socket(raw, server_side=True) as wrapped:
                            wrapped.recv(1)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def said(text: str) -> Callable[[socket.socket], None]:
    """Answer plain HTTP on the TLS port with a status line and headers."""
    return lambda raw: raw.sendall(f"HTTP/1.1 {text}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (None, True),
        (said("400 Bad Request"), True),
        (said("301 Moved\r\nLocation: https://localhost/"), True),
        (said("200 OK"), False),
    ],
    ids=["cut off", "refused", "redirected", "served"],
)
def test_plain_http_on_the_tls_port(
    answer: Callable[[socket.socket], None] | None, passes: bool, tmp_path: Path
) -> None:
    """Servers refuse it in several ways; to serve it is wrong."""
    with tls_server(issue(tmp_path), answer) as port:
        seen = gather(tmp_path, target(port, free()), "plaintext")
    if passes:
        judge(seen["tls"].facts, seen["plaintext"].facts)
    else:
        with pytest.raises(AssertionError, match="is served without TLS"):
            judge(seen["tls"].facts, seen["plaintext"].facts)


def to(location: str, status: int) -> Callable[[Asked], Reply]:
    """Redirect everything."""
    return lambda asked: Reply(status, "", {"Location": location})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (to("https://localhost:{https}/", 301), ""),
        (to("https://LOCALHOST:{https}/somewhere", 308), ""),
        (lambda asked: Reply(403), ""),
        (lambda asked: Reply(404), ""),
        (lambda asked: Reply(426), ""),
        (to("https://localhost:{https}/", 307), "redirects by 307"),
        (to("https://localhost/", 308), "a port without TLS"),
        (to("https://localhost.shop.example/", 301), "another host"),
        (to("//localhost:{https}/", 301), "not to HTTPS"),
        (to("/index", 301), "not to HTTPS"),
        (to("https://[", 301), "not to HTTPS"),
        (to("", 301), "nowhere"),
        (lambda asked: Reply(200 if asked.path == "/health" else 404), "/health .* is served without TLS"),
        (lambda asked: Reply(503), "answers 503"),
        (lambda asked: Reply(401), "asks for credentials without TLS"),
    ],
)
def test_answers_without_tls(answer: Callable[[Asked], Reply], words: str, tmp_path: Path) -> None:
    """Refused or redirected for good to HTTPS on the same service; everything else is wrong."""
    with tls_server(issue(tmp_path)) as port:

        def replied(asked: Asked) -> Reply:
            reply = answer(asked)
            headers = {name: value.replace("{https}", str(port)) for name, value in reply.headers.items()}
            return Reply(reply.status, reply.body, headers)

        with serving(replied) as base:
            text = target(port, int(base.rpartition(":")[2]))
            facts = gather(tmp_path, text, "plaintext")["plaintext"].facts
    assert len({one.path for one in facts.asked}) == 2
    if words:
        with pytest.raises(AssertionError, match=words):
            CHECKS["test_tls_plaintext"](plaintext_facts=facts)
    else:
        CHECKS["test_tls_plaintext"](plaintext_facts=facts)


@pytest.mark.parametrize(
    ("names", "words"),
    [(("localhost", "other.example"), ""), (("localhost", "db01.corp"), "tells of db01.corp")],
)
def test_a_default_certificate_may_not_tell_of_the_inside(
    names: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    """Who asks for an unknown name and is shown a certificate sees its names."""
    with tls_server(issue(tmp_path, names=names)) as port:
        facts = gather(tmp_path, target(port, free()), "tls")["tls"].facts
    assert {stranger.asked for stranger in facts.strangers} == {"nobody.invalid", ""}
    if words:
        with pytest.raises(AssertionError, match=words):
            CHECKS["test_tls_strangers"](tls_facts=facts)
    else:
        CHECKS["test_tls_strangers"](tls_facts=facts)


def test_another_allowed_port_that_speaks_tls_is_looked_at(tmp_path: Path) -> None:
    """An admin's port is as public as the first; one that speaks something else is none of TLS."""
    context = issue(tmp_path)
    with (
        tls_server(context) as first,
        tls_server(context) as second,
        serving(lambda asked: Reply(200)) as base,
    ):
        other = int(base.rpartition(":")[2])
        more = f"[net]\nallowed_tcp = [22, {first}, {second}, {other}]"
        facts = gather(tmp_path, target(first, free(), more), "tls")["tls"].facts
    assert {one.port for one in facts.served} == {first, second}


def test_a_silent_door_is_the_dead_gate_net(tmp_path: Path) -> None:
    """Where packets are dropped the gate is dead after some seconds, and nobody waits for more."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):  # fill the queue, so that further connections hang
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        seen = gather(tmp_path, target(full.getsockname()[1], 1), "tls_scan", "health")
        for one in waiting:
            one.close()
    assert {(found.state, found.gate) for found in seen.values()} == {("dead", "net")}
    assert "no answer in time" in seen["tls_scan"].detail
