"""nginx's configuration: a dump taken apart, and what holds in each location after its inheritance."""

from __future__ import annotations

import pytest

from pytest_deploycheck.rules import forwarding, nginx, nginx_effective
from pytest_deploycheck.rules.nginx_effective import Server

DUMP = """nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
events {}
http {
    limit_req_zone $binary_remote_addr zone=api:10m rate=100r/m;
    include conf.d/*.conf;
}

# configuration file /etc/nginx/conf.d/shop.conf:
upstream shop { server 10.0.0.1:80; server 10.0.0.2:80 backup; server 10.0.0.3:80 down; }
server {
    listen 443 ssl;
    server_name shop.test;
    add_header X-Content-Type-Options nosniff always;
    limit_req zone=api burst=20;
    location / { proxy_pass http://shop; }
    location /own { add_header X-Foo 1; proxy_pass http://shop; }
    location /merged { add_header_inherit merge; add_header X-Foo 1; proxy_pass http://shop; }
    location = /exact { return 200; }
    location ^~ /static/ { return 200; }
    location ~ ^/v[0-9]+/ { limit_req zone=api burst=5; proxy_pass http://shop; }
    location ~* \\.PNG$ { return 200; }
}

# configuration file /etc/nginx/unused.conf:
server { listen 8080; }
"""


@pytest.fixture(scope="module")
def shop() -> Server:
    """Return the one server of the dump."""
    (server,) = nginx_effective.servers(nginx.load(DUMP))
    return server


def names(server: Server, path: str) -> list[str]:
    """Return the headers that the location of a path adds."""
    return [one.args[0] for one in server.serves(path).scope.lists.get("add_header", ())]


def test_includes_are_files_of_the_dump(shop: Server) -> None:
    """A file that is included counts, one that is not does not, and nothing is read from this disk."""
    assert shop.names == ("shop.test",)
    assert shop.secure


def test_a_header_of_its_own_drops_the_inherited(shop: Server) -> None:
    """One add_header in a location replaces the server's; merge keeps them."""
    assert names(shop, "/") == ["X-Content-Type-Options"]
    assert names(shop, "/own/x") == ["X-Foo"]
    assert names(shop, "/merged") == ["X-Content-Type-Options", "X-Foo"]


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/", "/"),
        ("/exact", "/exact"),
        ("/exact/", "/"),
        ("/static/a.png", "/static/"),
        ("/own/a.png", r"\.PNG$"),
        ("/v2/x", "^/v[0-9]+/"),
        ("/v/x", "/"),
        ("/ownership", "/own"),
    ],
)
def test_the_location_of_a_path(shop: Server, path: str, match: str) -> None:
    """Exact before ^~ before expressions in their order before the longest prefix."""
    assert shop.serves(path).match == match


def test_upstreams_and_zones() -> None:
    """Members are told apart by their marks; rates are in requests a second."""
    config = nginx.load(DUMP)
    members = nginx_effective.upstreams(config)["shop"]
    assert [(one.address, one.backup, one.down) for one in members] == [
        ("10.0.0.1:80", False, False),
        ("10.0.0.2:80", True, False),
        ("10.0.0.3:80", False, True),
    ]
    assert nginx_effective.zones(config)["api"].rate_per_s == pytest.approx(100 / 60)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no '# configuration file'"),
        ("# configuration file /a:\nhttp { server {", "a: "),
        ("# configuration file /a:\ninclude /a;", "levels deep"),
    ],
)
def test_no_configuration(text: str, why: str) -> None:
    """What is none is refused with the place."""
    with pytest.raises(nginx.NotNginx, match=why):
        nginx.load(text)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("$binary_remote_addr", True),
        ("$remote_addr$http_authorization", False),
        ("$server_name", False),
        ("$http_x_forwarded_for", False),
        ("", False),
    ],
)
def test_keys_that_clients_cannot_choose(key: str, good: bool) -> None:
    """A limiter must count by the connection's own address alone."""
    assert forwarding.unspoofable(key) is good


@pytest.mark.parametrize(
    ("forwarded", "real", "client_ip", "told"),
    [
        ("$remote_addr", "", "only", "true"),
        ("$proxy_add_x_forwarded_for", "$remote_addr", "only", "appended"),
        ("$proxy_add_x_forwarded_for", "", "rightmost", "true"),
        ("", "$remote_addr", "only", "true"),
        ("", "", "only", "forged"),
        ("$http_x_forwarded_for", "", "rightmost", "forged"),
        ("$http_x_real_ip", "$remote_addr", "only", "forged"),
    ],
)
def test_what_the_application_is_told(forwarded: str, real: str, client_ip: str, told: str) -> None:
    """An address that the client may write is none."""
    assert forwarding.told_truly(forwarded, real, client_ip) == told
