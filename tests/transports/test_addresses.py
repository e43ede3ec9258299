"""Names that lead elsewhere than this machine would say."""

from __future__ import annotations

import pytest

from pytest_deploycheck.observe import Dead
from pytest_deploycheck.transports.http import Http
from tests.probes.service import Asked, Reply, serving


def client(base: str, addresses: dict[str, str]) -> Http:
    """Return a client of an address that knows where names lead."""
    return Http(base, gate="api", enter=lambda action: None, remaining=lambda: 10.0, addresses=addresses)


def test_a_known_address_is_asked_by_its_name() -> None:
    """The connection goes to the address, and the server is told the name and the port."""
    heard: list[str] = []

    def answer(asked: Asked) -> Reply:
        heard.append(asked.headers["host"])
        return Reply(200)

    with serving(answer) as base:
        port = base.rpartition(":")[2]
        named = f"http://shop.invalid:{port}"
        assert client(named, {"shop.invalid": "127.0.0.1"}).get("/").status == 200
        assert heard == [f"shop.invalid:{port}"]
        with pytest.raises(Dead, match="does not resolve"):
            client(named, {"other.invalid": "127.0.0.1"}).get("/")
