"""Names in a certificate that tell of the inside of a network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_SUFFIXES = (
    *(
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "local",
        "localdomain",
        "localnet",
        "home.arpa",
    ),
    *("svc", "cluster.local", "compute.internal", "ec2.internal", "consul", "docker", "dmz", "test", "vpn"),
)
"""Endings that are never, or never for others, delegated in the public DNS (RFC 6762, RFC 8375, ICANN)."""
_KNOWN_DEFAULTS = re.compile(r"^(localhost|ingress\.local|.*\.traefik\.default)$")
"""What well-known servers show by default to strangers; it tells which software it is, and nothing more."""
_HOST = re.compile(r"^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$")


def common(subject: str) -> tuple[str, ...]:
    """Return the common name of a subject, where it looks like a host's."""
    found = re.search(r"(?:^|,)CN=((?:\\.|[^,\\])+)", subject)
    name = found[1].lower() if found else ""
    return (name,) if _HOST.match(name) else ()


def internal(names: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    """Return the names that tell of the inside: internal endings, bare host names, private addresses.

    `own` are the names that the service is known by anyway.
    """
    public = {name.lower() for name in own}
    return tuple(dict.fromkeys(name for name in names if _tells(name.lower().rstrip("."), public)))


def _tells(name: str, public: set[str]) -> bool:
    if name in public or name.removeprefix("*.") in public or _KNOWN_DEFAULTS.match(name):
        return False
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return address.is_private and not address.is_loopback
    bare = name.removeprefix("*.")
    return bool(_HOST.match(name)) and ("." not in bare or any(bare.endswith(f".{end}") for end in _SUFFIXES))
