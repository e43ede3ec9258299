"""The edge as it is configured: what nginx guarantees on every path, by its own inheritance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_deploycheck.observe import CannotLook, Reads, probe
from pytest_deploycheck.probes.edge_facts import (
    Answers,
    EdgeFacts,
    Header,
    Limit,
    LimitedRoute,
    Proxied,
    Upstream,
)
from pytest_deploycheck.rules import nginx, nginx_effective
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.rules.nginx_effective import Place, Scope, Server, Zone
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.edge import RatePolicy
    from pytest_deploycheck.transports import Connections

NEWEST = "stat --format='%Y' $(nginx -T 2>/dev/null | sed -n 's/^# configuration file \\(.*\\):$/\\1/p')"
NOW = "date +%s"


def _reads(target: Target) -> Reads:
    command = target.edge.dump_command
    return Reads(main=(command, NEWEST, _workers(target), NOW) if command == "nginx -T" else (command,))


def _workers(target: Target) -> str:
    return f"ps -o etimes= --ppid $(cat {target.edge.pid_file})"


@probe(facts=EdgeFacts, deadline=10, needs=("ssh_gate",), uses={"host": "read"}, reads=_reads)
def edge(target: Target, connect: Connections) -> EdgeFacts:
    """Read nginx's whole configuration and work out what holds in each location."""
    command = target.edge.dump_command
    done = connect.read(command)
    if done.status != 0:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.status}"])[-1][:160]
        raise CannotLook(
            Reason.NO_ACCESS if done.status != 127 else Reason.NO_EVIDENCE,
            f"{command!r} on the server: {why}; set edge.dump_command, or host.sudo where it needs rights",
        )
    try:
        config = nginx.load(done.stdout)
    except nginx.NotNginx as error:
        raise CannotLook(
            Reason.UNPARSEABLE, f"what {command!r} prints is no configuration: {error}"
        ) from None
    servers = list(nginx_effective.servers(config))
    zones = nginx_effective.zones(config)
    public = [one for one in servers if not one.rejects]
    proxied = tuple(_proxied(public))
    return EdgeFacts(
        answers=tuple(one for server in public for one in _answers(server)),
        telling=tuple(
            _name(one) for one in servers if one.places[0].scope.singles.get("server_tokens") != "off"
        ),
        limited=tuple(_limited(target, public, zones)),
        proxied=proxied,
        upstreams=tuple(_upstreams(config, {one.to for one in proxied})),
        real_ip_from=tuple(sorted({args for one in public for args in _list(one, "set_real_ip_from")})),
        real_ip_header=next((one.places[0].scope.singles.get("real_ip_header", "") for one in public), ""),
        lb_cidrs=tuple(target.net.lb_cidrs),
        stale=_stale(target, connect) if command == "nginx -T" else None,
        html=target.headers.profile == "html",
        hsts_subdomains=target.headers.hsts_subdomains,
        exempt=tuple(target.headers.exempt),
        mode=target.lb.mode,
        min_backends=target.lb.min_backends,
        client_ip=target.lb.client_ip,
    )


def _name(server: Server) -> str:
    return f"{' '.join(server.names[:3]) or '(no name)'} ({server.where})"


def _list(server: Server, name: str) -> Iterator[str]:
    return (" ".join(one.args) for one in server.places[0].scope.lists.get(name, ()))


def _answers(server: Server) -> Iterator[Answers]:
    """Yield the server's places grouped by the headers that they add; one that only redirects has no content."""
    if not server.secure and _only_redirects(server):
        return
    groups: dict[tuple[bool, tuple[Header, ...]], list[str]] = {}
    for place in server.places:
        body = place.answers[:2] != "30" and place.answers[:3] != "204"
        groups.setdefault((body, tuple(_headers(place.scope))), []).append(_place(place))
    for (body, headers), places in groups.items():
        yield Answers(_name(server), tuple(places), server.secure, body, headers)


