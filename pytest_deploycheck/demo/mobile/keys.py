"""The key that signs the demo's app, with a certificate of its own making as apps have it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Signer:
    """A key on P-256 and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """The certificate's SHA-256 digest in hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest()

    @classmethod
    def of(cls, path: Path, subject: str) -> Signer:
        """Return the signer kept in a file, made on first use."""
        if not path.exists():
            made = cls.make(subject)
            path.touch(mode=0o600)
            path.write_bytes(
                made.key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                + made.certificate.public_bytes(serialization.Encoding.PEM)
            )
        data = path.read_bytes()
        key = serialization.load_pem_private_key(data, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(key, x509.load_pem_x509_certificate(data))

    @classmethod
    def make(cls, subject: str) -> Signer:
        """Make a key, valid for 27 years as stores ask for 25."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name.from_rfc4514_string(subject)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + timedelta(days=27 * 365))
        )
        return cls(key, builder.sign(key, hashes.SHA256()))
