"""What an edge tells the application of the client's address, and what a client can make of it."""

from __future__ import annotations

import re

_FROM_CLIENT = re.compile(r"\$(http_|arg_|cookie_|request_uri|args|uri\b|proxy_add_x_forwarded_for)")
_ADDRESS = re.compile(r"\$(binary_)?remote_addr\b|\$ssl_client_(fingerprint|s_dn|serial)\b")


def unspoofable(key: str) -> bool:
    """Whether a limiter's key holds the connection's own address, and nothing that a client may choose."""
    return bool(_ADDRESS.search(key)) and not _FROM_CLIENT.search(key)


def told_truly(forwarded_for: str, real_ip: str, client_ip: str) -> str:
    """Return "true", "appended" or "forged": whether the application learns the real address.

    forwarded_for, real_ip: what the edge sets X-Forwarded-For and X-Real-IP to, empty where it sets none.
    client_ip: "only" where the application takes X-Forwarded-For as a whole, "rightmost" where it counts
    its proxies from the right, so that an appended header is as good as a replaced one.
    """
    if forwarded_for == "$proxy_add_x_forwarded_for":
        return "true" if client_ip == "rightmost" else "appended"
    if forwarded_for in ("", '""') and unspoofable(real_ip):
        return "true"
    return "true" if unspoofable(forwarded_for) else "forged"
