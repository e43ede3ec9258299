"""DIR/letsencrypt: the edge's certificate as certbot would have left it, renewed by the timer of units.json."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.world import World

FOLDER = "letsencrypt"
NAME = "localhost"
_RENEWAL = """\
# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = {folder}/archive/{name}
cert = {folder}/live/{name}/cert.pem
privkey = {folder}/live/{name}/privkey.pem
chain = {folder}/live/{name}/chain.pem
fullchain = {folder}/live/{name}/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef0123456789abcdef
key_type = ecdsa
renew_hook = systemctl reload nginx
server = https://acme.demo.example/directory
authenticator = webroot
webroot_path = {webroot},
"""


def write(world: World) -> None:
    """Lay the folder out afresh, with the certificate that the edge serves as its first version."""
    folder = world.dir / FOLDER
    for part in ("archive", "live"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part).chmod(0o700)
    for part in ("renewal", "logs", "renewal-hooks/deploy", "renewal-hooks/post", "renewal-hooks/pre"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "live" / NAME).mkdir(exist_ok=True)
    for old in (folder / "archive" / NAME).glob("*.pem"):
        old.unlink()
    files = certs.Files.of(world)
    keep(folder, files.edge.read_bytes(), files.edge_key.read_bytes(), version=1)
    renewal = _RENEWAL.format(folder=folder, name=NAME, webroot=world.dir / "nginx" / "acme")
    (folder / "renewal" / f"{NAME}.conf").write_text(renewal)
    log = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S},000:DEBUG:certbot._internal.renewal:no renewal failures\n"
    (folder / "logs" / "letsencrypt.log").write_text(log)


def keep(folder: Path, chain: bytes, key: bytes, *, version: int) -> None:
    """Put a certificate into the archive as some version, and let `live` lead to it."""
    archive = folder / "archive" / NAME
    archive.mkdir(exist_ok=True)
    leaf, separator, rest = chain.partition(b"-----END CERTIFICATE-----\n")
    for name, content, mode in (
        ("cert", leaf + separator, 0o644),
        ("chain", rest, 0o644),
        ("fullchain", chain, 0o644),
        ("privkey", key, 0o600),
    ):
        file = archive / f"{name}{version}.pem"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        link = folder / "live" / NAME / f"{name}.pem"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../archive/{NAME}/{name}{version}.pem")
