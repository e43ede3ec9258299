"""Names by real servers: zones as others have them, registries, resolvers that are silent, hosts files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.demo import dns as names
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.dns.zones import ISSUER, Broken
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import Observation
from pytest_deploycheck.probes.dns import DnsFacts
from tests.probes.service import Asked, Reply, look, serving
from tests.probes.targets import gather
from tests.suites.checks import suite

CHECKS = suite("pre_deploy/test_infrastructure_dns.py")
LIMITS = Limits()
needs_servers = pytest.mark.skipif(names.available() is not None, reason=str(names.available()))
CAA = [f'@ CAA 0 issue "{ISSUER}"', '@ CAA 0 iodef "mailto:security@tokens.test"']


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return name servers and resolvers."""
    with Deployment.only(tmp_path_factory.mktemp("names"), "dns") as deployment:
        yield deployment


@contextmanager
def zone(demo: Deployment, **differences: object) -> Iterator[None]:
    """Publish the domain in another shape."""
    daemons = {name: demo.service(name) for name in ("knot1", "knot2", "bind", "unbound")}
    try:
        names.publish(demo.world, daemons, Broken(**differences))  # type: ignore[arg-type]
        yield
    finally:
        names.publish(demo.world, daemons)


def seen(folder: Path, demo: Deployment, more: str = "") -> Observation:
    """Look at the domain; `more` is TOML for `[dns]`."""
    resolvers = [f"127.0.0.1:{demo.world.port(name)}" for name in ("bind", "unbound")]
    text = f"""
[target]
name = "names"
environment = "dev"
base_url = "https://127.0.0.1:1"
domains = ["tokens.test", "www.tokens.test"]
[dns]
resolvers = {resolvers}
authoritative_port = {demo.world.port("dns")}
{"" if "rdap" in more else 'rdap = ""'}
{more}
"""
    return gather(folder, text, "dns")["dns"]


def judge(facts: DnsFacts) -> None:
    """Run the checks that need no TLS."""
    CHECKS["test_dns"](dns_facts=facts, limits=LIMITS)
    CHECKS["test_dns_servers"](dns_facts=facts, limits=LIMITS)
    CHECKS["test_dns_vouched_for"](dns_facts=facts)
    CHECKS["test_dns_registration"](dns_facts=facts, limits=LIMITS, now=datetime.now(UTC))


BOTH = 'expected_ips = ["127.0.0.1", "::1"]\n'


@needs_servers
@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ({}, BOTH),
        ({"without": CAA}, BOTH),
        ({"unsigned": True, "no_ds": True}, BOTH),
        ({"without": ["@ AAAA ::1"]}, 'expected_ips = ["127.0.0.1"]\n'),
        (
            {"added": ["@ A 192.0.2.10", "@ A 192.0.2.11"]},
            'expected_ips = ["127.0.0.1", "::1", "192.0.2.0/24"]\n',
        ),
        (
            {"without": ["@ A 127.0.0.1"], "added": ["@ A 104.16.1.1"]},
            'proxied = true\nexpected_ips = ["104.16.0.0/13", "::/64"]\n',
        ),
        ({"without": ["www CNAME tokens.test."], "added": ["www A 127.0.0.1", "www AAAA ::1"]}, BOTH),
        ({"without": ["www CNAME tokens.test."], "added": ["* CNAME tokens.test."]}, BOTH),
    ],
    ids=["as the demo", "no CAA", "no DNSSEC", "no IPv6", "a range", "a CDN", "no alias", "a wildcard"],
)
def test_correct_zones_of_other_shapes_pass(
    shape: dict[str, object], more: str, servers: Deployment, tmp_path: Path
) -> None:
    """What is optional may be missing, and names may be written in other ways."""
    with zone(servers, **shape):
        found = seen(tmp_path, servers, more)
    judge(found.facts)


@needs_servers
def test_what_is_not_said_is_asked_for(servers: Deployment, tmp_path: Path) -> None:
    """Without expected addresses nothing tells which are right."""
    with pytest.raises(Unproven, match=r"add dns\.expected_ips"):
        judge(seen(tmp_path, servers).facts)


