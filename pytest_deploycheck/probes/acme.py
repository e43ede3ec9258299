"""Probe `acme`: the certificates that are kept on the main server, and what renews them there.

Looks into the stores of the usual renewers, which all have their files in known places, and into the files that
the target file names. Commands print certificates and public keys only; no private key leaves the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_deploycheck.observe import Reads, probe
from pytest_deploycheck.probes import acme_parse as parse
from pytest_deploycheck.probes import acme_schedules, host_parse
from pytest_deploycheck.probes.acme_facts import AcmeFacts, Stored
from pytest_deploycheck.probes.docker import CONTAINERS
from pytest_deploycheck.probes.tls import endpoints
from pytest_deploycheck.transports import Connections, cert_files

if TYPE_CHECKING:
    from pytest_deploycheck.probes.host_facts import HostFacts
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.target.server import CertSection

CERTBOT = ("/etc/letsencrypt",)
CADDY = ("/var/lib/caddy/.local/share/caddy", "/root/.local/share/caddy", "/data/caddy")
_VOLUMES = "/var/lib/docker/volumes"
CADDY_VOLUMES = f"{_VOLUMES}/*caddy*data*/_data/caddy"
ACME_SH = ("/root/.acme.sh", "/home/*/.acme.sh")
TRAEFIK = (
    *("/etc/traefik/acme.json", "/opt/traefik/acme.json", "/letsencrypt/acme.json"),
    *(f"{_VOLUMES}/*traefik*/_data/acme.json", f"{_VOLUMES}/*letsencrypt*/_data/acme.json"),
)


class _Questions:
    """The commands for one target: the stores' usual places, or the folder that the target file names."""

    def __init__(self, section: CertSection) -> None:
        own = (section.folder,) if section.folder else ()
        wanted = section.renewer

        def places(renewer: str, usual: tuple[str, ...]) -> tuple[str, ...]:
            if wanted == renewer:
                return own or usual
            return usual if wanted == "auto" and not own else own if wanted == "auto" else ()

        certbot = places("certbot", CERTBOT)
        caddy = places("caddy", (*CADDY, CADDY_VOLUMES))
        acme_sh = places("acme.sh", ACME_SH)
        files = [pair.chain for pair in section.files]
        keys = [pair.key for pair in section.files if pair.key]
        files += [f"{place}/live/*/fullchain.pem" for place in certbot]
        keys += [f"{place}/live/*/privkey.pem" for place in certbot]
        files += [f"{place}/certificates/*/*/*.crt" for place in caddy]
        keys += [f"{place}/certificates/*/*/*.key" for place in caddy]
        files += [f"{place}/*/fullchain.cer" for place in acme_sh]
        keys += [f"{place}/*/*.key" for place in acme_sh]
        self.files = (*files, *(TRAEFIK if wanted in ("auto", "traefik") and not own else ()))
        self.chains = cert_files.question("chains", files) if files else ""
        self.keys = cert_files.question("keys", keys) if keys else ""
        self.certbot = (
            cert_files.question("certbot", [f"{p}/renewal/*.conf" for p in certbot]) if certbot else ""
        )
        self.versions = (
            cert_files.question("versions", [f"{p}/live/*/fullchain.pem" for p in certbot]) if certbot else ""
        )
        self.hooks = (
            f"ls {' '.join(f'{p}/renewal-hooks/deploy {p}/renewal-hooks/post' for p in certbot)}"
            if certbot
            else ""
        )
        self.acme_sh = cert_files.question("acme.sh", [f"{p}/*/*.conf" for p in acme_sh]) if acme_sh else ""
        stores = places("traefik", TRAEFIK) if wanted == "traefik" or not own else ()
        self.traefik = cert_files.question("traefik", stores) if stores else ""
        self.log = cert_files.question("log", [section.log])
        closed = [f"{place}/live" for place in certbot] + [
            place for place in (*caddy, *acme_sh) if "*" not in place
        ]
        self.closed = f"ls {' '.join(closed)}" if closed else ""
        made = (value for value in vars(self).values() if isinstance(value, str) and value)
        self.all = (*made, cert_files.CRON, CONTAINERS)


def reads(target: Target) -> Reads:
    """Return everything that is asked of the main server."""
    return Reads(main=_Questions(target.cert).all if target.cert.renewer != "managed" else ())


@probe(facts=AcmeFacts, deadline=15, needs=("ssh_gate",), uses={"host": "read"}, reads=reads)
def acme(target: Target, connect: Connections, host_facts: HostFacts) -> AcmeFacts:
    """Read the certificates on the main server and what renews them; no private key leaves it."""
    section = target.cert
    names = tuple(section.names or target.target.domains or dict(endpoints(target)))
    allowed = tuple(section.allowed_issuers)
    if section.renewer == "managed":
        return AcmeFacts(names, "managed", section.renewed_by, allowed, (), (), (), (), (), {})
    asked = _Questions(section)

    def printed(command: str) -> Mapping[str, str]:
        return cert_files.parts(connect.read(command).stdout) if command else {}

    chains, keys = printed(asked.chains), printed(asked.keys)
    stored: list[Stored] = [
        *parse.certbot(
            chains, keys, printed(asked.certbot), printed(asked.versions), _hooks(asked.hooks, connect)
        ),
        *parse.caddy(chains, keys),
        *parse.acme_sh(chains, keys, printed(asked.acme_sh)),
        *parse.traefik(printed(asked.traefik)),
        *parse.declared([(pair.chain, pair.key) for pair in section.files], chains, keys),
    ]
    at, succeeded, errors = parse.last_run(printed(asked.log).get(section.log, ""))
    containers = host_parse.documents(connect.read(CONTAINERS).stdout)
    cron = connect.read(cert_files.CRON).stdout
    ports = sorted({one.http_port for one in stored if one.authenticator == "standalone"})
    return AcmeFacts(
        names=names,
        renewer=section.renewer,
        renewed_by=section.renewed_by,
        allowed_issuers=allowed,
        looked_in=asked.files,
        stored=tuple(stored),
        schedules=acme_schedules.schedules(host_facts.main, cron, containers, (at, succeeded)),
        denied=_denied(connect.read(asked.closed).stderr if asked.closed else ""),
        log_errors=errors,
        on_port=parse.on_port(host_facts.main.listeners or (), ports),
    )


def _hooks(command: str, connect: Connections) -> bool:
    """Whether a folder of hooks that run after a renewal holds any; `ls` heads each folder by its name."""
    lines = connect.read(command).stdout.splitlines() if command else []
    return any(line.strip() and not line.endswith(":") for line in lines)


def _denied(errors: str) -> tuple[str, ...]:
    """Return the folders that `ls` was not let into."""
    lines = [line for line in errors.splitlines() if "Permission denied" in line]
    return tuple(line.partition("'")[2].partition("'")[0] or line[:120] for line in lines)
