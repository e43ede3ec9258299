"""Pre-Deployment Checklist, Infrastructure Setup: names (item 3 of the default checklist)."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pytest_deploycheck.check import unproven
from pytest_deploycheck.rules import caa
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_deploycheck.limits import Limits
    from pytest_deploycheck.probes.acme_facts import AcmeFacts
    from pytest_deploycheck.probes.dns import DnsFacts, Domain
    from pytest_deploycheck.probes.tls import Served, TlsFacts

DNS = "Domain name configured with DNS pointing to server"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns(dns_facts: DnsFacts, limits: Limits) -> None:
    """Every resolver and every name server leads each name to the expected addresses, all of them, and no other."""
    facts = dns_facts
    assert facts.domains, "no name was looked up"
    for domain in facts.domains:
        for answer in domain.answers:
            where = f"{domain.name} by {answer.server}"
            if answer.rcode:
                assert answer.rcode == "NOERROR", f"{where}: {answer.rcode}{_why(domain)}"
                assert answer.addresses or not answer.ends, f"{where}: no address"
                extra = [
                    one for one in answer.addresses if facts.expected and not _expected(one, facts.expected)
                ]
                assert not extra, (
                    f"{where}: leads to {', '.join(extra)} as well, which is not in dns.expected_ips"
                )
        seen = {address for answer in domain.answers for address in answer.addresses}
        if not facts.proxied:
            missing = [one for one in facts.expected if "/" not in one and one not in seen]
            assert not missing, f"{domain.name} does not lead to {', '.join(missing)}"
        answered = [one for one in domain.answers if one.rcode and not one.authoritative]
        if len(answered) < limits.dns_resolvers_min:
            unproven(
                Reason.NO_ACCESS,
                f"{domain.name}: {len(answered)} of dns.resolvers answer; {limits.dns_resolvers_min} are wanted",
            )
        dark = sorted(set(domain.hosts_file) - seen)
        if dark:
            unproven(
                Reason.NO_EVIDENCE,
                f"this machine's hosts file sends {domain.name} to {', '.join(dark)}: other checks looked there",
            )
    if not facts.expected:
        unproven(Reason.NO_CONFIG, "which addresses are the server's is not known; add dns.expected_ips")


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns_servers(dns_facts: DnsFacts, limits: Limits) -> None:
    """Each zone has two name servers that answer and agree, and forgets a mistake within the hour."""
    for domain in dns_facts.domains:
        assert domain.zone, f"no zone holds {domain.name}"
        names = ", ".join(server.name for server in domain.servers) or "none"
        assert len(domain.servers) >= limits.dns_servers_min, (
            f"{domain.zone} has too few name servers: {names}"
        )
        places = {address for server in domain.servers for address in server.addresses}
        assert len(places) >= limits.dns_servers_min, (
            f"all name servers of {domain.zone} are {', '.join(places)}"
        )
        if not any(server.answers for server in domain.servers):
            unproven(Reason.NO_ACCESS, f"no name server of {domain.zone} answers this machine: {names}")
        for server in domain.servers:
            reach = f"{server.name} ({', '.join(server.addresses) or 'no address'})"
            assert server.answers, f"{reach} does not answer for {domain.zone}"
        own = [answer for answer in domain.answers if answer.authoritative]
        if not dns_facts.proxied:
            kinds = {(answer.aliases, answer.addresses) for answer in own}
            told = "; ".join(f"{one.server}: {', '.join(one.addresses or one.aliases)}" for one in own)
            assert len(kinds) <= 1, f"the name servers of {domain.zone} disagree about {domain.name}: {told}"
        for answer in own:
            assert (answer.ttl_s or 0) <= limits.dns_ttl_max_s, (
                f"{domain.name} is kept for {answer.ttl_s} s; {limits.dns_ttl_max_s:g} s are allowed"
            )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns_vouched_for(dns_facts: DnsFacts) -> None:
    """DNSSEC, where there is any, is whole: resolvers that check vouch for the zone."""
    facts = dns_facts
    assert facts.domains, "no name was looked up"
    for domain in facts.domains:
        secured = domain.secured
        assert not secured.bogus, f"the signatures of {domain.zone} are bogus: resolvers that check refuse it"
        if facts.require_dnssec:
            assert secured.delegated is not False, f"{domain.zone} is not signed (dns.require_dnssec)"
    for domain in facts.domains:
        secured = domain.secured
        if secured.delegated is None:
            unproven(
                Reason.NO_ACCESS, f"whether the zone above {domain.zone} names its key could not be seen"
            )
        if secured.delegated:
            if not secured.validators:
                unproven(
                    Reason.NO_EVIDENCE, "none of dns.resolvers validates; name one that does, such as 1.1.1.1"
                )
            assert secured.authentic, f"{domain.zone} has a DS, but no resolver that validates vouches for it"


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns_caa(dns_facts: DnsFacts, tls_facts: TlsFacts) -> None:
    """CAA, where there is any, lets the authority issue that issued the certificate, so that it can be renewed."""
    facts = dns_facts
    assert facts.domains, "no name was looked up"
    for domain in facts.domains:
        if domain.caa is None:
            assert not facts.require_caa, f"{domain.name} has no CAA (dns.require_caa)"
            continue
        shown = [one.chain[0].issuer for one in tls_facts.served if one.host == domain.name and one.chain]
        issuers = facts.issuers or caa.names_of(shown)
        if not issuers:
            unproven(
                Reason.NO_CONFIG,
                f"by which CAA name {shown[0] if shown else 'the authority'} goes is not known; add dns.caa_issuers",
            )
        refusal = caa.refusal(domain.caa.properties, issuers)
        assert not refusal, f"CAA of {domain.caa.domain}: {refusal}, and not {' or '.join(issuers[:4])}"


@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns_registration(dns_facts: DnsFacts, limits: Limits, now: datetime) -> None:
    """The registration does not end soon, where the registry tells (RDAP) and is to be asked."""
    assert dns_facts.domains, "no name was looked up"
    for domain in dns_facts.domains:
        registered = domain.registered
        if registered is None or not (registered.expires_at or registered.problem):
            continue
        if registered.problem:
            unproven(
                Reason.NO_ACCESS,
                f"the registry was not asked about {registered.domain}: {registered.problem}; dns.rdap = '' leaves that out",
            )
        left = datetime.fromisoformat(registered.expires_at) - now
        assert left >= timedelta(days=limits.dns_expiry_min_d), (
            f"the registration of {registered.domain} ends at {registered.expires_at}"
        )


@pytest.mark.smoke
@pytest.mark.checklist("pre_deploy.infrastructure.dns", text=DNS)
def test_dns_leads_to_the_server(dns_facts: DnsFacts, tls_facts: TlsFacts, acme_facts: AcmeFacts) -> None:
    """Each address that a name leads to is this very server: it shows a certificate that is kept there.

    Behind a CDN or a provider's balancer the certificate is theirs; that the right service stands behind is then
    told by the release that answers (post_deploy.functional.health).
    """
    kept = {one.leaf.sha256 for one in acme_facts.stored}
    theirs = dns_facts.proxied or acme_facts.renewer == "managed"
    unmatched = []
    for domain in dns_facts.domains:
        met = _met(domain, tls_facts, dns_facts.proxied)
        own = [one for one in met if one.chain and one.chain[0].sha256 in kept]
        for one in met:
            where = f"{domain.name} leads to {one.address}"
            assert one.connected or one.no_route, f"{where}, where nobody answers: {one.error}"
            if not one.chain:
                continue
            names = ", ".join(one.chain[0].names) or "nobody"
            assert one.names_match, f"{where}, which is another server: its certificate is for {names}"
            if theirs or one in own:
                continue
            assert not own, (
                f"{where}, which is another server: it shows {one.chain[0].sha256[:12]}…, while {own[0].address} "
                "shows the certificate that is kept on the server"
            )
            unmatched.append(where)
        for one in met:
            if one.no_route:
                unproven(Reason.NO_ACCESS, f"{one.address} is out of reach from this machine: {one.error}")
            if not one.chain:
                unproven(
                    Reason.NO_EVIDENCE, f"{domain.name} at {one.address} shows no certificate: {one.error}"
                )
    if unmatched:
        unproven(
            Reason.NO_EVIDENCE,
            f"{unmatched[0]}, but what it shows is in no certificate file of the server; see cert.files",
        )


def _met(domain: Domain, tls: TlsFacts, proxied: bool) -> list[Served]:
    """Return what each address that a name leads to has served for it."""
    found = []
    for address in sorted({address for answer in domain.answers for address in answer.addresses}):
        served = [one for one in tls.served if one.host == domain.name and one.address == address]
        if not served and not proxied:  # a CDN has many addresses, and tells each asker of others
            unproven(Reason.NO_EVIDENCE, f"{domain.name} at {address}: no TLS endpoint was looked at there")
        found += served
    assert found, f"{domain.name} was met at no address"
    return found


def _expected(address: str, expected: Collection[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in expected)


def _why(domain: Domain) -> str:
    return " (its signatures are bogus)" if domain.secured.bogus else ""
