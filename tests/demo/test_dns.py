"""The demo's names: signed from a root of its own, served twice, resolved by two makes that check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_deploycheck.demo import dns as names
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.dns.zones import Broken
from pytest_deploycheck.demo.world import DOMAINS

pytestmark = pytest.mark.skipif(names.available() is not None, reason=str(names.available()))
SERVERS = ("knot1", "knot2", "bind", "unbound")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return name servers and resolvers."""
    with Deployment.only(tmp_path_factory.mktemp("names"), "dns") as deployment:
        yield deployment


def ask(demo: Deployment, server: str, name: str, kind: str) -> tuple[str, bool, list[str]]:
    """Return response code, whether the answer is vouched for, and its records."""
    import dns.flags
    import dns.message
    import dns.query
    import dns.rcode

    port = demo.world.port(server if server in ("bind", "unbound") else "dns")
    address = "127.0.0.2" if server == "knot2" else "127.0.0.1"
    question = dns.message.make_query(name, kind, want_dnssec=True)
    answer: Any = dns.query.udp(question, address, port=port, timeout=5)
    records = [str(record) for records in answer.answer if records.rdtype != 46 for record in records]
    return dns.rcode.to_text(answer.rcode()), bool(answer.flags & dns.flags.AD), records


@pytest.mark.parametrize("server", SERVERS)
def test_every_name_leads_to_the_edge(server: str, servers: Deployment) -> None:
    """Each server knows each name; resolvers vouch for it, from the demo's own root down."""
    for name in DOMAINS:
        code, vouched, records = ask(servers, server, name, "A")
        assert (code, records[-1]) == ("NOERROR", "127.0.0.1")
        assert vouched is (server in ("bind", "unbound"))


def test_a_broken_zone_is_refused_and_mended_again(servers: Deployment) -> None:
    """With signatures that have run out resolvers fail, and the name servers answer all the same."""
    daemons = {name: servers.service(name) for name in SERVERS}
    names.publish(servers.world, daemons, Broken(expired=True))
    try:
        assert [ask(servers, server, DOMAINS[0], "A")[0] for server in SERVERS] == [
            *("NOERROR", "NOERROR", "SERVFAIL", "SERVFAIL")
        ]
    finally:
        names.publish(servers.world, daemons)
    assert {ask(servers, server, DOMAINS[0], "A")[0] for server in SERVERS} == {"NOERROR"}


def test_one_server_alone_may_have_an_old_zone(servers: Deployment) -> None:
    """A zone can be published to one of the two."""
    daemons = {name: servers.service(name) for name in SERVERS}
    names.publish(servers.world, daemons, Broken(added=["old A 127.0.0.9"]), only=(2,))
    try:
        assert ask(servers, "knot1", "old.tokens.test", "A")[0] == "NXDOMAIN"
        assert ask(servers, "knot2", "old.tokens.test", "A")[2] == ["127.0.0.9"]
    finally:
        names.publish(servers.world, daemons)
