"""What nginx does in each location, after its inheritance.

A list of `add_header`, `proxy_set_header`, `proxy_hide_header` or `limit_req` directives replaces the whole
list of the level above; `add_header_inherit merge` (nginx 1.29.3) keeps it. Source: nginx documentation,
ngx_http_headers_module, ngx_http_proxy_module, ngx_http_limit_req_module, ngx_http_core_module (location).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_deploycheck.rules.nginx import Directive

_LISTS = ("add_header", "proxy_set_header", "proxy_hide_header", "limit_req", "set_real_ip_from")
_SINGLES = (
    *("limit_req_status", "server_tokens", "proxy_connect_timeout", "proxy_read_timeout", "real_ip_header"),
    *("proxy_send_timeout", "proxy_next_upstream", "add_header_inherit", "limit_req_dry_run"),
)


@dataclass(frozen=True)
class Zone:
    """A `limit_req_zone`: what it counts by, and its rate in requests a second."""

    name: str
    key: str
    rate_per_s: float


@dataclass(frozen=True)
class Scope:
    """What is in force at one place: lists and single values by directive."""

    lists: dict[str, tuple[Directive, ...]]
    singles: dict[str, str]

    def enter(self, block: Directive) -> Scope:
        """Return what is in force inside a block."""
        singles = {**self.singles}
        for name in _SINGLES:
            for one in block.all(name):
                singles[name] = " ".join(one.args)
        lists = {**self.lists}
        for name in _LISTS:
            own = tuple(block.all(name))
            if own:
                above = lists.get(name, ()) if _merges(name, singles) else ()
                lists[name] = (*above, *own)
        return Scope(lists, singles)


def _merges(name: str, singles: dict[str, str]) -> bool:
    return name == "add_header" and singles.get("add_header_inherit") == "merge"


@dataclass(frozen=True)
class Place:
    """A location, or a server outside of all its locations (`match` is empty then).

    modifier: "", "=", "~", "~*", "^~", "@" or "if".  passes: the address of proxy_pass, empty without one.
    answers: the arguments of a `return` of its own.
    """

    modifier: str
    match: str
    scope: Scope
    passes: str
    answers: str
    where: str


@dataclass(frozen=True)
class Server:
    """A virtual server. listens: address and the words after it; `places`: itself first, then its locations."""

    names: tuple[str, ...]
    listens: tuple[str, ...]
    rejects: bool
    places: tuple[Place, ...]
    where: str

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return any(re.search(r"\s(ssl|quic)\b", listen) for listen in self.listens)

    def serves(self, path: str) -> Place:
        """Return the place that answers a path, by nginx's order of preference."""
        locations = [place for place in self.places[1:] if place.modifier not in ("@", "if")]
        exact = [one for one in locations if one.modifier == "=" and one.match == path]
        if exact:
            return exact[0]
        prefixes = [one for one in locations if one.modifier in ("", "^~") and path.startswith(one.match)]
        longest = max(prefixes, key=lambda one: len(one.match), default=self.places[0])
        if longest.modifier != "^~":
            for one in locations:
                if one.modifier in ("~", "~*") and _matches(one, path):
                    return one
        return longest


def _matches(place: Place, path: str) -> bool:
    try:
        return re.search(place.match, path, re.IGNORECASE if place.modifier == "~*" else 0) is not None
    except re.error:
        return False  # an expression that only PCRE understands


def servers(config: Directive) -> Iterator[Server]:
    """Yield every virtual server."""
    for http in config.all("http"):
        base = Scope({}, {}).enter(http)
        for block in http.all("server"):
            scope = base.enter(block)
            itself = Place("", "", scope, _first(block, "proxy_pass"), _first(block, "return"), block.place)
            yield Server(
                names=tuple(name for one in block.all("server_name") for name in one.args),
                listens=tuple(" ".join(one.args) for one in block.all("listen")) or ("80",),
                rejects=any(one.args == ("on",) for one in block.all("ssl_reject_handshake")),
                places=(itself, *_places(block, scope)),
                where=block.place,
            )


def _places(block: Directive, scope: Scope) -> Iterator[Place]:
    for one in block.block or ():
        if one.name == "location" and one.args:
            inner = scope.enter(one)
            match = one.args[-1]
            modifier = one.args[0] if len(one.args) == 2 else ("@" if match.startswith("@") else "")
            place = Place(modifier, match, inner, _first(one, "proxy_pass"), _first(one, "return"), one.place)
            yield place
            yield from _places(one, inner)
        elif one.name == "if":
            inner = scope.enter(one)
            if any(one.all("add_header")):
                yield Place("if", " ".join(one.args), inner, "", _first(one, "return"), one.place)


def _first(block: Directive, name: str) -> str:
    return next((" ".join(one.args) for one in block.all(name)), "")


def zones(config: Directive) -> dict[str, Zone]:
    """Return the declared `limit_req_zone`s by name."""
    found = {}
    for http in config.all("http"):
        for one in http.all("limit_req_zone"):
            words = dict(word.split("=", 1) for word in one.args[1:] if "=" in word)
            name = words.get("zone", "").partition(":")[0]
            found[name] = Zone(name, one.args[0], rate_per_s(words.get("rate", "")))
    return found


def rate_per_s(text: str) -> float:
    """Return `10r/s` or `30r/m` in requests a second; 0 when it is neither."""
    found = re.fullmatch(r"(\d+)r/([sm])", text)
    return float(found[1]) / (60 if found[2] == "m" else 1) if found else 0.0


@dataclass(frozen=True)
class Member:
    """A server of an upstream."""

    address: str
    down: bool
    backup: bool


def upstreams(config: Directive) -> dict[str, tuple[Member, ...]]:
    """Return the members of each upstream by its name."""
    return {
        one.args[0]: tuple(
            Member(member.args[0], "down" in member.args, "backup" in member.args)
            for member in one.all("server")
        )
        for http in config.all("http")
        for one in http.all("upstream")
    }


def with_singles(scope: Scope, **singles: str) -> Scope:
    """Return a scope with some single values changed; for tests and for other servers' adapters."""
    return replace(scope, singles={**scope.singles, **singles})
