"""The public door, and how much goes through it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_deploycheck.target.base import Port, Section


class HeadersSection(Section):
    """`[headers]`: what to look at; `html` is for a host that serves pages, `api` for one that does not.

    `hsts_subdomains` asks for includeSubDomains (ASVS 3.4.1, level 2). `exempt` names protective headers that
    this host does without, `allow_extra` telltale ones that it may send.
    """

    profile: Literal["api", "html"] = "api"
    paths: list[str] = []
    hsts_subdomains: bool = False
    exempt: list[str] = []
    allow_extra: list[str] = []


class RatePolicy(Section):
    """One row of the rate-limit policy: `limit` requests each `window_s` seconds, counted per `key`.

    `by`: who enforces it, the edge or the application.
    """

    route: str
    method: Literal["GET", "POST"] = "GET"
    limit: int
    window_s: float
    key: Literal["ip", "account"] = "ip"
    by: Literal["edge", "app"] = "edge"


class RateSection(Section):
    """`[rate]`: the policy as it should behave from outside.

    `store_key`: the key of the environment file that names the store which all instances of the application
    count in, where the application enforces rows of the policy.
    """

    policies: list[RatePolicy] = []
    store_key: str = ""


class TlsSection(Section):
    """`[tls]`: listeners as host:port beside the base URL's, which every one of `target.domains` is looked for at.

    `http_port`: where plain HTTP is answered, if at all. `allow` names what is accepted beyond the profile: a
    protocol's number ("1.1"), an IANA suite, a curve, a known attack ("early data"). `same_certificate`: false
    where each address of a name has a certificate of its own, as nodes without a shared store have.
    """

    endpoints: list[Annotated[str, Field(pattern=r"^\S+:\d{1,5}$")]] = []
    http_port: Port = 80
    allow: list[str] = []
    required_stores: list[str] = ["Mozilla", "Apple", "Android", "Windows"]
    same_certificate: bool = True


class PerfSection(Section):
    """`[perf]`: paths measured for response time, with the test account's token where they need one.

    `ignore_routes` are regular expressions over the server's routes that are slow by design, such as long
    polls; `containers` are the names that must be among the container metrics; `ignore_statements` are
    regular expressions over SQL statements that may take long, such as nightly reports.
    """

    endpoints: list[str] = []
    ignore_routes: list[str] = []
    containers: list[str] = []
    ignore_statements: list[str] = []
    require_limits: bool = True


class LoadSection(Section):
    """`[load]`: evidence of a load test, or how to run one with Locust (`--allow load`)."""

    report_dir: str = ""
    locustfile: str = ""
    host: str = ""
    allowed_hosts: list[str] = []
    users: int = 20
    rps: float = 50.0
    spawn_rate: float = 20.0
    duration_s: float = 600.0
    endpoints: list[str] = []
    workers: int = 0
    critical: list[str] = []
