"""The demo's zones: a root of its own, `test.` below it, and the service's domain, each signed and delegated.

A name server reads them from files; `publish` writes them, whole or broken in one of the ways that happen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo.world import DOMAINS, World

DOMAIN = DOMAINS[0]
ISSUER = "ca.tokens.test"
"""The CAA name of the demo's certificate authority."""
TTL = 300
_DAY_S = 86400  # so much a resolver may forgive (Unbound: val-sig-skew-max)
_MONTH_S = 30 * _DAY_S
_NS = ("127.0.0.1", "127.0.0.2")


@dataclass(frozen=True)
class Broken:
    """How the domain's zone differs from a healthy one.

    without: record lines to leave out.  added: record lines to add.  expired: its signatures have run out.
    unsigned: it carries none.  foreign_ds: the delegation names a key that is not the zone's.  no_ds: the
    delegation names none.
    """

    without: Sequence[str] = ()
    added: Sequence[str] = ()
    expired: bool = False
    unsigned: bool = False
    foreign_ds: bool = False
    no_ds: bool = False


@dataclass
class Keys:
    """One signing key for each zone, kept in memory: a new start has new keys, and a new trust anchor."""

    made: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def of(self, zone: str) -> tuple[Any, Any]:
        """Return a zone's private key and its DNSKEY record, made on first use."""
        import dns.dnssec
        from cryptography.hazmat.primitives.asymmetric import ec

        if zone not in self.made:
            private = ec.generate_private_key(ec.SECP256R1())
            public = dns.dnssec.make_dnskey(private.public_key(), "ECDSAP256SHA256", flags=257)
            self.made[zone] = (private, public)
        return self.made[zone]


def records(six: bool) -> list[str]:
    """Return the lines of the healthy domain but for its SOA."""
    lines = [
        "@ NS ns1",
        "@ NS ns2",
        f"ns1 A {_NS[0]}",
        f"ns2 A {_NS[1]}",
        "@ A 127.0.0.1",
        f"www CNAME {DOMAIN}.",
        f'@ CAA 0 issue "{ISSUER}"',
        f'@ CAA 0 iodef "mailto:security@{DOMAIN}"',
    ]
    return [*lines, "@ AAAA ::1"] if six else lines


def folder(world: World, server: int) -> Path:
    """Return where a name server (1 or 2) has its zone files."""
    path = world.path("dns", f"zones{server}", "x").parent
    path.mkdir(parents=True, exist_ok=True)
    return path


def publish(
    world: World, keys: Keys, *, six: bool, broken: Broken | None = None, servers: Sequence[int] = (1, 2)
) -> None:
    """Write all zones for these servers, with a serial number above every earlier one."""
    import dns.dnssec

    broken = broken or Broken()
    lines = [line for line in records(six) if line not in broken.without] + list(broken.added)
    child = _zone(DOMAIN, lines, None if broken.unsigned else keys.of(DOMAIN), expired=broken.expired)
    signer = Keys().of(DOMAIN) if broken.foreign_ds else keys.of(DOMAIN)
    ds = dns.dnssec.make_ds(f"{DOMAIN}.", signer[1], "SHA256")
    delegation = [f"tokens NS ns{n}.tokens" for n in (1, 2)] + [
        f"ns{n}.tokens A {_NS[n - 1]}" for n in (1, 2)
    ]
    secure = [] if broken.no_ds else [f"tokens DS {ds}"]
    test = _zone("test", ["@ NS ns", f"ns A {_NS[0]}", *delegation, *secure], keys.of("test"))
    top = dns.dnssec.make_ds("test.", keys.of("test")[1], "SHA256")
    root_lines = [
        "@ NS a.root",
        f"a.root A {_NS[0]}",
        "test NS ns.test",
        f"ns.test A {_NS[0]}",
        f"test DS {top}",
    ]
    root = _zone("", root_lines, keys.of(""))
    for server in servers:
        for name, text in (("root", root), ("test", test), (DOMAIN, child)):
            path = folder(world, server) / f"{name}.zone"
            scratch = path.with_suffix(".new")
            scratch.write_text(text)
            scratch.replace(path)


def anchor(keys: Keys) -> str:
    """Return the root's DNSKEY as the text of its record's data."""
    return str(keys.of("")[1])


_last_serial = 0


def _serial() -> int:
    global _last_serial
    _last_serial = max(_last_serial + 1, int(time.time()))
    return _last_serial


def _zone(name: str, lines: Sequence[str], key: tuple[Any, Any] | None, *, expired: bool = False) -> str:
    """Return a zone's text, signed when there is a key."""
    import dns.dnssec
    import dns.zone

    origin = f"{name}." if name else "."
    soa = f"@ SOA {'ns1' if name == DOMAIN else 'ns'} hostmaster {_serial()} 3600 600 604800 60"
    zone = dns.zone.from_text("\n".join([f"$TTL {TTL}", soa, *lines]) + "\n", origin=origin, relativize=False)
    if key is not None:
        now = int(time.time())
        begin, end = (now - _MONTH_S, now - 2 * _DAY_S) if expired else (now - 3600, now + _MONTH_S)
        dns.dnssec.sign_zone(zone, keys=[key], inception=begin, expiration=end, deterministic=False)
    text = zone.to_text(relativize=False)
    return text if isinstance(text, str) else text.decode()
