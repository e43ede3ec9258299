"""Names in certificates that tell of the inside."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules.inner_names import common, internal

OWN = ("shop.example", "www.shop.example", "intra.shop.test")


@pytest.mark.parametrize(
    "name",
    [
        "db01",
        "db01.corp",
        "*.internal",
        "web-3.lan",
        "api.prod.svc.cluster.local",
        "10.1.2.3",
        "fd00::5",
        "ip-10-0-0-1.ec2.internal",
    ],
)
def test_what_tells_of_the_inside(name: str) -> None:
    """Bare host names, endings that only inner networks use, private addresses."""
    assert internal([name], OWN) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "shop.example",
        "*.shop.example",
        "other.example",
        "intra.shop.test",
        "localhost",
        "127.0.0.1",
        "9.9.9.9",
        "ingress.local",
        "0123abcd.4567ef.traefik.default",
        "Kubernetes Ingress Controller Fake Certificate",
    ],
)
def test_what_tells_nothing(name: str) -> None:
    """Public names, the service's own, and what well-known servers show by default."""
    assert internal([name], OWN) == ()


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("CN=db01.corp,O=Shop", ("db01.corp",)),
        ("O=Shop,CN=DB01", ("db01",)),
        ("O=Shop", ()),
        ("CN=TRAEFIK DEFAULT CERT", ()),
        ("CN=Shop\\, Inc.", ()),
    ],
)
def test_common_names_that_are_hosts(subject: str, names: tuple[str, ...]) -> None:
    """A common name counts where it is a host's."""
    assert common(subject) == names
