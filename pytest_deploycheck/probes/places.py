"""Whether two addresses mean the same server: scheme and port count where both say them."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def same_place(one: str, other: str) -> bool:
    """Compare two hosts, each a URL, host:port or a bare host name; an unreadable one is no place at all."""
    try:
        a, b = _parts(one), _parts(other)
    except ValueError:
        return False
    if not a[1] or a[1] != b[1]:
        return False
    return all(x == y or not x or not y for x, y in ((a[0], b[0]), (a[2], b[2])))


def _parts(address: str) -> tuple[str, str, int]:
    """Return scheme ("" when not said), host in lower case, and port (0 when not said)."""
    url = urlsplit(address if "://" in address else f"//{address}")
    return url.scheme.lower(), (url.hostname or "").rstrip("."), url.port or _PORTS.get(url.scheme.lower(), 0)
