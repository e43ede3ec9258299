"""TLS handshakes: what an address serves for a name, whether a client would accept it, and what strangers get."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.probes import certificates
from pytest_deploycheck.probes.certificates import CertificateFacts
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports import Connections

HANDSHAKE_TIMEOUT_S = 6.0
UNKNOWN_NAME = "nobody.invalid"
"""A name that no server has (RFC 6761, section 6.4)."""
_DER = 2  # _ssl.ENCODING_DER
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True)
class Served:
    """What one address serves for one endpoint.

    endpoint: host:port asked for.  address: IP address that was spoken to.  error: why there was no
    handshake, empty when there was one; connected says whether it got that far, no_route that this machine
    has no way there at all.  chain: the certificates as served, leaf first.  trusted: these alone lead to a root
    of the store that a client has (`TlsFacts.store`), for this name, now; trust_error: why not.  names_match: the
    leaf is for this host.
    """

    endpoint: str
    address: str
    connected: bool
    no_route: bool
    error: str
    version: str
    cipher: str
    alpn: str
    chain: tuple[CertificateFacts, ...]
    in_order: bool
    names_match: bool
    trusted: bool
    trust_error: str

    @property
    def host(self) -> str:
        """The name that was asked for."""
        return self.endpoint.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port that was asked."""
        return int(self.endpoint.rpartition(":")[2])


@dataclass(frozen=True)
class Stranger:
    """What a listener shows to somebody who asks for a name that is not there, or for none (`asked` is empty).

    names: those of the certificate shown, with its subject; empty when the handshake is refused.
    """

    listener: str
    asked: str
    refused: bool
    subject: str
    names: tuple[str, ...]


def look(connect: Connections, host: str, port: int, address: str, store: str) -> Served:
    """Shake hands twice: the first tells what is served, the second whether a client would accept it."""
    where = f"{host}:{port}"
    connect.socket_allowed("edge", "handshake", where)
    error, connected, no_route, seen = "", False, False, ("", "", "")
    chain: tuple[CertificateFacts, ...] = ()
    timeout = min(HANDSHAKE_TIMEOUT_S, connect.remaining())
    try:
        with socket.create_connection((address, port), timeout) as raw:
            connected = True
            with shake(raw, host) as wrapped:
                chain = tuple(certificates.read(der) for der in _chain(wrapped))
                cipher = wrapped.cipher()
                seen = (
                    wrapped.version() or "",
                    cipher[0] if cipher else "",
                    wrapped.selected_alpn_protocol() or "",
                )
    except (OSError, ValueError) as why:
        error = words(why)
        no_route = not connected and getattr(why, "errno", None) in _NO_ROUTE
    trust_error = error or _refusal(connect, host, port, address, store)
    return Served(
        endpoint=where,
        address=address,
        connected=connected,
        no_route=no_route,
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


def stranger(connect: Connections, address: str, port: int, asked: str) -> Stranger | None:
    """Shake hands for a name that is not there, or without one; None where nothing was reached."""
    listener = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    connect.socket_allowed("edge", "handshake", listener)
    timeout = min(HANDSHAKE_TIMEOUT_S, connect.remaining())
    try:
        raw = socket.create_connection((address, port), timeout)
    except OSError:
        return None
    try:
        with raw, shake(raw, asked) as wrapped:
            leaf = certificates.read(_chain(wrapped)[0])
    except (OSError, ValueError, IndexError):
        return Stranger(listener, asked, True, "", ())
    return Stranger(listener, asked, False, leaf.subject, leaf.names)


def _refusal(connect: Connections, host: str, port: int, address: str, store: str) -> str:
    """Return why a client with this store refuses the certificate, or an empty string."""
    connect.socket_allowed("edge", "handshake", f"{host}:{port}")
    try:
        context = ssl.create_default_context(cafile=store)
    except (OSError, ssl.SSLError) as error:
        raise CannotLook(
            Reason.NO_CONFIG, f"target.ca_file {store} holds no certificates: {words(error)}"
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
        return words(error)


def shake(raw: socket.socket, name: str) -> ssl.SSLSocket:
    """Complete a handshake with whatever the other side has, for a name or (when it is empty) for none."""
    return _anything().wrap_socket(raw, server_hostname=name or None)


def _anything() -> ssl.SSLContext:
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


def words(error: Exception) -> str:
    """Return why a connection or handshake failed, in few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(text)[:160]
