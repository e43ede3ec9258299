"""An Apple app archive: a zip with a bundle, its property list and its profile; there is no program in it that runs."""

from __future__ import annotations

import io
import plistlib
import zipfile
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from pytest_deploycheck.demo.mobile.keys import Signer

NAME = "TokenApp"
_MOMENT = (2026, 1, 1, 0, 0, 0)


def package(
    bundle: str,
    team_app: str,
    version: str,
    build: str,
    files: Mapping[str, bytes],
    *,
    links: tuple[str, ...] = (),
    signer: Signer,
    info: Mapping[str, Any] | None = None,
    rights: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the archive; `info` and `rights` change the property list and what the profile permits."""
    described = {
        "CFBundleIdentifier": bundle,
        "CFBundleExecutable": NAME,
        "CFBundleName": NAME,
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version,
        "CFBundleVersion": build,
        "MinimumOSVersion": "16.0",
        "NSAppTransportSecurity": {"NSAllowsArbitraryLoads": False},
        **(info or {}),
    }
    permitted = {
        "application-identifier": team_app,
        "com.apple.developer.team-identifier": team_app.partition(".")[0],
        "com.apple.developer.associated-domains": [f"applinks:{host}" for host in links],
        "get-task-allow": False,
        **(rights or {}),
    }
    profile = plistlib.dumps({"Name": f"{NAME} store", "Entitlements": permitted})
    content = {
        "Info.plist": plistlib.dumps(described, fmt=plistlib.FMT_BINARY),
        "embedded.mobileprovision": _cms(profile, signer),
        # In a real one the rights stand in the code signature at the end of the program.
        NAME: b"\xcf\xfa\xed\xfe" + b"\0" * 60 + plistlib.dumps(permitted),
        **files,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(f"Payload/{NAME}.app/{name}", _MOMENT)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _cms(data: bytes, signer: Signer) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    builder = builder.add_signer(signer.certificate, signer.key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
