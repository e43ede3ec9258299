"""Faults of Infrastructure Setup: names, by records, name servers, signatures and what answers at their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_deploycheck.demo import certs, dns
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.dns.zones import ISSUER, Broken
from pytest_deploycheck.verdict import Verdict
from tests.faults.harness import fault
from tests.faults.tools import edited, reloaded, stopped

DNS = "pre_deploy.infrastructure.dns"
CERT = "post_deploy.security.cert"
OBTAINED = "pre_deploy.infrastructure.cert"
TLS = "deploy.services.tls"
NAMES: dict[str, Any] = {"probes": ("dns",), "needs": ("dns",)}
APEX = "@ A 127.0.0.1"
CAA = f'@ CAA 0 issue "{ISSUER}"'
WWW = "www CNAME tokens.test."


@contextmanager
def published(demo: Deployment, broken: Broken, only: Sequence[int] = (1, 2)) -> Iterator[None]:
    """Publish the zones broken, to some of the name servers; afterwards whole, to all."""
    servers = {name: demo.service(name) for name in ("knot1", "knot2", "bind", "unbound")}
    try:
        dns.publish(demo.world, servers, broken, tuple(only))
        yield
    finally:
        dns.publish(demo.world, servers)


@fault(DNS, "a second address leads elsewhere", **NAMES)
@contextmanager
def second_address(demo: Deployment) -> Iterator[None]:
    """Add the address of another host, where a part of all visitors ends."""
    with published(demo, Broken(added=["@ A 127.0.0.66"])):
        yield


@fault(DNS, "an old IPv6 address is left", **NAMES)
@contextmanager
def old_six(demo: Deployment) -> Iterator[None]:
    """Add an AAAA record that only phones follow."""
    with published(demo, Broken(added=["@ AAAA 2001:db8::66"])):
        yield


@fault(DNS, "IPv6 has no record", **NAMES)
@contextmanager
def six_missing(demo: Deployment) -> Iterator[None]:
    """Leave out one of the expected addresses."""
    with published(demo, Broken(without=["@ AAAA ::1"])):
        yield


@fault(DNS, "www does not exist", **NAMES)
@contextmanager
def no_www(demo: Deployment) -> Iterator[None]:
    """Forget one of the names."""
    with published(demo, Broken(without=[WWW])):
        yield


@fault(DNS, "an alias leads to a name that is gone", **NAMES)
@contextmanager
def dangling_alias(demo: Deployment) -> Iterator[None]:
    """Let www be an alias of nothing."""
    with published(demo, Broken(without=[WWW], added=["www CNAME gone.tokens.test."])):
        yield


@fault(DNS, "one name server has an old zone", **NAMES)
@contextmanager
def old_zone(demo: Deployment) -> Iterator[None]:
    """Give one server a zone with an earlier address; resolvers find it every other time."""
    with published(demo, Broken(without=[APEX], added=["@ A 127.0.0.9"]), only=(2,)):
        yield


@fault(DNS, "one name server misses an address", **NAMES)
@contextmanager
def smaller_zone(demo: Deployment) -> Iterator[None]:
    """Give one server a zone from before there was IPv6."""
    with published(demo, Broken(without=["@ AAAA ::1"]), only=(2,)):
        yield


@fault(DNS, "a name server is down", **NAMES)
@contextmanager
def dead_server(demo: Deployment) -> Iterator[None]:
    """Stop the second name server."""
    with stopped(demo, "knot2"):
        yield


@fault(DNS, "a name server has no address", **NAMES)
@contextmanager
def lame_server(demo: Deployment) -> Iterator[None]:
    """Name a third server that does not exist."""
    with published(demo, Broken(added=["@ NS ns3.gone.test."])):
        yield


@fault(DNS, "there is one name server", **NAMES)
@contextmanager
def single_server(demo: Deployment) -> Iterator[None]:
    """Leave out the second."""
    with published(demo, Broken(without=["@ NS ns2"])):
        yield


@fault(DNS, "an address is kept for a day", **NAMES)
@contextmanager
def long_kept(demo: Deployment) -> Iterator[None]:
    """Publish the address with a long time to live."""
    with published(demo, Broken(without=[APEX], added=["@ 86400 A 127.0.0.1"])):
        yield


@fault(DNS, "nobody may issue certificates", **NAMES)
@contextmanager
def nobody_issues(demo: Deployment) -> Iterator[None]:
    """Forbid every authority to issue."""
    with published(demo, Broken(without=[CAA], added=['@ CAA 0 issue ";"'])):
        yield


@fault(DNS, "another authority may issue alone", **NAMES)
@contextmanager
def other_issuer(demo: Deployment) -> Iterator[None]:
    """Permit only an authority that is not ours."""
    with published(
        demo, Broken(without=[CAA], added=['www2 CAA 0 issue ";"', '@ CAA 0 issue "letsencrypt.org"'])
    ):
        yield


@fault(DNS, "a critical property that nobody knows", **NAMES)
@contextmanager
def critical(demo: Deployment) -> Iterator[None]:
    """Add a property which authorities that do not know it must take as a refusal."""
    with published(demo, Broken(added=['@ CAA 128 futureproperty "x"'])):
        yield


@fault(DNS, "the signatures have expired", **NAMES)
@contextmanager
def expired(demo: Deployment) -> Iterator[None]:
    """Let the zone's signatures run out, as when the signer has stopped."""
    with published(demo, Broken(expired=True)):
        yield


