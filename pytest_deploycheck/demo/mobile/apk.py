"""An Android package: binary manifest, files, and a signature of scheme v2."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pytest_deploycheck.demo.mobile import axml
from pytest_deploycheck.demo.mobile.axml import Node
from pytest_deploycheck.demo.mobile.keys import Signer

_MAGIC = b"APK Sig Block 42"
_V2 = 0x7109871A
_ECDSA_SHA256 = 0x0201
_CHUNK = 2**20
_MOMENT = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Manifest:
    """What an app says of itself; links: hosts whose links it opens.  cleartext None says nothing."""

    package: str
    version: str
    code: int
    links: tuple[str, ...] = ()
    min_sdk: int = 26
    target_sdk: int = 35
    debuggable: bool = False
    test_only: bool = False
    cleartext: bool | None = False

    def root(self) -> Node:
        """Return the document."""
        application: dict[str, str | int | bool] = {"hasCode": False}
        if self.debuggable:
            application["debuggable"] = True
        if self.test_only:
            application["testOnly"] = True
        if self.cleartext is not None:
            application["usesCleartextTraffic"] = self.cleartext
        links = [Node("data", {"scheme": "https", "host": host}) for host in self.links]
        opens = Node("intent-filter", {"autoVerify": True}, links)
        activity = Node("activity", {"name": ".Main", "exported": True}, [opens] if links else [])
        return Node(
            "manifest",
            {"package": self.package, "versionCode": self.code, "versionName": self.version},
            [
                Node("uses-sdk", {"minSdkVersion": self.min_sdk, "targetSdkVersion": self.target_sdk}),
                Node("uses-permission", {"name": "android.permission.INTERNET"}),
                Node("application", application, [activity]),
            ],
        )


def package(manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the package, not signed yet; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"AndroidManifest.xml": axml.document(manifest.root()), **files}.items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def signed(data: bytes, signer: Signer) -> bytes:
    """Return a package with its signing block between the entries and the directory."""
    end = data.rfind(b"PK\5\6")
    start = struct.unpack_from("<L", data, end + 16)[0]
    entries, directory, record = data[:start], data[start:end], data[end:]
    digest = _digest(entries, directory, record)
    content = b"".join(
        (
            _sized(_sized(struct.pack("<L", _ECDSA_SHA256) + _sized(digest))),
            _sized(_sized(signer.der)),
            _sized(b""),
        )
    )
    signature = signer.key.sign(content, ec.ECDSA(hashes.SHA256()))
    key = signer.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    one = _sized(content) + _sized(_sized(struct.pack("<L", _ECDSA_SHA256) + _sized(signature))) + _sized(key)
    value = _sized(_sized(one))
    pair = struct.pack("<QL", len(value) + 4, _V2) + value
    size = struct.pack("<Q", len(pair) + 24)
    block = size + pair + size + _MAGIC
    moved = bytearray(record)
    struct.pack_into("<L", moved, 16, start + len(block))
    return entries + block + directory + bytes(moved)


def _sized(data: bytes) -> bytes:
    return struct.pack("<L", len(data)) + data


def _digest(*parts: bytes) -> bytes:
    chunks = [part[at : at + _CHUNK] for part in parts for at in range(0, len(part), _CHUNK)]
    digests = [sha256(b"\xa5" + struct.pack("<L", len(chunk)) + chunk).digest() for chunk in chunks]
    return sha256(b"\x5a" + struct.pack("<L", len(digests)) + b"".join(digests)).digest()
