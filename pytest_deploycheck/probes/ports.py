"""The ports probe: which TCP ports the public reaches, by plain connections from outside.

A scan proves something only from a place that is surely outside: `net.vantage = "local://"` declares this
machine to be one. It is not believed where an address is this machine's own or a private one, which another
machine of the same network would reach past the wall. A vantage at another machine (`ssh://…`) is not used:
scanning from there would need a program on it that does more than read.
"""

from __future__ import annotations

import errno
import ipaddress
import random
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.rules.common_ports import COMMON
from pytest_deploycheck.transports.names import addresses_of
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

CONTROLS = 3
"""Ports that nobody uses, asked to see whether something answers for every port."""
_UNUSED = range(50000, 60000)
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True)
class Scan:
    """What one address answers.

    inside: why this machine is not outside of it, empty where it is.  scanned: ports asked.  open; refused:
    ports where it says no; silent: how many said nothing.  controls: ports that nobody uses, as far as they
    are open.  unreachable: why no packet left for it, empty where some did.
    """

    address: str
    inside: str
    scanned: int
    open: tuple[int, ...]
    refused: int
    silent: int
    controls: tuple[int, ...]
    unreachable: str


@dataclass(frozen=True)
class PortsFacts:
    """Every address of the server as seen from outside.

    declared: the environment is a demo, whose private addresses count as outside.
    """

    vantage: str
    declared: bool
    allowed: tuple[int, ...]
    sentinels: tuple[int, ...]
    scans: tuple[Scan, ...]


@probe(facts=PortsFacts, deadline=180, safety="S2", uses={"edge": "connect"})
def ports(target: Target, connect: Connections) -> PortsFacts:
    """Connect to allowed, sensitive and common ports of each public address."""
    net = target.net
    if not net.vantage:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no net.vantage in {target.path.name}; set it to local:// on a machine outside the server's network",
        )
    if net.vantage != "local://":
        raise CannotLook(
            Reason.NOT_ALLOWED,
            f"no scan is started from {net.vantage}; run this there, or anywhere outside, with net.vantage = 'local://'",
        )
    wanted = sorted({*net.allowed_tcp, *net.sentinel_ports, *(COMMON if net.scan_common else ())})
    declared = target.target.environment == "demo"
    scans = []
    for address in _public(target, connect):
        inside = "" if declared else _inside(address)
        scans.append(
            Scan(address, inside, 0, (), 0, 0, (), "") if inside else _scan(connect, address, wanted)
        )
    return PortsFacts(net.vantage, declared, tuple(net.allowed_tcp), tuple(net.sentinel_ports), tuple(scans))


def _public(target: Target, connect: Connections) -> list[str]:
    """Return the addresses to look at: those given, or those that the names should lead to."""
    if target.net.addresses:
        return list(target.net.addresses)
    if target.dns.proxied:
        raise CannotLook(
            Reason.NO_CONFIG,
            f"with dns.proxied the names lead elsewhere; add the server's own net.addresses to {target.path.name}",
        )
    given = [one for one in target.dns.expected_ips if "/" not in one]
    found = given or [
        address for name in target.public_names for address in addresses_of(target, connect, name)
    ]
    if not found:
        raise CannotLook(
            Reason.NO_CONFIG, f"no address of the server is known; add net.addresses to {target.path.name}"
        )
    return list(dict.fromkeys(found))


def _inside(address: str) -> str:
    """Return why this machine may stand behind the wall, or an empty string."""
    parsed = ipaddress.ip_address(address)
    if not parsed.is_global:
        return f"{address} is no public address"
    with socket.socket(socket.AF_INET6 if parsed.version == 6 else socket.AF_INET) as one:
        try:
            one.bind((address, 0))
        except OSError:
            return ""
    return f"{address} is this machine's own"


def _scan(connect: Connections, address: str, wanted: list[int]) -> Scan:
    unused = [port for port in random.sample(_UNUSED, CONTROLS + len(wanted)) if port not in wanted][
        :CONTROLS
    ]
    left = [*wanted, *unused]
    answers: dict[int, int] = {}
    limits = connect.limits
    for _ in range(int(limits.scan_tries)):
        answers |= _connect_all(connect, address, left, limits.scan_timeout_s, int(limits.scan_parallel))
        left = [port for port in left if answers.get(port) == errno.ETIMEDOUT]
    opened = sorted(port for port, code in answers.items() if code == 0)
    beyond = [code for code in answers.values() if code in _UNREACHABLE]
    return Scan(
        address=address,
        inside="",
        scanned=len(wanted),
        open=tuple(port for port in opened if port not in unused),
        refused=sum(code == errno.ECONNREFUSED for code in answers.values()),
        silent=sum(code == errno.ETIMEDOUT for code in answers.values()),
        controls=tuple(port for port in opened if port in unused),
        unreachable=errno.errorcode[beyond[0]] if len(beyond) == len(answers) else "",
    )


def _connect_all(
    connect: Connections, address: str, wanted: Iterable[int], timeout: float, parallel: int
) -> dict[int, int]:
    """Return for each port how a connection to it ended, as an errno; 0 for an open one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answers: dict[int, int] = {}
    waiting = list(reversed(list(wanted)))
    with selectors.DefaultSelector() as selector:
        out: dict[socket.socket, tuple[int, float]] = {}

        def finish(one: socket.socket, code: int) -> None:
            answers[out.pop(one)[0]] = code
            selector.unregister(one)
            one.close()

        try:
            while waiting or out:
                connect.remaining()
                while waiting and len(out) < parallel:
                    port = waiting.pop()
                    connect.socket_allowed("edge", "connect", address)
                    one = socket.socket(family, socket.SOCK_STREAM)
                    one.setblocking(False)
                    code = one.connect_ex((address, port))
                    out[one] = (port, time.monotonic() + timeout)
                    selector.register(one, selectors.EVENT_WRITE)
                    if code not in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                        finish(one, code)
                for key, _ in selector.select(0.02):
                    found = key.fileobj
                    assert isinstance(found, socket.socket)
                    finish(found, found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                now = time.monotonic()
                for one in [one for one, (_, until) in out.items() if until <= now]:
                    finish(one, errno.ETIMEDOUT)
        finally:
            for one in list(out):
                one.close()
    return answers
