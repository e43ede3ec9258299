"""The nodes that a target speaks of: the reference, the application's own, its fallback; and their URLs' shape."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.probes import env

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.rpc import Rpc

NAMES = {"reference": "rpc", "application": "rpc_application", "fallback": "rpc_fallback"}
"""Our words for the nodes, and their endpoints."""
# Keys of Infura, Alchemy, QuickNode, Ankr and Chainstack have 32 characters and more.
_KEY_MIN = 16
_NO_KEY = re.compile(r"(?i)v\d+|ws|rpc|api|eth|http|ext|bc|c|main(net)?|jsonrpc|json-rpc|sepolia|ethereum")
_PLACEHOLDER = re.compile(
    r"(?i)^(demo|test|key|token|docs-demo)$|your|api[_-]?key|project[_-]?id|change[_-]?me|example|placeholder"
    r"|[<>{}$]|^x{4,}$|^(.)\1+$"
)


@dataclass(frozen=True)
class Address:
    """The shape of a node's URL, without what is secret in it.

    place: host and port.  private: the host is of a private network, or this machine.  hosted, own:
    it is on `rpc.allowed_hosts`, on `rpc.own_hosts`.  key: "present", "placeholder" or "none".  provider: the
    host's domain; for a node of our own, its host and port.
    """

    place: str
    scheme: str
    private: bool
    hosted: bool
    own: bool
    key: str
    provider: str


def addresses(target: Target, connect: Connections) -> tuple[dict[str, str], dict[str, str]]:
    """Return the nodes' URLs, which are secret, by our word for each; and why there is none for the others."""
    urls: dict[str, str] = {}
    missing: dict[str, str] = {}
    assert target.rpc is not None  # the gate has answered
    urls["reference"] = connect.secret(target.rpc.url)
    key = target.env.rpc_url_key
    if target.rpc.application is not None:
        urls["application"] = connect.secret(target.rpc.application)
    else:
        try:
            value = env.values(target, connect).get(key, "")
        except (CannotLook, Dead) as why:
            missing["application"] = f"no rpc.application in {target.path.name}, and {why.message}"
        else:
            if value:
                connect.learn_secret(value)
                urls["application"] = value
            else:
                missing["application"] = f"{key} is not in the application's environment"
    if target.rpc.fallback is not None:
        urls["fallback"] = connect.secret(target.rpc.fallback)
    else:
        missing["fallback"] = f"no rpc.fallback in {target.path.name}"
    return urls, missing


def clients(target: Target, connect: Connections) -> tuple[dict[str, Rpc], dict[str, str]]:
    """Return a client for each node with a URL of its own, and why the others have none; see `addresses`."""
    urls, missing = addresses(target, connect)
    found: dict[str, Rpc] = {}
    seen: dict[str, str] = {}
    for name, url in urls.items():
        same = seen.setdefault(identity(url), name)
        if same != name:
            missing[name] = f"it is the same endpoint as the {same}"
            continue
        try:
            found[name] = client(connect, name, url)
        except CannotLook as why:
            missing[name] = why.message
    return found, missing


def client(connect: Connections, name: str, url: str) -> Rpc:
    """Return a client for one node; a WebSocket URL is asked over HTTPS at the same place."""
    return connect.rpc(NAMES[name], to_http(url))


def to_http(url: str) -> str:
    """Return the HTTP twin of a WebSocket URL as providers have it: wss://h/ws/v3/KEY is https://h/v3/KEY."""
    if not re.match(r"(?i)wss?://", url):
        return url
    split = urlsplit(url)
    path = re.sub(r"^/ws(?=/)", "", split.path)
    return split._replace(scheme="https" if split.scheme == "wss" else "http", path=path).geturl()


def identity(url: str) -> str:
    """Return what two URLs of one endpoint have in common."""
    split = urlsplit(to_http(url))
    return f"{split.scheme}://{split.netloc.lower()}{split.path.rstrip('/')}?{split.query}"


def address(target: Target, url: str) -> Address:
    """Return the shape of a URL."""
    assert target.rpc is not None
    split = urlsplit(url)
    host = (split.hostname or "").lower()
    port = f":{split.port}" if split.port else ""
    own = any(fnmatchcase(host, pattern.lower()) for pattern in target.rpc.own_hosts)
    return Address(
        place=f"{host}{port}",
        scheme=split.scheme.lower(),
        private=is_private(host),
        hosted=any(fnmatchcase(host, pattern.lower()) for pattern in target.rpc.allowed_hosts),
        own=own,
        key=key_of(split),
        provider=f"{host}{port}" if own or _is_ip(host) else ".".join(host.split(".")[-2:]),
    )


def key_of(url: SplitResult) -> str:
    """Return whether a URL holds a key: in its path, its query, or as a password."""
    if url.password and len(url.password) >= _KEY_MIN:
        return "present"
    parts = [part for part in url.path.split("/") if part and not _NO_KEY.fullmatch(part)]
    parts += [value for _, value in parse_qsl(url.query)]
    if any(len(part) >= _KEY_MIN and not _PLACEHOLDER.search(part) for part in parts):
        return "present"
    return "placeholder" if parts else "none"


def is_private(host: str) -> bool:
    """Whether a host is reached without crossing the Internet, as far as its name tells."""
    if _is_ip(host):
        return not ipaddress.ip_address(host.strip("[]")).is_global
    return "." not in host or host.endswith((".internal", ".local", ".localhost", ".lan", ".home.arpa"))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def explain(missing: Mapping[str, str]) -> str:
    """Return in one sentence which nodes are not there, and why."""
    return "; ".join(f"{name}: {why}" for name, why in missing.items())
