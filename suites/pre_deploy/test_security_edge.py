"""Pre-Deployment, Security Configuration: what the edge's configuration guarantees (items 18 and 19)."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import forwarding, headers
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.edge import EdgeFacts
    from pytest_deploycheck.probes.edge_facts import Answers, Limit, LimitedRoute
    from pytest_deploycheck.probes.rate_store import RateStoreFacts

RATE = "Rate limiting configured appropriately"
HEADERS = "Security headers enabled"
MINUTE = timedelta(minutes=1).total_seconds()


@pytest.mark.checklist("pre_deploy.security.rate_limit", text=RATE)
def test_rate_limit(edge_facts: EdgeFacts, limits: Limits) -> None:
    """Every row of the policy that the edge enforces is a directive in force where the route is served."""
    _in_force(edge_facts)
    assert edge_facts.limited, "no server of the edge hands a route of rate.policies on to the application"
    for row in edge_facts.limited:
        where = f"{row.method} {row.route} at {row.server} {row.place}"
        for found in row.limits:
            assert not found.dry_run, f"{where}: limit_req_dry_run is on, so that nothing is refused"
            assert found.status == 429, f"{where}: a refusal is {found.status}, not 429 (limit_req_status)"
            assert forwarding.unspoofable(found.key), (
                f"{where}: zone {found.zone!r} counts by {found.key or 'nothing known'}, which a client chooses"
            )
        if row.by == "edge":
            assert row.limits, f"{where}: no limit_req is in force there"
            allowed = min(_in_window(found, row.window_s) for found in row.limits)
            most = row.limit * limits.burst_above_share + 1
            assert allowed <= most, (
                f"{where}: limit_req lets {allowed:.0f} requests pass in {row.window_s:g} s, the policy {row.limit}"
            )


@pytest.mark.checklist("pre_deploy.security.rate_limit", text=RATE)
def test_rate_limit_policy(edge_facts: EdgeFacts, limits: Limits) -> None:
    """The policy itself is one: the login has a row, stricter than the others, and no row is a mere formality."""
    assert edge_facts.limited, "no server of the edge hands a route of rate.policies on to the application"
    logins = [_per_minute(row) for row in edge_facts.limited if row.login]
    others = [_per_minute(row) for row in edge_facts.limited if not row.login]
    assert logins, "rate.policies has no row for the login (auth.login_path)"
    assert max(logins) <= limits.rate_login_per_min_max, (
        f"{max(logins):.0f} logins a minute of one client are allowed"
    )
    for row in edge_facts.limited:
        assert row.login or _per_minute(row) <= limits.rate_general_per_min_max, (
            f"{row.method} {row.route}: {_per_minute(row):.0f} requests a minute of one client are allowed"
        )
    if others:
        assert max(logins) <= max(others), "the login is limited less strictly than every other route"


@pytest.mark.checklist("pre_deploy.security.rate_limit", text=RATE)
def test_rate_limit_counts_clients(edge_facts: EdgeFacts, rate_store_facts: RateStoreFacts) -> None:
    """Who is counted cannot be forged: only balancers are believed, and all instances count in one store."""
    for network in edge_facts.real_ip_from:
        assert _within(network, edge_facts.lb_cidrs), (
            f"the edge believes {network} about client addresses (set_real_ip_from), which is not in net.lb_cidrs"
        )
    by_app = [row for row in edge_facts.limited if row.by == "app"]
    if not by_app:
        assert edge_facts.limited, "no row of rate.policies is served"
        return
    for row in by_app:
        for found in edge_facts.proxied:
            if (found.server, found.place) == (row.server, row.place):
                told = forwarding.told_truly(found.forwarded_for, found.real_ip, edge_facts.client_ip)
                assert told != "forged", (
                    f"{row.route} at {row.server}: the application counts by an address that the client names"
                )
                if told == "appended":
                    unproven(
                        Reason.NO_CONFIG,
                        'X-Forwarded-For is appended to what the client sent; set lb.client_ip = "rightmost" '
                        "if the application counts its proxies from the right",
                    )
    assert rate_store_facts.shared, (
        f"instances of the application count each for itself: {rate_store_facts.why}"
    )


@pytest.mark.checklist("pre_deploy.security.headers", text=HEADERS)
def test_headers(edge_facts: EdgeFacts, limits: Limits) -> None:
    """Configuration alone gives every answer the protective headers, errors too, whatever a location adds."""
    _in_force(edge_facts)
    assert edge_facts.answers, "the edge has no server that answers with content"
    if not any(header.name in headers.PROTECTIVE for one in edge_facts.answers for header in one.headers):
        unproven(
            Reason.NO_EVIDENCE,
            "the edge's configuration sets no protective header; where the application or a CDN sets them, "
            "their configuration is the evidence",
        )
    for one in edge_facts.answers:
        where = f"{one.server} {', '.join(one.places[:4])}"
        policy = headers.Policy(
            html=edge_facts.html,
            hsts_min_age_s=limits.hsts_min_age_s,
            hsts_subdomains=edge_facts.hsts_subdomains,
            exempt=frozenset((*edge_facts.exempt, *_told_by_variables(one))),
        )
        missing = headers.protection_problems(_values(one), policy, secure=one.secure, body=one.body)
        assert not missing, f"{where}: {'; '.join(missing)}"
        on_errors = headers.protection_problems(
            _values(one, always=True), policy, secure=one.secure, body=one.body
        )
        assert not on_errors, f"{where}: on errors, for want of `always`: {'; '.join(on_errors)}"
        if not one.secure:
            assert "strict-transport-security" not in _values(one), (
                f"{where} sends Strict-Transport-Security without TLS"
            )


@pytest.mark.checklist("pre_deploy.security.headers", text=HEADERS)
def test_headers_no_version(edge_facts: EdgeFacts) -> None:
    """No server names its version."""
    assert edge_facts.answers, "the edge has no server that answers with content"
    assert not edge_facts.telling, f"server_tokens is not off in {', '.join(edge_facts.telling)}"


def _in_force(facts: EdgeFacts) -> None:
    """Refuse a configuration that is only on disk: it proves nothing about what runs."""
    assert facts.stale is not True, "nginx's files are newer than its workers: what they say is not in force"


def _in_window(found: Limit, window_s: float) -> float:
    """Return how many requests a leaky bucket lets pass in a window, its burst included."""
    return found.rate_per_s * window_s + found.burst + 1


def _per_minute(row: LimitedRoute) -> float:
    return row.limit * MINUTE / row.window_s


def _within(network: str, allowed: tuple[str, ...]) -> bool:
    try:
        inner = ip_network(network, strict=False)
        return any(
            inner.subnet_of(outer)  # type: ignore[arg-type]
            for outer in (ip_network(one, strict=False) for one in allowed)
            if outer.version == inner.version
        )
    except ValueError:
        return network == "unix:"


def _told_by_variables(answers: Answers) -> list[str]:
    """Return the headers whose value only the wire can tell, where another item looks."""
    return [header.name for header in answers.headers if "$" in header.value]


def _values(answers: Answers, *, always: bool = False) -> dict[str, list[str]]:
    """Return the headers' values, of those that errors carry too or of all."""
    found: dict[str, list[str]] = {}
    for header in answers.headers:
        if header.always or not always:
            found.setdefault(header.name, []).append(header.value)
    return found
