"""Names of the deployment as the public resolves them, rather than as this machine would like to."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.transports.dns import ask, resolvers

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports.connections import Connections


def addresses_of(target: Target, connect: Connections, host: str) -> list[str]:
    """Return the addresses of a host, or raise Dead(net) when it has none.

    One of the deployment's own names is asked of `dns.resolvers` where the target file sets them; everything
    else is resolved as this machine does.
    """
    if host in target.public_names and "resolvers" in target.dns.model_fields_set:
        found = _asked(connect, host)
        if found:
            return found
    connect.remaining()
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Dead("net", f"the name {host} does not resolve: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _asked(connect: Connections, host: str) -> list[str]:
    """Return what the first resolver that answers says."""
    for place in resolvers(connect):
        try:
            answers = [ask(connect, place, host, kind) for kind in ("A", "AAAA")]
        except CannotLook:
            return []
        if any(answer is not None for answer in answers):
            return list(
                dict.fromkeys(
                    str(record)
                    for answer in answers
                    if answer is not None
                    for records in answer.answer
                    for record in records
                    if records.rdtype in (1, 28)
                )
            )
    return []