@fault(DNS, "the delegation names another key", **NAMES)
@contextmanager
def foreign_key(demo: Deployment) -> Iterator[None]:
    """Roll the key over without telling the zone above."""
    with published(demo, Broken(foreign_ds=True)):
        yield


@fault(DNS, "the zone is no longer signed, and the delegation says it is", **NAMES)
@contextmanager
def unsigned(demo: Deployment) -> Iterator[None]:
    """Move to a provider without DNSSEC and leave the DS record behind."""
    with published(demo, Broken(unsigned=True)):
        yield


@fault(DNS, "DNSSEC is required and there is none", **NAMES)
@contextmanager
def required(demo: Deployment) -> Iterator[None]:
    """Take the DS record away where the target file asks for DNSSEC."""
    with (
        edited(demo.target, ("[dns]\n", "[dns]\nrequire_dnssec = true\n")),
        published(demo, Broken(no_ds=True)),
    ):
        yield


@fault(DNS, "one resolver alone answers", becomes=Verdict.UNPROVEN, **NAMES)
@contextmanager
def one_resolver(demo: Deployment) -> Iterator[None]:
    """Stop the other: one resolver may have it from anywhere."""
    with stopped(demo, "unbound"):
        yield


@fault(DNS, "nobody answers at one address", probes=("dns", "tls"), also=(TLS, OBTAINED), needs=("dns",))
@contextmanager
def dead_address(demo: Deployment) -> Iterator[None]:
    """Lead to an address that is expected, and where nothing listens."""
    with (
        edited(demo.target, ('expected_ips = ["127.0.0.1"', 'expected_ips = ["127.0.0.77", "127.0.0.1"')),
        published(demo, Broken(added=["@ A 127.0.0.77"])),
    ):
        yield


@fault(
    DNS,
    "the right address is another machine",
    probes=("dns", "tls"),
    also=(TLS, CERT, OBTAINED),
    needs=("dns",),
)
@contextmanager
def wrong_machine(demo: Deployment) -> Iterator[None]:
    """Lead to an address that is expected, and that somebody else has got meanwhile."""
    with other_machine(demo, names=("shop.example",)):
        yield


@fault(
    DNS,
    "another machine has a certificate of ours",
    probes=("dns", "tls"),
    also=(TLS, CERT, OBTAINED),
    needs=("dns",),
)
@contextmanager
def our_name(demo: Deployment) -> Iterator[None]:
    """Lead to a machine that was the server once, and still has the names."""
    with other_machine(demo):
        yield


@contextmanager
def other_machine(demo: Deployment, **leaf_options: Any) -> Iterator[None]:
    """Lead to one more address, expected, at which somebody else serves some certificate."""
    files = certs.Files.of(demo.world)
    issuer = certs.authority("Somebody's CA")
    leaf, key = certs.leaf(issuer, **leaf_options)
    files.edge.with_name("other.pem").write_bytes(leaf + issuer.pem())
    files.edge.with_name("other.key").write_bytes(key)
    port, folder = demo.world.port("edge"), files.edge.parent
    block = (
        f"    server {{\n        listen 127.0.0.78:{port} ssl;\n        ssl_certificate {folder}/other.pem;\n"
        f"        ssl_certificate_key {folder}/other.key;\n        return 421;\n    }}\n"
    )
    first = "    # Any other name is refused"
    with (
        edited(demo.target, ('expected_ips = ["127.0.0.1"', 'expected_ips = ["127.0.0.78", "127.0.0.1"')),
        reloaded(demo, "nginx", demo.world.path("nginx", "nginx.conf"), (first, block + first)),
        published(demo, Broken(added=["@ A 127.0.0.78"])),
    ):
        yield
