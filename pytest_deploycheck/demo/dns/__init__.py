"""The demo's names: two authoritative servers (Knot) for a signed domain, two validating resolvers (BIND, Unbound).

All of it is on loopback addresses, the authoritative servers on one port. The root above the domain is the demo's own, so that the whole
way from a trust anchor down is real.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo.dns import zones
from pytest_deploycheck.demo.dns.zones import Broken, Keys
from pytest_deploycheck.demo.process import Daemon
from pytest_deploycheck.demo.templates import render
from pytest_deploycheck.demo.world import DOMAINS, World

_TOOLS = {"knotd": "knot", "named": "bind9", "unbound": "unbound"}
# BIND listens on addresses that an interface has, and on no other of the loopback network.
_PLACES = {
    "knot1": ("127.0.0.1", "dns"),
    "knot2": ("127.0.0.2", "dns"),
    "bind": ("127.0.0.1", "bind"),
    "unbound": ("127.0.0.1", "unbound"),
}
# What was sent before the server listened is lost, and is asked again.
_ANSWER_S = 0.15
_PUBLISHED_S = 10.0
_keys: dict[Path, Keys] = {}


def available() -> str | None:
    """Return None, or why there are no name servers on this machine."""
    for tool, package in _TOOLS.items():
        if _find(tool) is None:
            return f"no {tool} on PATH or in /usr/sbin; Debian has it in the package {package}"
    if importlib.util.find_spec("dns") is None:
        return "no dnspython: pip install 'pytest-deploycheck[dns]'"
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", 0))
    except OSError:
        return "127.0.0.2 is no address of this machine"
    return None


def daemons(world: World) -> list[Daemon]:
    """Write zones and configuration, and describe the processes."""
    keys = _keys[world.dir] = Keys()
    zones.publish(world, keys, six=six())
    home, port = world.path("dns"), world.port("dns")
    flags, protocol, algorithm, *key = zones.anchor(keys).split()
    (home / "root.hints").write_text(". 3600 NS a.root.\na.root. 3600 A 127.0.0.1\n")
    (home / "root.key").write_text(f". IN DNSKEY {flags} {protocol} {algorithm} {''.join(key)}\n")
    anchor = f'{flags} {protocol} {algorithm} "{"".join(key)}"'
    found = []
    for name, (address, port_name) in _PLACES.items():
        kind = name.rstrip("12")
        work, own_port = home / name, world.port(port_name)
        work.mkdir(parents=True, exist_ok=True)
        config = render(
            f"{kind}.conf",
            home / f"{name}.conf",
            home=home,
            work=work,
            zones=home / f"zones{name[-1]}",
            address=address,
            port=port,
            own_port=own_port,
            domain=zones.DOMAIN,
            anchor=anchor,
        )
        command = {
            "knot": [_find("knotd"), "-c", config],
            "bind": [_find("named"), "-g", "-n", "1", "-c", config],
            "unbound": [_find("unbound"), "-d", "-p", "-c", config],
        }[kind]
        found.append(
            Daemon(
                name,
                [str(word) for word in command],
                home=work,
                ready=functools.partial(_answers, address, own_port, kind != "knot"),
                log=world.path("logs", f"{name}.log"),
            )
        )
    return found


def publish(
    world: World, servers: dict[str, Daemon], broken: Broken | None = None, only: tuple[int, ...] = (1, 2)
) -> None:
    """Publish the zones anew, broken or whole, and let the resolvers forget what they knew.

    `servers` are the running daemons by name; `only` the name servers that are given them. Returns when those
    serve the new zone.
    """
    import dns.zone

    zones.publish(world, _keys[world.dir], six=six(), broken=broken, servers=only)
    for number in only:
        text = (zones.folder(world, number) / f"{zones.DOMAIN}.zone").read_text()
        wanted = dns.zone.from_text(text, origin=f"{zones.DOMAIN}.", relativize=False).get_soa().serial
        name = f"knot{number}"
        servers[name].signal(signal.SIGHUP)
        deadline = time.monotonic() + _PUBLISHED_S
        while serial(_PLACES[name][0], world.port("dns")) != wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not serve zone {wanted} after {_PUBLISHED_S:g} s")
            time.sleep(0.01)
    for name in ("bind", "unbound"):
        servers[name].stop()
        servers[name].start()
    for name in ("bind", "unbound"):
        servers[name].wait_ready()


def serial(address: str, port: int) -> int | None:
    """Return the serial number of the domain's zone that a server has; None when it does not answer."""
    answer = _ask(address, port, zones.DOMAIN, "SOA")
    found = [record for records in (answer.answer if answer else ()) for record in records]
    return next((int(record.serial) for record in found if record.rdtype == 6), None)


def target_sections(world: World) -> dict[str, dict[str, object]]:
    """Return the domain, where it must lead, and whom to ask."""
    port = world.port("dns")
    return {
        "target": {"domains": list(DOMAINS)},
        "dns": {
            "expected_ips": ["127.0.0.1", "::1"] if six() else ["127.0.0.1"],
            "resolvers": [f"127.0.0.1:{world.port(name)}" for name in ("bind", "unbound")],
            "authoritative_port": port,
            "caa_issuers": [zones.ISSUER],
            "rdap": "",
        },
    }


def six() -> bool:
    """Whether localhost may be ::1 here."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _ask(address: str, port: int, name: str, kind: str) -> Any | None:
    import dns.exception
    import dns.message
    import dns.query

    try:
        return dns.query.udp(dns.message.make_query(name, kind), address, timeout=_ANSWER_S, port=port)
    except (dns.exception.DNSException, OSError):
        return None


def _answers(address: str, port: int, recursive: bool) -> bool:
    """Whether a server knows the domain; of a resolver a failure is an answer too, as of a broken zone."""
    answer = _ask(address, port, zones.DOMAIN, "A")
    return answer is not None and (bool(answer.answer) or (recursive and answer.rcode() == 2))


def _find(tool: str) -> Path | None:
    found = shutil.which(tool, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    return Path(found) if found else None
