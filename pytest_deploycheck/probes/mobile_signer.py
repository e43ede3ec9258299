"""Who signed an Android app, and whether the signature holds: schemes v2 and v3 in full, v1's certificates.

The formats are those of "APK Signature Scheme v2" and "v3" of the Android Open Source Project's documentation.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_deploycheck.probes.mobile_archive import AppError, Archive

MAGIC = b"APK Sig Block 42"
V2, V3, V31 = 0x7109871A, 0xF05368C0, 0x1B93AD61
BLOCK_MAX_BYTES = 16 * 2**20
PARTS_MAX = 100
CHUNK = 2**20
_ALGORITHMS = {
    0x0101: ("pss", "sha256"),
    0x0102: ("pss", "sha512"),
    0x0103: ("rsa", "sha256"),
    0x0104: ("rsa", "sha512"),
    0x0201: ("ecdsa", "sha256"),
    0x0202: ("ecdsa", "sha512"),
    0x0301: ("dsa", "sha256"),
}
TEST_KEYS = frozenset(
    {
        "a40da80a59d170caa950cf15c18c454d47a39b26989d8b640ecd745ba71bf5dc",
        "c8a2e9bccf597c2fb6dc66bee293fc13f2fc47ec77bc6b2b0d52c11f51192ab8",
    }
)
"""SHA-256 of the certificates of Android's own public test keys."""


@dataclass
class Signed:
    """What signs an app.

    schemes: those present, such as "v2".  certificates: SHA-256 of the signers' certificates.  subjects: whose
    they are.  verified: the newest of v2 and v3 holds for every byte; None where neither is there or neither uses
    an algorithm that can be checked here.  problem: why it does not hold.
    """

    schemes: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    test_key: bool = False
    verified: bool | None = None
    problem: str = ""


def signed(path: Path, archive: Archive, check: Callable[[], object] = lambda: None) -> Signed:
    """Return who signed a package."""
    found = Signed()
    blocks, start = signing_block(path, archive.start)
    for number, scheme in ((V2, "v2"), (V3, "v3"), (V31, "v3.1")):
        if number in blocks:
            found.schemes.append(scheme)
    try:
        for number in (V31, V3, V2):
            if number in blocks:
                for signer in _parts(_one(blocks[number])):
                    _judge(found, signer, path, start, archive.start, check, v3=number != V2)
                break
    except (struct.error, ValueError) as error:
        found.verified, found.problem = False, found.problem or f"the signing block is damaged: {error}"
    _old(found, archive)
    return found


def signing_block(path: Path, directory: int) -> tuple[dict[int, bytes], int]:
    """Return the APK signing block by the ids of its parts, and where it begins; nothing where there is none."""
    if directory < 32:
        return {}, directory
    with path.open("rb") as file:
        file.seek(directory - 24)
        foot = file.read(24)
        if foot[8:] != MAGIC:
            return {}, directory
        size = struct.unpack_from("<Q", foot)[0]
        start = directory - size - 8
        if not 24 <= size <= BLOCK_MAX_BYTES or start < 0:
            raise AppError("the APK signing block has a size that cannot be")
        file.seek(start)
        block = file.read(size + 8)[8:-24]
    found: dict[int, bytes] = {}
    at = 0
    while at + 12 <= len(block):
        length, number = struct.unpack_from("<QL", block, at)
        if length < 4 or at + 8 + length > len(block):
            raise AppError("the APK signing block is damaged")
        found.setdefault(number, block[at + 12 : at + 8 + length])
        at += 8 + length
    return found, start


def _one(data: bytes) -> bytes:
    """Return the first part that is preceded by its length."""
    size = struct.unpack_from("<L", data)[0]
    if 4 + size > len(data):
        raise AppError("a part of the signature is longer than what it is in")
    return data[4 : 4 + size]


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    for _ in range(PARTS_MAX):
        if at >= len(data):
            return
        size = struct.unpack_from("<L", data, at)[0]
        if at + 4 + size > len(data):
            raise AppError("a part of the signature is longer than what it is in")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size
    raise AppError(f"the signature has more than {PARTS_MAX} parts")


