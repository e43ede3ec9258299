"""Faults of Infrastructure Setup, the certificate: not renewed, not by a real authority, not put into force."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.server import certbot
from pytest_deploycheck.verdict import Verdict
from tests.faults import tools
from tests.faults.harness import fault
from tests.faults.security import certificate
from tests.faults.tools import edited

CERT = "pre_deploy.infrastructure.cert"
WIRE = "post_deploy.security.cert"
INSTALLED = ("deploy.services.tls", "pre_deploy.infrastructure.dns")
NEEDS = ("server",)
LOOK = ("acme", "tls")


def folder(demo: Deployment) -> Path:
    """Return where certbot keeps its files."""
    return demo.world.dir / certbot.FOLDER


def live(demo: Deployment) -> Path:
    """Return the folder of the certificate in force."""
    return folder(demo) / "live" / certbot.NAME


@contextmanager
def kept(demo: Deployment) -> Iterator[None]:
    """Put certbot's folder back afterwards, links, modes and all."""
    aside = demo.world.path("faults", "letsencrypt")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(folder(demo), aside, symlinks=True)
    try:
        yield
    finally:
        shutil.rmtree(folder(demo))
        shutil.move(aside, folder(demo))


@contextmanager
def obtained(
    demo: Deployment, *, served: bool = True, issuer_name: str = "", **options: Any
) -> Iterator[None]:
    """Let certbot have obtained another certificate, which the edge serves or does not."""
    made: dict[str, bytes] = {}

    def make(issuer: certs.Issuer) -> bytes:
        signer = certs.authority(issuer_name) if issuer_name else issuer
        leaf, key = certs.leaf(signer, **options)
        made.update(chain=leaf + signer.pem(), key=key)
        return leaf + key

    with kept(demo):
        if served:
            with certificate(demo, make):
                certbot.keep(folder(demo), made["chain"], made["key"], version=2)
                yield
        else:
            make(certs.authority("Token Service Issuing CA"))
            certbot.keep(folder(demo), made["chain"], made["key"], version=2)
            yield


@contextmanager
def unit(demo: Deployment, name: str, **properties: object) -> Iterator[None]:
    """Let systemd say something else of a unit; without properties, that there is none."""
    with tools.units_edited(
        demo, lambda units: units[name].update(properties) if properties else units.pop(name)
    ):
        yield


@contextmanager
def renewal(demo: Deployment, old: str, new: str) -> Iterator[None]:
    """Change how certbot would renew."""
    with edited(folder(demo) / "renewal" / f"{certbot.NAME}.conf", (old, new)):
        yield


@fault(CERT, "a tenth of the life is left", probes=LOOK, also=(WIRE,), needs=NEEDS)
@contextmanager
def tenth_left(demo: Deployment) -> Iterator[None]:
    """Serve, and keep, a certificate that should have been renewed three weeks ago."""
    with obtained(demo, not_before=datetime.now(UTC) - timedelta(days=81)):
        yield


@fault(CERT, "a fifth of six days is left", probes=LOOK, also=(WIRE,), needs=NEEDS)
@contextmanager
def short_lived(demo: Deployment) -> Iterator[None]:
    """Keep a certificate of the six-day profile past the time at which it should have been renewed."""
    with obtained(demo, not_before=datetime.now(UTC) - timedelta(days=4.8), lifetime=timedelta(days=6)):
        yield


@fault(CERT, "the certificate is of a staging authority", probes=LOOK, also=(WIRE, *INSTALLED), needs=NEEDS)
@contextmanager
def staging_issuer(demo: Deployment) -> Iterator[None]:
    """Forget to leave the staging environment of Let's Encrypt."""
    with obtained(demo, issuer_name="(STAGING) Artificial Apricot R3"):
        yield


@fault(CERT, "renewals come from a staging directory", probes=LOOK, needs=NEEDS)
@contextmanager
def staging_directory(demo: Deployment) -> Iterator[None]:
    """Renew from the staging environment: the certificate is good until the next renewal."""
    staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
    with renewal(demo, "https://acme.demo.example/directory", staging):
        yield


@fault(CERT, "another authority than the allowed ones", probes=LOOK, also=(WIRE, *INSTALLED), needs=NEEDS)
@contextmanager
def other_issuer(demo: Deployment) -> Iterator[None]:
    """Keep a certificate of an authority that the target file does not name."""
    with obtained(demo, issuer_name="Other Trust Services CA"):
        yield