@needs_servers
def test_a_required_record_must_be_there(servers: Deployment, tmp_path: Path) -> None:
    """CAA and DNSSEC are asked for where the target file says so."""
    with zone(servers, without=CAA, unsigned=True, no_ds=True):
        facts = seen(tmp_path, servers, BOTH + "require_dnssec = true\nrequire_caa = true\n").facts
    assert all(domain.caa is None for domain in facts.domains)
    with pytest.raises(AssertionError, match=r"not signed \(dns\.require_dnssec\)"):
        CHECKS["test_dns_vouched_for"](dns_facts=facts)


@needs_servers
def test_the_hosts_file_is_told(servers: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine sends a name elsewhere, the other checks looked there, which proves nothing."""
    hosts = tmp_path / "hosts"
    hosts.write_text("# 192.0.2.1 tokens.test\n127.0.0.1 localhost\n198.51.100.7 shop Tokens.Test # old\n")
    monkeypatch.setattr(sys.modules["pytest_deploycheck.probes.dns"], "HOSTS", hosts)
    facts = seen(tmp_path, servers, BOTH).facts
    assert facts.domains[0].hosts_file == ("198.51.100.7",)
    with pytest.raises(Unproven, match=r"hosts file sends tokens\.test to 198\.51\.100\.7"):
        judge(facts)


def test_silent_resolvers_prove_nothing(tmp_path: Path) -> None:
    """Where nobody answers, it is said whom to ask instead."""
    more = '[dns]\nresolvers = ["127.0.0.1:1"]\n'
    found = look(tmp_path, "https://shop.example", "dns", more)
    assert (found.state, found.reason) == ("unseen", "no_access") and "127.0.0.1:1" in found.detail


@pytest.mark.parametrize(
    ("base", "more", "words"),
    [
        ("https://127.0.0.1", "", "add target.domains"),
        ("https://shop.example", '[dns]\nresolvers = ["dns.example"]\n', "'dns.example' is no address"),
    ],
)
def test_what_cannot_be_asked_is_no_config(base: str, more: str, words: str, tmp_path: Path) -> None:
    """An address has no name, and a resolver must have an address."""
    found = look(tmp_path, base, "dns", more)
    assert (found.state, found.reason) == ("unseen", "no_config") and words in found.detail


def registry(asked: Asked) -> Reply:
    """Answer as a bootstrap service and a registry do: a redirect first, then an RDAP object."""
    if asked.path == "/domain/tokens.test":
        return Reply(302, headers={"Location": f"http://{asked.headers['host']}/rdap/domain/tokens.test"})
    if asked.path == "/rdap/domain/tokens.test":
        end = (datetime.now(UTC) + timedelta(days=20)).isoformat().replace("+00:00", "Z")
        return Reply(
            body={
                "events": [{"eventAction": "registration"}, {"eventAction": "expiration", "eventDate": end}]
            }
        )
    return Reply(404)


@needs_servers
def test_a_registration_that_ends_soon_fails(servers: Deployment, tmp_path: Path) -> None:
    """The registry behind the redirect tells of twenty days; thirty are wanted."""
    with serving(registry) as base:
        facts = seen(tmp_path, servers, f'{BOTH}rdap = "{base}"\n').facts
    with pytest.raises(AssertionError, match=r"registration of tokens\.test ends at"):
        judge(facts)


@needs_servers
@pytest.mark.parametrize(
    ("reply", "passes"),
    [
        (Reply(404), True),
        (Reply(body={"events": []}), True),
        (Reply(body={"events": [{"eventAction": "expiration", "eventDate": "soon"}]}), False),
        (Reply(body=[]), False),
        (Reply(body="<html>"), False),
        (Reply(429), False),
        (Reply(302, headers={"Location": "mailto:a@example"}), False),
    ],
)
def test_a_registry_may_be_silent(reply: Reply, passes: bool, servers: Deployment, tmp_path: Path) -> None:
    """A registry without the name or the date says nothing against it; one that was not understood is unproven."""
    with serving(lambda asked: reply) as base:
        facts = seen(tmp_path, servers, f'{BOTH}rdap = "{base}"\n').facts
    if passes:
        judge(facts)
    else:
        with pytest.raises(Unproven, match=r"dns\.rdap = ''"):
            judge(facts)
