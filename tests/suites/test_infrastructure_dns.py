"""The checks of item 3 that need more than names, against made-up facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.acme_facts import AcmeFacts, Stored
from pytest_deploycheck.probes.dns import DnsFacts, Domain, Secured
from pytest_deploycheck.probes.dns_zone import Answer, Caa, NameServer
from pytest_deploycheck.probes.tls import TlsFacts
from tests.suites.checks import suite
from tests.suites.test_security_cert import FACTS as TLS
from tests.suites.test_security_cert import LEAF, SERVED

CHECKS = suite("pre_deploy/test_infrastructure_dns.py")
LIMITS = Limits()
HERE = ("192.0.2.1",)


def says(server: str, authoritative: bool = False, **changes: Any) -> Answer:
    """Return a healthy answer that differs in some way."""
    answer = Answer(server, authoritative, "NOERROR", (), HERE, True, 300)
    return replace(answer, **changes)


SERVERS = (
    NameServer("ns1.example", ("192.0.2.53",), True),
    NameServer("ns2.example", ("198.51.100.53",), True),
)
DOMAIN = Domain(
    name="shop.example",
    zone="shop.example",
    answers=(says("1.1.1.1"), says("8.8.8.8"), says("ns1.example", True), says("ns2.example", True)),
    servers=SERVERS,
    caa=Caa("shop.example", ((0, "issue", "letsencrypt.org"),)),
    secured=Secured(True, True, False, 2),
    registered=None,
    hosts_file=(),
)
DNS = DnsFacts((DOMAIN,), HERE, False, (), False, False)
KEPT = Stored("certbot", "shop", "/fullchain.pem", (LEAF,), "", None, "", "", None, "")
ACME = AcmeFacts(("shop.example",), "auto", "", (), (), (KEPT,), (), (), (), {})


def domain(**changes: Any) -> DnsFacts:
    """Return facts of a name that differs in some way."""
    return replace(DNS, domains=(replace(DOMAIN, **changes),))


def leads(dns: DnsFacts = DNS, tls: TlsFacts = TLS, acme: AcmeFacts = ACME) -> None:
    """Run the check of what answers at the addresses."""
    CHECKS["test_dns_leads_to_the_server"](dns_facts=dns, tls_facts=tls, acme_facts=acme)


def two(**changes: Any) -> tuple[DnsFacts, TlsFacts]:
    """Return a name with a second address that serves something else."""
    both = ("192.0.2.1", "192.0.2.2")
    second = replace(SERVED, address="192.0.2.2", **changes)
    return domain(answers=(says("1.1.1.1", addresses=both),)), replace(TLS, served=(SERVED, second))


def test_the_server_is_known_by_its_certificate() -> None:
    """The address shows what is kept on the server; so does a second one."""
    leads()
    leads(*two())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"connected": False, "chain": (), "error": "refused"}, "192.0.2.2, where nobody answers: refused"),
        ({"names_match": False}, "another server: its certificate is for shop.example"),
        ({"chain": (replace(LEAF, sha256="ff"),)}, "while 192.0.2.1 shows the certificate that is kept"),
    ],
)
def test_a_second_address_that_is_another_server_fails(changes: dict[str, Any], words: str) -> None:
    """By its name, by its certificate, or because it says nothing."""
    with pytest.raises(AssertionError, match=words):
        leads(*two(**changes))


def test_what_cannot_be_compared_is_unproven() -> None:
    """Another certificate everywhere, an address out of reach, or one that was not asked."""
    other = replace(TLS, served=(replace(SERVED, chain=(replace(LEAF, sha256="ff"),)),))
    with pytest.raises(Unproven, match="in no certificate file"):
        leads(tls=other)
    with pytest.raises(Unproven, match="out of reach"):
        leads(*two(connected=False, no_route=True, chain=(), error="no route"))
    with pytest.raises(Unproven, match="no TLS endpoint was looked at there"):
        leads(domain(answers=(says("1.1.1.1", addresses=("192.0.2.9",)),)))


@pytest.mark.parametrize("managed", [True, False], ids=["balancer", "CDN"])
def test_a_certificate_of_somebody_else_is_theirs(managed: bool) -> None:
    """Behind a provider's balancer or a CDN nothing on the server is compared."""
    acme = replace(ACME, stored=(), renewer="managed" if managed else "auto")
    leads(replace(DNS, proxied=not managed), TLS, acme)


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({"caa": None}, {}, ""),
        ({}, {"issuers": ("letsencrypt.org",)}, ""),
        ({}, {"issuers": ("pki.goog",)}, "only letsencrypt.org may issue"),
        ({"caa": None}, {"require_caa": True}, "has no CAA"),
        ({"caa": Caa("shop.example", ((0, "issue", ";"),))}, {"issuers": ("pki.goog",)}, "nobody may issue"),
    ],
)
def test_caa(changes: dict[str, Any], facts: dict[str, Any], words: str) -> None:
    """Optional, unless the target file asks for it; where it is there it must permit the issuer."""
    dns = replace(domain(**changes), **facts)
    if words:
        with pytest.raises(AssertionError, match=words):
            CHECKS["test_dns_caa"](dns_facts=dns, tls_facts=TLS)
    else:
        CHECKS["test_dns_caa"](dns_facts=dns, tls_facts=TLS)


