"""The public door by its lowest floors: a TCP connection, and a handshake."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import Dead
from pytest_deploycheck.probes.handshake import HANDSHAKE_TIMEOUT_S, shake, words
from pytest_deploycheck.probes.tls import endpoints
from pytest_deploycheck.transports.names import addresses_of

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

CONNECT_TIMEOUT_S = 3.0


def connected(target: Target, connect: Connections) -> str:
    """Return which address of the base URL accepts a connection, or raise Dead(net) with why none does."""
    url = urlsplit(target.target.base_url)
    port = url.port or {"https": 443, "http": 80}[url.scheme]
    refusals = []
    for address in addresses_of(target, connect, str(url.hostname)):
        connect.socket_allowed("edge", "connect", address)
        try:
            socket.create_connection((address, port), min(CONNECT_TIMEOUT_S, connect.remaining())).close()
        except OSError as error:
            refusals.append(f"{address}: {words(error)}")
        else:
            return f"{url.hostname}:{port} accepts connections at {address}"
    raise Dead("net", f"{url.hostname}:{port} accepts no connection ({'; '.join(refusals)[:300]})")


def shaken(target: Target, connect: Connections) -> str:
    """Return which TLS endpoint completes a handshake, or raise Dead with why none does."""
    refusals, reached = [], False
    for host, port in endpoints(target):
        for address in addresses_of(target, connect, host):
            connect.socket_allowed("edge", "handshake", f"{host}:{port}")
            try:
                with socket.create_connection(
                    (address, port), min(HANDSHAKE_TIMEOUT_S, connect.remaining())
                ) as raw:
                    reached = True
                    with shake(raw, host) as wrapped:
                        return f"{host}:{port} speaks {wrapped.version()} at {address}"
            except (OSError, ValueError) as error:
                refusals.append(f"{host}:{port} ({address}): {words(error)}")
    raise Dead("tls" if reached else "net", f"no TLS handshake: {'; '.join(refusals)[:400]}")
