"""Addresses of repositories: whether two mean the same one, and how to show one. Pure functions."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:(?P<user>[^@/:\s]+)@)?(?P<host>[^/:\s]+):(?!//)(?P<path>\S+)")


def shown(address: str) -> str:
    """Return an address without user and password, which may be a token."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", address)


def same_repository(declared: str, found: str) -> bool:
    """Whether two addresses lead to one repository: https, ssh and scp-like forms, with or without .git.

    A host that an ssh configuration gives another name (github.com-deploy, or one word) counts as the declared one.
    """
    (host, path), (other_host, other_path) = _parts(declared), _parts(found)
    if not path or path.lower() != other_path.lower():
        return False
    alias = "." not in other_host or other_host.startswith(f"{host}-") or other_host.endswith(f"-{host}")
    return host == other_host or (alias and bool(other_host) and not re.match(r"https?://", found))


def _parts(address: str) -> tuple[str, str]:
    """Return host and path, both plain; the host is empty for a path of this machine."""
    text = address.strip()
    if "://" in text:
        try:
            url = urlsplit(text)
        except ValueError:
            return "", ""
        host, path = url.hostname or "", url.path
    elif match := _SCP.fullmatch(text):
        host, path = match["host"].lower(), match["path"]
    else:
        host, path = "", text
    return host.lower(), path.strip("/").removesuffix(".git").rstrip("/")