@fault(CERT, "the certificate on disk is newer than the served one", probes=LOOK, also=INSTALLED, needs=NEEDS)
@contextmanager
def not_reloaded(demo: Deployment) -> Iterator[None]:
    """Renew without reloading the edge."""
    with obtained(demo, served=False, not_before=datetime.now(UTC) - timedelta(minutes=1)):
        yield


@fault(CERT, "the certificate on disk is for another name", probes=LOOK, also=INSTALLED, needs=NEEDS)
@contextmanager
def other_name(demo: Deployment) -> Iterator[None]:
    """Keep a certificate of another host only."""
    with obtained(demo, served=False, names=("shop.example",)):
        yield


@fault(CERT, "the key is not the certificate's", probes=LOOK, needs=NEEDS)
@contextmanager
def other_key(demo: Deployment) -> Iterator[None]:
    """Put another key beside the certificate: the edge runs on until it is restarted."""
    with kept(demo):
        _, key = certs.leaf(certs.authority("any"))
        (live(demo) / "privkey.pem").resolve().write_bytes(key)
        yield


@fault(CERT, "everybody may read the key", probes=LOOK, needs=NEEDS)
@contextmanager
def open_key(demo: Deployment) -> Iterator[None]:
    """Open the key's file to all users."""
    with kept(demo):
        (live(demo) / "privkey.pem").resolve().chmod(0o644)
        yield


@fault(CERT, "the key is gone", probes=LOOK, needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def no_key(demo: Deployment) -> Iterator[None]:
    """Move the key away: nobody can see whether it fits."""
    with kept(demo):
        (live(demo) / "privkey.pem").resolve().unlink()
        yield


@fault(CERT, "the timer is disabled", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def timer_disabled(demo: Deployment) -> Iterator[None]:
    """Disable and stop certbot's timer."""
    with unit(demo, "certbot.timer", UnitFileState="disabled", ActiveState="inactive", SubState="dead"):
        yield


@fault(CERT, "the timer will not come back after a restart", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def timer_not_enabled(demo: Deployment) -> Iterator[None]:
    """Start the timer by hand and do not enable it."""
    with unit(demo, "certbot.timer", UnitFileState="disabled"):
        yield


@fault(CERT, "there is no timer", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def no_timer(demo: Deployment) -> Iterator[None]:
    """Install certbot without anything that runs it."""
    with unit(demo, "certbot.timer"):
        yield


@fault(CERT, "the last renewal failed", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def renewal_failed(demo: Deployment) -> Iterator[None]:
    """Let the last run of certbot end with an error, while the timer is well."""
    log = folder(demo) / "logs" / "letsencrypt.log"
    line = "2026-11-24 09:08:16,627:ERROR:certbot._internal.log:1 renew failure(s), 0 parse failure(s)\n"
    with (
        unit(demo, "certbot.service", Result="exit-code", ExecMainStatus=1, ActiveState="failed"),
        edited(log, (log.read_text(), line)),
    ):
        yield


@fault(CERT, "the timer has not run for two days", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def timer_stuck(demo: Deployment) -> Iterator[None]:
    """Let the last run be two days ago."""
    with unit(demo, "certbot.timer", LastTriggerUSec=datetime.now(UTC).timestamp() - 2 * 86400):
        yield


@fault(CERT, "certbot would listen where something else does", probes=("host", *LOOK), needs=NEEDS)
@contextmanager
def port_taken(demo: Deployment) -> Iterator[None]:
    """Renew by the standalone method on a port on which all addresses are taken by the metrics of the API."""
    import socket

    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - the fault is that somebody listens
        standalone = f"authenticator = standalone\nhttp01_port = {taken.getsockname()[1]}"
        # Our own process is a Python one, as certbot is.
        with renewal(demo, "authenticator = webroot", standalone):
            yield


@fault(CERT, "nothing reloads the edge after a renewal", probes=LOOK, needs=NEEDS, becomes=Verdict.UNPROVEN)
@contextmanager
def no_hook(demo: Deployment) -> Iterator[None]:
    """Leave the deploy hook out: the renewed certificate would wait for a restart."""
    with renewal(demo, "renew_hook = systemctl reload nginx\n", ""):
        yield


@fault(
    CERT,
    "the folder holds no certificate",
    probes=LOOK,
    also=INSTALLED,
    needs=NEEDS,
    becomes=Verdict.UNPROVEN,
)
@contextmanager
def empty_folder(demo: Deployment) -> Iterator[None]:
    """Look into a folder in which nothing was obtained."""
    with kept(demo):
        shutil.rmtree(live(demo))
        yield