def _judge(
    found: Signed,
    signer: bytes,
    path: Path,
    start: int,
    directory: int,
    check: Callable[[], object],
    *,
    v3: bool,
) -> None:
    """Add a signer, and whether what it signed is what the file holds."""
    data = _one(signer)
    rest = signer[4 + len(data) :][8 if v3 else 0 :]  # v3 says for which versions of Android it is
    signatures, key = _one(rest), _one(rest[4 + len(_one(rest)) :])
    digests = _one(data)
    certificates = list(_parts(_one(data[4 + len(digests) :])))
    if not certificates:
        raise AppError("the signature has no certificate")
    _add(found, certificates[0])
    _, public, same = _certificate(certificates[0])
    if same != key:
        found.verified, found.problem = False, "the signature is by another key than the certificate's"
        return
    usable = {
        struct.unpack_from("<L", one)[0]: _one(one[4:])
        for one in _parts(signatures)
        if struct.unpack_from("<L", one)[0] in _ALGORITHMS
    }
    for number in sorted(usable):
        kind, name = _ALGORITHMS[number]
        wanted = next(
            (_one(one[4:]) for one in _parts(digests) if struct.unpack_from("<L", one)[0] == number), b""
        )
        if not _verifies(public, kind, name, usable[number], data):
            found.verified, found.problem = False, "the signature is not the certificate's"
        elif content_digest(path, start, directory, name, check) != wanted:
            found.verified, found.problem = False, "the file was changed after it was signed"
        elif found.verified is None:
            found.verified = True
        return


def _verifies(key: Any, kind: str, name: str, signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    algorithm = hashes.SHA256() if name == "sha256" else hashes.SHA512()
    try:
        if kind == "ecdsa":
            key.verify(signature, data, ec.ECDSA(algorithm))
        elif kind == "rsa":
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif kind == "pss":
            salt = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
            key.verify(signature, data, salt, algorithm)
        else:
            key.verify(signature, data, algorithm)
    except (InvalidSignature, TypeError, AttributeError, ValueError):
        return False
    return True


def content_digest(
    path: Path, start: int, directory: int, name: str, check: Callable[[], object] = lambda: None
) -> bytes:
    """Return the digest of all of a file but its signing block, as schemes v2 and v3 make it."""
    with path.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(directory, size - 65_557))
        tail = file.read(65_557)
        end = max(directory, size - 65_557) + tail.rfind(b"PK\5\6")
        digests = []
        for first, last in ((0, start), (directory, end)):
            for at in range(first, last, CHUNK):
                check()
                file.seek(at)
                digests.append(_chunk(file.read(min(CHUNK, last - at)), name))
        file.seek(end)
        record = bytearray(file.read(65_557))
    # The place of the directory is signed as if there were no signing block.
    struct.pack_into("<L", record, 16, start)
    digests.append(_chunk(bytes(record), name))
    return hashlib.new(name, b"\x5a" + struct.pack("<L", len(digests)) + b"".join(digests)).digest()


def _chunk(data: bytes, name: str) -> bytes:
    return hashlib.new(name, b"\xa5" + struct.pack("<L", len(data)) + data).digest()


def _old(found: Signed, archive: Archive) -> None:
    """Add the certificates of scheme v1, which app bundles have alone."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs7

    blocks = [
        name
        for name in archive.names
        if name.upper().startswith("META-INF/") and name.upper().endswith((".RSA", ".DSA", ".EC"))
    ]
    if not blocks:
        return
    found.schemes.insert(0, "v1")
    if found.certificates:
        return  # the newer schemes say who it is
    for name in blocks[:4]:
        block = archive.read(name, 2**20)
        try:
            certificates = pkcs7.load_der_pkcs7_certificates(block)[:1]
        except Exception as error:  # as for a certificate
            raise AppError(f"{name[:80]} is no signature: {type(error).__name__}") from None
        for certificate in certificates:
            _add(found, certificate.public_bytes(serialization.Encoding.DER))


def _certificate(der: bytes) -> tuple[str, Any, bytes]:
    """Return whose a certificate is, its key, and that key as DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return (
            certificate.subject.rfc4514_string()[:200],
            key,
            key.public_bytes(serialization.Encoding.DER, form),
        )
    except Exception as error:  # of a damaged one it raises whatever its readers stumble over
        raise AppError(f"a signer's certificate cannot be read: {type(error).__name__}") from None


def _add(found: Signed, der: bytes) -> None:
    digest = hashlib.sha256(der).hexdigest()
    subject, _, _ = _certificate(der)
    if digest not in found.certificates:
        found.certificates.append(digest)
        found.subjects.append(subject)
    words = subject.lower()
    found.test_key |= digest in TEST_KEYS or "cn=android debug" in words or "android@android.com" in words