def _only_redirects(server: Server) -> bool:
    return not any(place.passes for place in server.places) and any(
        place.answers.startswith(("301", "308")) for place in server.places
    )


def _headers(scope: Scope) -> Iterator[Header]:
    for one in scope.lists.get("add_header", ()):
        if len(one.args) >= 2:
            yield Header(one.args[0].lower(), one.args[1], "always" in one.args[2:])


def _place(place: Place) -> str:
    return f"{place.modifier} {place.match}".strip() or "(server)"


def _limited(target: Target, servers: list[Server], zones: dict[str, Zone]) -> Iterator[LimitedRoute]:
    """Yield each row of the policy for each server that hands its route on."""
    for policy in target.rate.policies:
        for server in servers:
            place = server.serves(urlsplit(policy.route).path)
            if place.passes:
                yield _route(target, policy, server, place, zones)


def _route(
    target: Target, policy: RatePolicy, server: Server, place: Place, zones: dict[str, Zone]
) -> LimitedRoute:
    return LimitedRoute(
        route=policy.route,
        method=policy.method,
        limit=policy.limit,
        window_s=policy.window_s,
        by=policy.by,
        login=policy.route == target.auth.login_path,
        server=_name(server),
        place=_place(place),
        limits=tuple(_limits(place.scope, zones)),
    )


def _limits(scope: Scope, zones: dict[str, Zone]) -> Iterator[Limit]:
    status = scope.singles.get("limit_req_status", "503")
    for one in scope.lists.get("limit_req", ()):
        words = dict(word.split("=", 1) for word in one.args if "=" in word)
        zone = zones.get(words.get("zone", ""))
        yield Limit(
            zone=words.get("zone", ""),
            key=zone.key if zone else "",
            rate_per_s=zone.rate_per_s if zone else 0.0,
            burst=int(words.get("burst", "0")) if words.get("burst", "0").isdigit() else 0,
            status=int(status) if status.isdigit() else 503,
            dry_run=scope.singles.get("limit_req_dry_run") == "on",
        )


def _proxied(servers: list[Server]) -> Iterator[Proxied]:
    for server in servers:
        for place in server.places:
            if place.passes:
                sets = {
                    one.args[0].lower(): " ".join(one.args[1:])
                    for one in place.scope.lists.get("proxy_set_header", ())
                }
                singles = place.scope.singles
                yield Proxied(
                    server=_name(server),
                    place=_place(place),
                    to=place.passes.partition("://")[2].partition("/")[0] or place.passes,
                    forwarded_for=sets.get("x-forwarded-for", ""),
                    real_ip=sets.get("x-real-ip", ""),
                    forwarded_proto=sets.get("x-forwarded-proto", ""),
                    host=sets.get("host", ""),
                    connect_timeout=singles.get("proxy_connect_timeout", ""),
                    read_timeout=singles.get("proxy_read_timeout", ""),
                )


def _upstreams(config: nginx.Directive, used: set[str]) -> Iterator[Upstream]:
    """Yield the groups that something is handed to; an address without a group is a group of one."""
    groups = nginx_effective.upstreams(config)
    for name in sorted(used):
        members = groups.get(name)
        if members is None:
            yield Upstream(name, (name,), (), ())
            continue
        yield Upstream(
            name,
            tuple(one.address for one in members if not one.down and not one.backup),
            tuple(one.address for one in members if one.down),
            tuple(one.address for one in members if one.backup and not one.down),
        )


def _stale(target: Target, connect: Connections) -> bool | None:
    """Whether a file changed after the youngest worker started; the clock is the server's own."""
    changed = [int(word) for word in connect.read(NEWEST).stdout.split() if word.isdigit()]
    ages = [int(word) for word in connect.read(_workers(target)).stdout.split() if word.isdigit()]
    now = connect.read(NOW).stdout.strip()
    if not changed or not ages or not now.isdigit():
        return None
    return max(changed) > int(now) - min(ages) + 1
