"""The demo's certificates pass strict path validation, and are renewed in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from pytest_deploycheck.demo import certs
from pytest_deploycheck.demo.world import World


def verify(files: certs.Files, name: str, *, at: datetime | None = None) -> None:
    """Build the path from the served chain to the root as a client of the web PKI does."""
    chain = x509.load_pem_x509_certificates(files.edge.read_bytes())
    roots = verification.Store(x509.load_pem_x509_certificates(files.ca.read_bytes()))
    builder = verification.PolicyBuilder().store(roots).time(at or datetime.now(UTC))
    builder.build_server_verifier(x509.DNSName(name)).verify(chain[0], chain[1:])


def test_the_chain_is_valid_for_its_name_only(tmp_path: Path) -> None:
    """Leaf and intermediate lead to the root for localhost, and for no other name."""
    files = certs.ensure(World(tmp_path))
    verify(files, "localhost")
    with pytest.raises(verification.VerificationError):
        verify(files, "example.org")


def test_the_leaf_is_short_lived_and_ecdsa(tmp_path: Path) -> None:
    """90 days, P-256, DNS name and address in the SAN; the key file is private."""
    files = certs.ensure(World(tmp_path))
    leaf = x509.load_pem_x509_certificates(files.edge.read_bytes())[0]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(certs.NAMES)
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert files.edge_key.stat().st_mode & 0o077 == 0


def test_good_certificates_are_kept(tmp_path: Path) -> None:
    """A second start uses the same certificates."""
    world = World(tmp_path)
    before = certs.ensure(world).edge.read_bytes()
    assert certs.ensure(world).edge.read_bytes() == before


def test_old_certificates_are_renewed(tmp_path: Path) -> None:
    """A leaf in its last third is replaced, together with what signed it."""
    world = World(tmp_path)
    files = certs.ensure(world)
    issuer = certs.authority("Old CA")
    old, key = certs.leaf(issuer, not_before=datetime.now(UTC) - timedelta(days=61))
    files.edge.write_bytes(old + issuer.pem())
    files.edge_key.write_bytes(key)
    with pytest.raises(verification.VerificationError):
        verify(files, "localhost")
    certs.ensure(world)
    verify(files, "localhost")
