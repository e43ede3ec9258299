"""The shape of what is known of the edge's configuration; other proxies than nginx would fill the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """A header that the edge adds; `always`: on errors too."""

    name: str
    value: str
    always: bool


@dataclass(frozen=True)
class Answers:
    """Places of one server whose answers carry the same headers.

    server: its names and place in the configuration.  places: its locations, "(server)" outside of them.
    secure: it speaks TLS.  body: they answer with content and not only with a redirect.
    """

    server: str
    places: tuple[str, ...]
    secure: bool
    body: bool
    headers: tuple[Header, ...]


@dataclass(frozen=True)
class Limit:
    """A `limit_req` in force: what it counts by, requests a second, burst, and the status of a refusal."""

    zone: str
    key: str
    rate_per_s: float
    burst: int
    status: int
    dry_run: bool


@dataclass(frozen=True)
class LimitedRoute:
    """A row of the policy and the limits in force where one server serves its route.

    by: "edge" or "app", who is declared to enforce it.  login: it is the route of the login.
    """

    route: str
    method: str
    limit: int
    window_s: float
    by: str
    login: bool
    server: str
    place: str
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Proxied:
    """A place that hands requests on: where to, and what the application is told of the client."""

    server: str
    place: str
    to: str
    forwarded_for: str
    real_ip: str
    forwarded_proto: str
    host: str
    connect_timeout: str
    read_timeout: str


@dataclass(frozen=True)
class Upstream:
    """A group of backends: the addresses in use, those marked down, and those for emergencies only."""

    name: str
    members: tuple[str, ...]
    down: tuple[str, ...]
    backup: tuple[str, ...]


@dataclass(frozen=True)
class EdgeFacts:
    """nginx's effective configuration, as far as items need it.

    telling: servers that name nginx's version.  real_ip_from, real_ip_header: whom it believes about client
    addresses, and `lb_cidrs` who may be.  stale: a file is newer than every worker, so that another
    configuration is in force; None where that could not be seen.  html, hsts_subdomains, exempt: the policy
    of `[headers]`.  client_ip: how the application finds the client's address, as declared in `[lb]`.
    """

    answers: tuple[Answers, ...]
    telling: tuple[str, ...]
    limited: tuple[LimitedRoute, ...]
    proxied: tuple[Proxied, ...]
    upstreams: tuple[Upstream, ...]
    real_ip_from: tuple[str, ...]
    real_ip_header: str
    lb_cidrs: tuple[str, ...]
    stale: bool | None
    html: bool
    hsts_subdomains: bool
    exempt: tuple[str, ...]
    mode: str
    min_backends: int
    client_ip: str
