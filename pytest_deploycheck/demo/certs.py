"""The demo's certificate authority: root, intermediate, and the leaves of the edge and of PostgreSQL.

Written with what strict path validation asks for: critical BasicConstraints and KeyUsage and a key identifier
on the authorities; on a leaf CA=false, serverAuth, both key identifiers, and a subject beside a SAN that is
not critical.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_deploycheck.demo.world import DOMAINS, World

NAMES = ("localhost", *DOMAINS)
"""The names that the edge is known by."""

LEAF_LIFETIME = timedelta(days=90)
_AUTHORITY_LIFETIME = timedelta(days=3650)
_RENEW_BELOW = LEAF_LIFETIME / 3
# A client whose clock is a little behind must accept a certificate made this minute.
_BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Issuer:
    """A certificate authority that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Files:
    """Where the certificates of a deployment are."""

    ca: Path  # the root, which clients trust
    intermediate: Path
    edge: Path  # leaf and intermediate
    edge_key: Path
    postgres: Path
    postgres_key: Path

    @classmethod
    def of(cls, world: World) -> Files:
        """Name the files of a deployment, whether they exist or not."""
        names = ("ca.pem", "intermediate.pem", "edge.pem", "edge.key", "postgres.pem", "postgres.key")
        return cls(*(world.path("certs", name) for name in names))


def ensure(world: World) -> Files:
    """Make the authority and its leaves, or renew them when a leaf is for other names or in its last third."""
    files = Files.of(world)
    if (
        all(path.exists() for path in vars(files).values())
        and min(map(_time_left, (files.edge, files.postgres))) > _RENEW_BELOW
        and _names(files.edge) == NAMES
    ):
        return files
    root = authority("Token Service Root CA")
    intermediate = authority("Token Service Issuing CA", root)
    _write(files.ca, root.pem())
    _write(files.intermediate, intermediate.pem())
    for chain, key_file in ((files.edge, files.edge_key), (files.postgres, files.postgres_key)):
        certificate, key = leaf(intermediate)
        _write(chain, certificate + intermediate.pem())
        _write(key_file, key, private=True)
    return files


def authority(name: str, parent: Issuer | None = None) -> Issuer:
    """Make a certificate authority: self-signed without a parent."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = parent.key if parent else key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.certificate.subject if parent else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if parent else 1), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if parent:
        builder = builder.add_extension(_issued_by(parent), critical=False)
    return Issuer(builder.sign(signer, hashes.SHA256()), key)


def leaf(
    issuer: Issuer,
    *,
    names: tuple[str, ...] = NAMES,
    not_before: datetime | None = None,
    lifetime: timedelta = LEAF_LIFETIME,
) -> tuple[bytes, bytes]:
    """Make a server certificate and its key, both PEM; the names are DNS names, 127.0.0.1 is always added."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = not_before or datetime.now(UTC) - _BACKDATE
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names), *addresses]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issued_by(issuer), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def _issued_by(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _names(path: Path) -> tuple[str, ...]:
    extensions = x509.load_pem_x509_certificate(path.read_bytes()).extensions
    found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(found.get_values_for_type(x509.DNSName))


def _time_left(path: Path) -> timedelta:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - datetime.now(UTC)


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
