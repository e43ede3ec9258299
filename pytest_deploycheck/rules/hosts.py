"""Hosts that the public cannot reach, and those that are meant so."""

from __future__ import annotations

import ipaddress


def internal(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a host is declared as private on purpose: by name, as *.name, by address or by network."""
    host = host.lower().rstrip(".")
    for one in (entry.lower() for entry in allowed):
        if host == one or (one.startswith("*.") and host.endswith(one[1:])):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(one, strict=False):
                return True
        except ValueError:
            continue
    return False


def private(host: str) -> str:
    """Return why a host is not one that the public could reach; empty when nothing says so."""
    name = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if name == "localhost" or name.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa")):
            return "a host of this machine or network"
        return "a name without a domain" if "." not in name else ""
    if address.is_loopback or address.is_unspecified:
        return "a loopback address"
    return "" if address.is_global else "a private address"