@pytest.mark.parametrize(("issuer", "known"), [("CN=R12,O=Let's Encrypt,C=US", True), ("CN=R12", False)])
def test_caa_by_the_certificates_own_issuer(issuer: str, known: bool) -> None:
    """Without a word in the target file the served certificate tells; an unknown authority is unproven."""
    tls = replace(TLS, served=(replace(SERVED, chain=(replace(LEAF, issuer=issuer),)),))
    if known:
        CHECKS["test_dns_caa"](dns_facts=DNS, tls_facts=tls)
    else:
        with pytest.raises(Unproven, match=r"add dns\.caa_issuers"):
            CHECKS["test_dns_caa"](dns_facts=DNS, tls_facts=tls)


@pytest.mark.parametrize(
    ("secured", "words"),
    [
        (Secured(None, False, False, 2), "could not be seen"),
        (Secured(True, False, False, 0), "none of dns.resolvers validates"),
    ],
)
def test_signatures_that_nobody_checked_are_unproven(secured: Secured, words: str) -> None:
    """What the zone above says was not seen, or no resolver validates."""
    CHECKS["test_dns_vouched_for"](dns_facts=DNS)
    with pytest.raises(Unproven, match=words):
        CHECKS["test_dns_vouched_for"](dns_facts=domain(secured=secured))


def test_a_delegation_that_nobody_vouches_for_fails() -> None:
    """The zone above names a key, and resolvers that check do not vouch for the zone."""
    with pytest.raises(AssertionError, match="has a DS"):
        CHECKS["test_dns_vouched_for"](dns_facts=domain(secured=Secured(True, False, False, 2)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": ""}, "no zone holds"),
        ({"servers": SERVERS[:1]}, "too few name servers"),
        ({"servers": (SERVERS[0], replace(SERVERS[1], addresses=("192.0.2.53",)))}, "all name servers"),
        ({"servers": (SERVERS[0], replace(SERVERS[1], answers=False))}, "does not answer for shop.example"),
        ({"answers": (says("a", True), says("b", True, ttl_s=7200))}, "kept for 7200 s"),
        ({"answers": (says("a", True), says("b", True, aliases=("cdn.example",)))}, "disagree"),
    ],
)
def test_zones_that_one_server_holds_up_fail(changes: dict[str, Any], words: str) -> None:
    """Two name servers at two places that answer and agree, and no long memory."""
    CHECKS["test_dns_servers"](dns_facts=DNS, limits=LIMITS)
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_dns_servers"](dns_facts=domain(**changes), limits=LIMITS)


def test_name_servers_out_of_reach_are_unproven() -> None:
    """A network that lets nothing but its own resolvers out sees none of them."""
    silent = tuple(replace(one, answers=False) for one in SERVERS)
    with pytest.raises(Unproven, match="answers this machine"):
        CHECKS["test_dns_servers"](
            dns_facts=domain(servers=silent, answers=DOMAIN.answers[:2]), limits=LIMITS
        )


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((says("1.1.1.1", rcode="NXDOMAIN", addresses=()),), "NXDOMAIN"),
        ((says("1.1.1.1", addresses=()),), "no address"),
        (
            (says("1.1.1.1"), says("8.8.8.8", addresses=("192.0.2.1", "192.0.2.9"))),
            "leads to 192.0.2.9 as well",
        ),
    ],
)
def test_answers_that_lead_elsewhere_fail(answers: tuple[Answer, ...], words: str) -> None:
    """One resolver that says so is enough."""
    CHECKS["test_dns"](dns_facts=DNS, limits=LIMITS)
    with pytest.raises(AssertionError, match=words):
        CHECKS["test_dns"](dns_facts=domain(answers=answers), limits=LIMITS)


def test_an_alias_beyond_the_zone_is_for_resolvers_to_follow() -> None:
    """The zone's own server gives the alias alone, which is no missing address."""
    alias = says("ns1.example", True, aliases=("edge.cdn.example",), addresses=(), ends=False)
    CHECKS["test_dns"](dns_facts=domain(answers=(says("1.1.1.1"), says("8.8.8.8"), alias)), limits=LIMITS)
