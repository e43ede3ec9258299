"""What an X.509 certificate says, as facts: parsing only, no connection and no judgement."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

_CURVE_NAMES = {"secp256r1": "prime256v1"}


@dataclass(frozen=True)
class CertificateFacts:
    """One certificate.

    sha256: its fingerprint.  not_before, not_after: UTC ISO 8601.  names: its DNS names and IP addresses
    (subjectAltName; a common name does not count).  key: "RSA", "EC" or another algorithm's name, with
    key_bits.  signature_hash: of its signature, empty for Ed25519 and its like.  eku: its extended key
    usages, None without the extension.  scts: embedded signed certificate timestamps.  self_signed: issuer
    and subject are the same.  spki_sha256: the digest of its key in base64, as apps pin it (RFC 7469, section 2.4).
    """

    subject: str
    issuer: str
    sha256: str
    not_before: str
    not_after: str
    names: tuple[str, ...]
    key: str
    key_bits: int
    signature_hash: str
    eku: tuple[str, ...] | None
    scts: int
    self_signed: bool
    spki_sha256: str = ""


def read(der: bytes) -> CertificateFacts:
    """Return the facts of a DER certificate; ValueError when it is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    certificate = x509.load_der_x509_certificate(der)
    key, bits = _key(certificate)
    hashed = certificate.signature_hash_algorithm
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        names=_names(certificate),
        key=key,
        key_bits=bits,
        signature_hash=hashed.name if hashed else "",
        eku=_eku(certificate),
        scts=_scts(certificate),
        self_signed=certificate.issuer == certificate.subject,
        spki_sha256=_pin(certificate),
    )


def _pin(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = certificate.public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def in_order(chain: Sequence[CertificateFacts]) -> bool:
    """Whether each certificate is followed by its issuer's."""
    return all(one.issuer == following.subject for one, following in itertools.pairwise(chain))


def covers(names: Sequence[str], host: str) -> bool:
    """Whether one of a certificate's names is this host: a wildcard stands for exactly one label."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return any(_is_address(name, address) for name in names)
    host = host.rstrip(".").lower()
    parent = host.partition(".")[2]
    for name in names:
        name = name.rstrip(".").lower()
        if name == host or (name.startswith("*.") and parent and name[2:] == parent):
            return True
    return False


def _is_address(name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(name) == address
    except ValueError:
        return False


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "unknown", 0
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVE_NAMES.get(key.curve.name, key.curve.name)}", key.key_size
    name = type(key).__name__.removesuffix("PublicKey").strip("_")
    return name, {"Ed25519": 256, "Ed448": 448}.get(name, 0)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return (
        *san.get_values_for_type(x509.DNSName),
        *(str(address) for address in san.get_values_for_type(x509.IPAddress)),
    )


def _eku(certificate: x509.Certificate) -> tuple[str, ...] | None:
    from cryptography import x509

    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    # An OID that has no name is shown by its number.
    return tuple(getattr(usage, "_name", "") or usage.dotted_string for usage in usages)


def _scts(certificate: x509.Certificate) -> int:
    from cryptography import x509

    try:
        return len(
            certificate.extensions.get_extension_for_class(
                x509.PrecertificateSignedCertificateTimestamps
            ).value
        )
    except (x509.ExtensionNotFound, ValueError):
        return 0
