"""The handshake probe: which certificate each address of each endpoint serves, trusted or not."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.plots import Span
from pytest_deploycheck.probes import certificates
from pytest_deploycheck.probes.certificates import CertificateFacts
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports import Connections
from pytest_deploycheck.verdict import Reason

HANDSHAKE_TIMEOUT_S = 6.0
_DER = 2  # _ssl.ENCODING_DER


@dataclass(frozen=True)
class Served:
    """What one address serves for one endpoint.

    endpoint: host:port asked for.  address: IP address that was spoken to.  error: why there was no
    handshake, empty when there was one; connected says whether it got that far.  chain: the certificates as
    served, leaf first.  trusted: they lead to a root of the store that a client has (`TlsFacts.store`), for
    this name, now; trust_error: why not.  names_match: the leaf is for this host.
    """

    endpoint: str
    address: str
    connected: bool
    error: str
    version: str
    cipher: str
    alpn: str
    chain: tuple[CertificateFacts, ...]
    in_order: bool
    names_match: bool
    trusted: bool
    trust_error: str


@dataclass(frozen=True)
class TlsFacts:
    """Every handshake.

    private: the certificates are of a private authority (`target.ca_file`).  store: what `trusted` was
    judged by.  clock_skew_s: the server's clock minus ours, None when the server does not tell.  lifetime:
    of the first leaf, for the reports.
    """

    private: bool
    store: str
    served: tuple[Served, ...]
    clock_skew_s: float | None
    lifetime: Span | None


def endpoints(target: Target) -> list[tuple[str, int]]:
    """Return host and port of every TLS endpoint of the target."""
    if target.tls.endpoints:
        pairs = [entry.rpartition(":") for entry in target.tls.endpoints]
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]
    url = urlsplit(target.target.base_url)
    if url.scheme != "https":
        raise CannotLook(
            Reason.NO_CONFIG,
            f"target.base_url in {target.path.name} is not https; name the TLS listeners in tls.endpoints",
        )
    return [(str(url.hostname), url.port or 443)]


@probe(facts=TlsFacts, deadline=20, uses={"edge": "handshake", "api": "GET"})
def tls(target: Target, connect: Connections) -> TlsFacts:
    """Shake hands with every address of every TLS endpoint, once trusting anything, once as a client does."""
    ca_file = target.target.ca_file
    store = str(target.file(ca_file)) if ca_file else _public_store()
    served = [
        _look(connect, host, port, address, store)
        for host, port in endpoints(target)
        for address in _addresses(connect, host, port)
    ]
    alive = [one for one in served if not one.error]
    if not alive:
        gate = "tls" if any(one.connected for one in served) else "net"
        raise Dead(gate, "; ".join(f"{one.endpoint} ({one.address}): {one.error}" for one in served)[:400])
    leaf = alive[0].chain[0] if alive[0].chain else None
    span = (
        Span("Certificate lifetime", leaf.not_before, leaf.not_after, _iso(connect.now())) if leaf else None
    )
    return TlsFacts(
        private=bool(ca_file),
        store=ca_file or "Mozilla (certifi)",
        served=tuple(served),
        clock_skew_s=_skew(target, connect),
        lifetime=span,
    )


def _public_store() -> str:
    import certifi

    return certifi.where()


def _addresses(connect: Connections, host: str, port: int) -> list[str]:
    connect.remaining()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Dead("net", f"the name {host} does not resolve: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _look(connect: Connections, host: str, port: int, address: str, store: str) -> Served:
    """Shake hands twice: the first tells what is served, the second whether a client would accept it."""
    where = f"{host}:{port}"
    connect.socket_allowed("edge", "handshake", where)
    error, connected, seen = "", False, ("", "", "")
    chain: tuple[CertificateFacts, ...] = ()
    timeout = min(HANDSHAKE_TIMEOUT_S, connect.remaining())
    try:
        with socket.create_connection((address, port), timeout) as raw:
            connected = True
            with _anything().wrap_socket(raw, server_hostname=host) as wrapped:
                chain = tuple(certificates.read(der) for der in _chain(wrapped))
                cipher = wrapped.cipher()
                seen = (
                    wrapped.version() or "",
                    cipher[0] if cipher else "",
                    wrapped.selected_alpn_protocol() or "",
                )
    except (OSError, ValueError) as why:
        error = _words(why)
    trust_error = error or _refusal(connect, host, port, address, store)
    return Served(
        endpoint=where,
        address=address,
        connected=connected,
        error=error,
        version=seen[0],
        cipher=seen[1],
        alpn=seen[2],
        chain=chain,
        in_order=certificates.in_order(chain),
        names_match=bool(chain) and certificates.covers(chain[0].names, host),
        trusted=not trust_error,
        trust_error=trust_error,
    )


def _refusal(connect: Connections, host: str, port: int, address: str, store: str) -> str:
    """Return why a client with this store refuses the certificate, or an empty string."""
    connect.socket_allowed("edge", "handshake", f"{host}:{port}")
    try:
        context = ssl.create_default_context(cafile=store)
    except (OSError, ssl.SSLError) as error:
        raise CannotLook(
            Reason.NO_CONFIG, f"target.ca_file {store} holds no certificates: {_words(error)}"
        ) from None
    with contextlib.suppress(ValueError, ssl.SSLError):
        # An old protocol is another finding than an untrusted certificate.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        timeout = min(HANDSHAKE_TIMEOUT_S, connect.remaining())
        with (
            socket.create_connection((address, port), timeout) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return ""
    except OSError as error:
        return _words(error)


def _anything() -> ssl.SSLContext:
    """Return a context that completes a handshake with whatever the other side has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with contextlib.suppress(ValueError, ssl.SSLError):
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def _chain(wrapped: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server sent, DER, leaf first."""
    if hasattr(wrapped, "get_unverified_chain"):  # Python 3.13
        return [bytes(one) for one in wrapped.get_unverified_chain()]
    inner: Any = wrapped._sslobj  # type: ignore[attr-defined]
    return [one.public_bytes(_DER) for one in inner.get_unverified_chain() or ()]


def _skew(target: Target, connect: Connections) -> float | None:
    """Return the server's clock minus ours, by the Date of its health answer; None when it does not say."""
    try:
        answer = connect.http("api").get(target.health.path, timeout=3)
        return round((parsedate_to_datetime(answer.header("date") or "") - connect.now()).total_seconds(), 1)
    except (Dead, CannotLook, ValueError, TypeError):
        return None


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(text)[:160]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
