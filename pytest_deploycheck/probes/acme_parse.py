"""What renewers leave on a server, made into facts. Parsing only."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_deploycheck.probes import certificates, host_parse
from pytest_deploycheck.probes.acme_facts import Stored

if TYPE_CHECKING:
    from pytest_deploycheck.probes.certificates import CertificateFacts
    from pytest_deploycheck.probes.host_facts import Listener

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----")


def chain(text: str) -> tuple[CertificateFacts, ...]:
    """Return the certificates of a PEM text, in their order; none where one of them cannot be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = []
    for block in _PEM.findall(text):
        try:
            der = x509.load_pem_x509_certificate(block.encode()).public_bytes(Encoding.DER)
            found.append(certificates.read(der))
        except ValueError:
            return ()
    return tuple(found)


def public_key(text: str) -> str:
    """Return the public key of a PEM text's first certificate as `openssl pkey -pubout` prints it."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    block = _PEM.search(text)
    try:
        key = x509.load_pem_x509_certificate(block[0].encode()).public_key() if block else None
        return (
            key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip() if key else ""
        )
    except (ValueError, UnsupportedAlgorithm):
        return ""


def key(part: str, certificate: str) -> tuple[bool | None, str, str]:
    """Return whether a key is the certificate's, its mode, and its user and group, of what was printed of it."""
    head, _, rest = part.partition("\n")
    words = head.split()
    if len(words) != 3 or not re.fullmatch(r"[0-7]{3,4}", words[0]):
        return None, "", ""
    matches = rest.strip() == public_key(certificate) if "PUBLIC KEY" in rest else None
    return matches, words[0], f"{words[1]}:{words[2]}"


def settings(part: str) -> dict[str, str]:
    """Return `name = value` and `name='value'` lines."""
    rows = re.findall(r"^(\w+) *= *(.*)$", part, re.MULTILINE)
    return {name: value.strip().strip("'\"") for name, value in rows}


def certbot(
    chains: Mapping[str, str],
    keys: Mapping[str, str],
    conf: Mapping[str, str],
    real: Mapping[str, str],
    hooks: bool,
) -> Iterator[Stored]:
    """Yield certbot's lineages: live/NAME/fullchain.pem and privkey.pem, renewal/NAME.conf beside them."""
    by_name = {PurePosixPath(path).stem: settings(part) for path, part in conf.items()}
    for path, text in chains.items():
        place = PurePosixPath(path)
        if place.name != "fullchain.pem" or not (found := chain(text)):
            continue
        options = by_name.get(place.parent.name, {})
        key_file = str(place.with_name("privkey.pem"))
        number = re.search(r"fullchain(\d+)\.pem$", real.get(path, ""))
        installer = options.get("installer", "None")
        reloads = options.get("renew_hook", "") and "deploy hook"
        if installer not in ("None", ""):
            reloads = f"installer {installer}"
        port = options.get("http01_port", "")
        yield Stored(
            "certbot",
            place.parent.name,
            path,
            found,
            key_file,
            *key(keys.get(key_file, ""), text),
            version=host_parse.integer(number[1]) if number else None,
            authority=options.get("server", ""),
            authenticator=options.get("authenticator", ""),
            http_port=host_parse.integer(port) or 80,
            makes_room=bool(options.get("pre_hook")),
            reloads=reloads or ("hook of the folder" if hooks else ""),
        )


def caddy(chains: Mapping[str, str], keys: Mapping[str, str]) -> Iterator[Stored]:
    """Yield Caddy's certificates: certificates/AUTHORITY/NAME/NAME.crt; it renews and serves them itself."""
    for path, text in chains.items():
        place = PurePosixPath(path)
        if place.suffix == ".crt" and (found := chain(text)):
            key_file = str(place.with_suffix(".key"))
            authority = place.parent.parent.name
            known = key(keys.get(key_file, ""), text)
            yield Stored(
                "caddy", place.stem, path, found, key_file, *known, None, authority, reloads="itself"
            )


def acme_sh(chains: Mapping[str, str], keys: Mapping[str, str], conf: Mapping[str, str]) -> Iterator[Stored]:
    """Yield acme.sh's certificates: NAME[_ecc]/fullchain.cer and NAME.key, NAME.conf beside them."""
    for path, text in chains.items():
        place = PurePosixPath(path)
        if place.name != "fullchain.cer" or not (found := chain(text)):
            continue
        name = place.parent.name.removesuffix("_ecc")
        options = settings(conf.get(str(place.with_name(f"{name}.conf")), ""))
        key_file = str(place.with_name(f"{name}.key"))
        yield Stored(
            "acme.sh",
            name,
            path,
            found,
            key_file,
            *key(keys.get(key_file, ""), text),
            version=None,
            authority=options.get("Le_API", ""),
            reloads="reload command" if options.get("Le_ReloadCmd") else "",
            renews_at=host_parse.since_epoch(options.get("Le_NextRenewTime", "")),
        )


def traefik(parts: Mapping[str, str]) -> Iterator[Stored]:
    """Yield Traefik's certificates out of acme.json, where each is PEM in Base64; it renews and serves them."""
    for path, part in parts.items():
        head, _, rest = part.partition("\n")
        words = head.split()
        mode = words[0] if len(words) == 3 and re.fullmatch(r"[0-7]{3,4}", words[0]) else ""
        uri = next((line[4:] for line in rest.splitlines() if line.startswith("uri ")), "")
        for line in rest.splitlines():
            if line.startswith("certificate "):
                try:
                    text = base64.b64decode(line.split(" ", 1)[1]).decode()
                except (binascii.Error, ValueError):
                    continue
                if found := chain(text):
                    owner = f"{words[1]}:{words[2]}" if mode else ""
                    name = found[0].names[0] if found[0].names else found[0].subject
                    kept = (None, mode, owner, None, uri)
                    yield Stored("traefik", name, path, found, path, *kept, reloads="itself")


def declared(
    pairs: Sequence[tuple[str, str]], chains: Mapping[str, str], keys: Mapping[str, str]
) -> Iterator[Stored]:
    """Yield the certificates that the target file names, each with its key's file."""
    for path, key_file in pairs:
        text = chains.get(path, "")
        if found := chain(text):
            name = found[0].names[0] if found[0].names else found[0].subject
            yield Stored("files", name, path, found, key_file, *key(keys.get(key_file, ""), text), None, "")


def last_run(part: str) -> tuple[str, bool | None, tuple[str, ...]]:
    """Return when certbot last ran, whether its renewals succeeded, and the errors, of what its log tells."""
    when, _, rest = part.partition("\n")
    at = host_parse.since_epoch(when)
    errors = tuple(line[:200] for line in rest.splitlines() if re.search(r":(ERROR|CRITICAL):", line))
    return at, False if errors else True if "no renewal failures" in rest else None, errors


def on_port(listeners: Sequence[Listener], ports: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Return which processes listen on ports, by the port's number; those that cannot be named are "?"."""
    return {
        str(port): tuple(
            sorted(
                {
                    one.process or "?"
                    for one in listeners
                    if one.proto == "tcp" and one.port == port and not one.loopback
                }
            )
        )
        for port in ports
    }
