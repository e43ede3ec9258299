"""The plaintext probe: what the service answers to HTTP without TLS, on its HTTP port and on its TLS ports."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pytest_deploycheck.observe import probe
from pytest_deploycheck.probes.handshake import words
from pytest_deploycheck.transports.parallel import each

if TYPE_CHECKING:
    from pytest_deploycheck.probes.tls import TlsFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

TIMEOUT_S = 4.0


@dataclass(frozen=True)
class Plain:
    """One request without TLS.

    place: host:port and address.  tls_port: it was sent where TLS is spoken.  status: of the answer, None where
    there was none (refused, silent, or cut off; `error` says which).  location: where it redirects, as an
    absolute address; redirect_host, redirect_port and secure are its parts.
    """

    host: str
    place: str
    path: str
    tls_port: bool
    status: int | None
    error: str
    location: str
    redirect_host: str
    redirect_port: int
    secure: bool


@dataclass(frozen=True)
class PlaintextFacts:
    """Every request; own: names of the service; tls_ports: where it speaks TLS."""

    asked: tuple[Plain, ...]
    own: tuple[str, ...]
    tls_ports: tuple[int, ...]


@probe(facts=PlaintextFacts, deadline=20, uses={"edge": "plaintext"})
def plaintext(target: Target, connect: Connections, tls_facts: TlsFacts) -> PlaintextFacts:
    """Ask each address of each name for two pages without TLS, at its HTTP port and at its TLS ports."""
    paths = tuple(dict.fromkeys(("/", target.health.path)))
    doors = dict.fromkeys(
        (one.host, one.address, port, port == one.port)
        for one in tls_facts.served
        if one.connected
        for port in (target.tls.http_port, one.port)
    )
    asked = each(lambda task: _ask(connect, *task), [(*door, path) for door in doors for path in paths])
    ports = tuple(dict.fromkeys(one.port for one in tls_facts.served))
    return PlaintextFacts(tuple(asked), tls_facts.own, ports)


def _ask(connect: Connections, host: str, address: str, port: int, tls_port: bool, path: str) -> Plain:
    connect.socket_allowed("edge", "plaintext", f"{host}:{port}")
    shown = f"[{host}]" if ":" in host else host
    name = shown if port == 80 else f"{shown}:{port}"
    status, error, location = None, "", ""
    connection = http.client.HTTPConnection(address, port, timeout=min(TIMEOUT_S, connect.remaining()))
    try:
        connection.request("GET", path, headers={"Host": name, "Connection": "close"})
        answer = connection.getresponse()
        status, location = answer.status, answer.getheader("Location") or ""
    except (OSError, http.client.HTTPException) as why:
        error = words(why) or type(why).__name__
    finally:
        connection.close()
    absolute = _absolute(f"http://{name}{path}", location)
    secure, there, number = _parts(absolute)
    return Plain(
        host=host,
        place=f"http://{name}{path} ({address})",
        path=path,
        tls_port=tls_port,
        status=status,
        error=error,
        location=absolute[:500],
        redirect_host=there,
        redirect_port=number,
        secure=secure,
    )


def _absolute(asked: str, location: str) -> str:
    """Return a redirect's address, as it is where it is none."""
    try:
        return urljoin(asked, location) if location else ""
    except ValueError:
        return location


def _parts(location: str) -> tuple[bool, str, int]:
    """Return whether a redirect leads to HTTPS, its host and its port; nothing of one that cannot be read."""
    try:
        url = urlsplit(location)
        port = url.port
    except ValueError:
        return False, "", 0
    secure = url.scheme == "https"
    return secure, (url.hostname or "").rstrip("."), port or (443 if secure else 80)
