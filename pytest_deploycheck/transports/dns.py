"""DNS: single questions to servers by address, entered into the ledger, bounded by the probe's time."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.connections import Connections

ANSWER_S = 2.0
"""Seconds that a server is waited for."""
TRIES = 2
Server = tuple[str, int]


def server(text: str, port: int = 53) -> Server:
    """Return address and port of `192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1` or `[2001:db8::1]:5300`."""
    host, colon, number = text.rpartition(":")
    if text.startswith("["):
        host = (host if colon and number.isdigit() else text).strip("[]")
        return host, int(number) if number.isdigit() else port
    if text.count(":") == 1:
        return host, int(number)
    return text, port


def resolvers(connect: Connections) -> list[Server]:
    """Return the resolvers of `[dns]`."""
    found = []
    for text in connect.target.dns.resolvers:
        try:
            place = server(text)
            ipaddress.ip_address(place[0])
        except ValueError:
            file = connect.target.path.name
            raise CannotLook(
                Reason.NO_CONFIG, f"dns.resolvers in {file}: {text!r} is no address; give addresses"
            ) from None
        found.append(place)
    return found


def ask(
    connect: Connections,
    to: Server,
    name: str,
    kind: str,
    *,
    recursion: bool = True,
    checking_disabled: bool = False,
) -> Any | None:
    """Return a server's answer (dns.message.Message), DNSSEC records asked for, or None when none came in time.

    Raises CannotLook where dnspython is not installed, and where the name is none that DNS could hold.
    """
    try:
        import dns.exception
        import dns.flags
        import dns.message
        import dns.query
    except ImportError:
        raise CannotLook(
            Reason.NO_ACCESS, "dnspython is not installed here; pip install 'pytest-deploycheck[dns]'"
        ) from None
    try:
        question = dns.message.make_query(name, kind, want_dnssec=True, use_edns=0)
    except dns.exception.DNSException as error:
        raise CannotLook(Reason.NO_CONFIG, f"{name!r} is no name: {error}") from None
    if not recursion:
        question.flags &= ~dns.flags.RD
    if checking_disabled:
        question.flags |= dns.flags.CD
    address, port = to
    for _ in range(TRIES):
        connect.socket_allowed("dns", "query", f"{address} port {port}")
        try:
            answer, _ = dns.query.udp_with_fallback(
                question, address, timeout=min(ANSWER_S, connect.remaining()), port=port
            )
        except (dns.exception.DNSException, OSError, EOFError):
            continue
        return answer
    return None
