"""The machines, what runs on them, and what stands before them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_deploycheck.target.base import IpAddress, IpNetwork, Port, Section


class HostSection(Section):
    """`[host]`: the server, as a testinfra address: ssh://user@server, local:// or docker://name.

    `more`: further servers of the same deployment; each must be as good as the first, on which the product's
    files and containers are looked at.
    """

    uri: str
    more: list[str] = []
    ssh_config: str = ""
    sudo: bool = False
    data_dirs: list[str] = []


class DockerSection(Section):
    """`[docker]`: the Compose project on the server; without `project` the only one that runs.

    `compose_files`: paths on the server; without them the files that the project was started with.  `compose`:
    how Compose is called there.  `exempt`: services without a health check, each with the reason.  `oneshot`:
    services that run once and end.  `external`: services that the project declares and that run elsewhere.
    `order`: what must be up before what, as `app -> db`; from well-known names when empty.
    """

    compose_files: list[Annotated[str, Field(pattern=r"^/[\w./@+-]+$")]] = []
    compose: Literal["docker compose", "docker-compose"] = "docker compose"
    project: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]*)?$")
    exempt: dict[str, str] = {}
    oneshot: list[str] = []
    order: list[Annotated[str, Field(pattern=r"^\s*\S+\s*->\s*\S+\s*$")]] = []
    external: list[str] = []


class NetSection(Section):
    """`[net]`: what the public may reach, and from where that is seen.

    `vantage`: "local://" declares this machine to be outside of the server's network. `addresses`: the server's
    public ones, where they are not those that the names lead to. `scan_common`: scan our list of common ports
    besides the allowed and the sentinel ones. `filtered_by`: "provider" where a provider's firewall stands
    before the server instead of its own. `rules_file`: what nftables.service loads when the machine starts.
    """

    vantage: str = ""
    addresses: list[IpAddress] = []
    allowed_tcp: list[Port] = [22, 80, 443]
    allowed_udp: list[Port] = []
    sentinel_ports: list[Port] = [
        *(2375, 2376, 3000, 3100, 4000, 5432, 6379, 8080, 8545, 8546, 9090, 9093, 9100, 9187, 27017),
    ]
    scan_common: bool = True
    filtered_by: Literal["host", "provider"] = "host"
    rules_file: str = Field(default="/etc/nftables.conf", pattern=r"^/[\w./-]+$")
    lb_cidrs: list[str] = []


class DnsSection(Section):
    """`[dns]`: where the names must lead. Resolvers are addresses, with `:port` where it is not 53.

    `expected_ips`: every address that the names may lead to, or, with `proxied` (a CDN stands before the server),
    the CDN's ranges. `authoritative_port`: where the zone's own servers answer. `caa_issuers`: CAA names of the
    authorities that issue here, where `cert.allowed_issuers` does not tell. `rdap`: where the domain's expiry is
    asked for; empty to leave that out.
    """

    expected_ips: list[IpNetwork] = []
    resolvers: list[str] = ["1.1.1.1", "8.8.8.8", "9.9.9.9"]
    authoritative_port: Port = 53
    proxied: bool = False
    require_caa: bool = False
    require_dnssec: bool = False
    caa_issuers: list[str] = []
    rdap: str = Field(default="https://rdap.org", pattern=r"^(https?://\S+)?$")


class CertFiles(Section):
    """A certificate on the server by its file, leaf first, and the file of its key."""

    chain: str
    key: str = ""


class CertSection(Section):
    """`[cert]`: the certificates on the server and who renews them; found in the renewers' usual places.

    `names` must be covered; those of the target when empty.  `renewer`: "files" are those of `files` alone,
    "managed" is a certificate that a provider keeps, such as a load balancer's.  `folder`: where the renewer
    keeps its files, when not in the usual place (for Traefik the path of acme.json).  `allowed_issuers`: parts
    of the issuer's name; any that clients trust when empty.  `renewed_by`: in words, what renews and reloads
    where that cannot be seen.  `log`: certbot's log.
    """

    names: list[str] = []
    renewer: Literal["auto", "certbot", "caddy", "traefik", "acme.sh", "files", "managed"] = "auto"
    folder: str = ""
    files: list[CertFiles] = []
    allowed_issuers: list[str] = []
    renewed_by: str = ""
    log: str = "/var/log/letsencrypt/letsencrypt.log"


class EdgeSection(Section):
    """`[edge]`: nginx's configuration, as a command prints it on the server, and its process.

    `dump_command` is `nginx -T`, or `docker exec NAME nginx -T` where nginx runs in a container.
    """

    dump_command: str = Field(default="nginx -T", pattern=r"^(docker exec [\w.-]+ )?nginx -T$")
    pid_file: str = Field(default="/run/nginx.pid", pattern=r"^/[\w./-]+$")


class LbSection(Section):
    """`[lb]`: `multi` wants several backends that all serve; `single` only correct proxying.

    `instance_header` tells which backend answered; usual names are found.  `client_ip`: how the application
    takes the client's address from X-Forwarded-For; `rightmost` where it counts its proxies from the right.
    """

    mode: Literal["multi", "single", "none"] = "single"
    min_backends: int = 2
    instance_header: str = ""
    client_ip: Literal["only", "rightmost"] = "only"
