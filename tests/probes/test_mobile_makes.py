"""Apps that others built and signed, beside what Android's own tools say of them; and the demo's app in those tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from pytest_deploycheck.demo.mobile import apk
from pytest_deploycheck.demo.mobile.apk import Manifest
from pytest_deploycheck.demo.mobile.keys import Signer
from pytest_deploycheck.probes import mobile_app
from pytest_deploycheck.probes.mobile_archive import Archive
from pytest_deploycheck.probes.mobile_found import App
from pytest_deploycheck.probes.mobile_text import addresses, urls

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
OTHERS = sorted((Path(__file__).parents[2] / ".tools" / "apps").glob("*.apk"))
TOOLS = [tool for tool in ("aapt", "aapt2", "apksigner") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(TOOLS) or not FRAMEWORK.exists(), reason="tests/setup.sh installs them")

MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="shop.app"
  android:versionCode="77" android:versionName="@string/version">
 <uses-sdk android:minSdkVersion="24" android:targetSdkVersion="29"/>
 <application android:label="@string/name" android:debuggable="@bool/debug"
   android:networkSecurityConfig="@xml/network">
  <activity android:name=".Main"><intent-filter android:autoVerify="true">
   <action android:name="android.intent.action.VIEW"/><data android:scheme="https" android:host="@string/host"/>
  </intent-filter></activity>
 </application>
</manifest>"""
VALUES = """<?xml version="1.0" encoding="utf-8"?><resources><string name="name">Läden</string>
 <string name="version">2.0.1</string><string name="host">shop.example</string><bool name="debug">{debug}</bool>
 <string name="api">https://api.shop.example/v1</string></resources>"""
NETWORK = """<?xml version="1.0" encoding="utf-8"?><network-security-config>
 <base-config cleartextTrafficPermitted="{cleartext}"><trust-anchors><certificates src="{source}"/></trust-anchors>
 </base-config><domain-config cleartextTrafficPermitted="true"><domain includeSubdomains="true">old.example</domain>
 </domain-config><domain-config><domain>api.shop.example</domain><pin-set expiration="2027-05-01">
 <pin digest="SHA-256">7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=</pin></pin-set></domain-config>
 <debug-overrides><trust-anchors><certificates src="user"/></trust-anchors></debug-overrides>
</network-security-config>"""


def run(*command: str | Path) -> str:
    """Run a tool and return what it says."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def packed(folder: Path, *, debug: str = "false", cleartext: str = "false", source: str = "system") -> Path:
    """Return a package that aapt made, not signed yet."""
    for name in ("values", "values-de", "xml"):
        (folder / "res" / name).mkdir(parents=True, exist_ok=True)
    (folder / "AndroidManifest.xml").write_text(MANIFEST)
    (folder / "res" / "values" / "values.xml").write_text(VALUES.format(debug=debug))
    (folder / "res" / "xml" / "network.xml").write_text(NETWORK.format(cleartext=cleartext, source=source))
    made = folder / "shop.apk"
    said = run(
        "aapt", "package", "-f", "-M", folder / "AndroidManifest.xml", "-S", folder / "res", "-I", FRAMEWORK, "-F", made
    )  # fmt: skip
    assert made.exists(), said
    return made


def signed(path: Path, folder: Path) -> str:
    """Let apksigner sign with all its schemes; return the certificate's digest."""
    signer = Signer.make("CN=Shop,O=Shop")
    key, certificate = folder / "key.der", folder / "cert.der"
    key.write_bytes(
        signer.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(signer.der)
    said = run("apksigner", "sign", "--key", key, "--cert", certificate, "--v1-signing-enabled", "true", path)
    assert "rror" not in said, said
    return signer.fingerprint


def read(path: Path) -> App:
    """Return what our parser says."""
    with Archive(path) as archive:
        return mobile_app.read(path, archive, lambda: None)


def test_a_package_of_aapt_is_read_through_its_resources(tmp_path: Path) -> None:
    """References to strings, booleans and files are followed; the network rules are those of the file."""
    app = read(packed(tmp_path))
    assert (app.kind, app.id, app.version, app.build) == ("apk", "shop.app", "2.0.1", "77")
    assert (app.min_os, app.target_sdk, app.debuggable) == ("24", 29, False)
    assert (app.cleartext, app.cleartext_hosts, app.own_certificates) == (False, ["old.example"], False)
    assert app.links == {"shop.example"}
    assert app.pins == [("api.shop.example", ("7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=",), "2027-05-01")]
    with Archive(tmp_path / "shop.apk") as archive:
        hosts = {host for text in mobile_app.texts(archive) for host, _ in urls(text)}
    assert "api.shop.example" in hosts


def test_what_a_package_of_aapt_permits_is_seen(tmp_path: Path) -> None:
    """A debuggable build, HTTP in the clear and trust in users' certificates are found behind their references."""
    app = read(packed(tmp_path, debug="true", cleartext="true", source="user"))
    assert (app.debuggable, app.cleartext, app.own_certificates) == (True, True, True)


def bundled(folder: Path, **values: str) -> Path:
    """Return an app bundle: what aapt2 links in the form of bundles, in the folders that they have."""
    packed(folder, **values)
    flat, linked, made = folder / "flat.zip", folder / "linked.zip", folder / "shop.aab"
    said = run("aapt2", "compile", "--dir", folder / "res", "-o", flat)
    said += run(
        "aapt2", "link", "--proto-format", "-I", FRAMEWORK, "--manifest", folder / "AndroidManifest.xml", "-o", linked, flat
    )  # fmt: skip
    assert linked.exists(), said
    with zipfile.ZipFile(linked) as parts, zipfile.ZipFile(made, "w") as bundle:
        for name in parts.namelist():
            place = f"base/manifest/{name}" if name == "AndroidManifest.xml" else f"base/{name}"
            bundle.writestr(place, parts.read(name))
        bundle.writestr("base/assets/index.android.bundle", 'fetch("https://api.shop.example/v1")')
    return made


def test_a_bundle_of_aapt2_is_read(tmp_path: Path) -> None:
    """The manifest and the network rules of an app bundle, which are protobuf messages, say the same."""
    app = read(bundled(tmp_path))
    assert (app.kind, app.id, app.build) == ("aab", "shop.app", "77")
    assert (app.version, app.debuggable, app.links) == ("2.0.1", False, {"shop.example"})
    assert (app.min_os, app.target_sdk) == ("24", 29)
    assert (app.cleartext, app.cleartext_hosts, app.own_certificates) == (False, ["old.example"], False)
    assert app.pins == [("api.shop.example", ("7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=",), "2027-05-01")]
    with Archive(tmp_path / "shop.aab") as archive:
        assert "api.shop.example" in {host for text in mobile_app.texts(archive) for host, _ in urls(text)}
    app = read(bundled(tmp_path, debug="true", cleartext="true", source="user"))
    assert (app.debuggable, app.cleartext, app.own_certificates) == (True, True, True)


def test_signatures_of_apksigner_are_verified(tmp_path: Path) -> None:
    """Schemes and certificate are those that apksigner tells, and a change that it refuses is refused."""
    path = packed(tmp_path)
    fingerprint = signed(path, tmp_path)
    app = read(path)
    assert app.signed.schemes[:2] == ["v1", "v2"] and "v3" in app.signed.schemes
    assert (app.signed.certificates, app.signed.verified) == ([fingerprint], True)
    assert fingerprint in run("apksigner", "verify", "--print-certs", path)
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\3\4") + 10] ^= 2
    path.write_bytes(data)
    assert read(path).signed.verified is False
    assert "DOES NOT VERIFY" in run("apksigner", "verify", path)


def test_the_demos_package_is_one_for_others_as_well(tmp_path: Path) -> None:
    """Android's tools read the manifest that we write, and verify the signature that we make."""
    signer, path = Signer.make("CN=Token app"), tmp_path / "token.apk"
    made = Manifest("test.tokens.app", "1.4.2", 10402, links=("tokens.test",))
    path.write_bytes(apk.signed(apk.package(made, {"assets/a.js": b"x" * 3_000_000}), signer))
    said = run("apksigner", "verify", "-v", "--print-certs", path)
    assert "v2 scheme (APK Signature Scheme v2): true" in said and signer.fingerprint in said
    told = run("aapt", "dump", "badging", path)
    assert "name='test.tokens.app' versionCode='10402' versionName='1.4.2'" in told
    assert "targetSdkVersion:'35'" in told


@pytest.mark.parametrize("path", OTHERS or [Path("none")], ids=lambda path: path.name)
def test_packages_of_other_makes(path: Path) -> None:
    """What the parser says of a published app is what aapt and apksigner say of it."""
    if not OTHERS:
        pytest.skip("tests/setup.sh fetches them")
    app, told = read(path), run("aapt", "dump", "badging", path)
    package = re.search(r"name='(.*?)' versionCode='(.*?)' versionName='(.*?)'", told)
    assert package and (app.id, app.build, app.version) == package.groups()
    assert app.debuggable is ("application-debuggable" in told)
    assert f"targetSdkVersion:'{app.target_sdk}'" in told and f"sdkVersion:'{app.min_os}'" in told
    certs = run("apksigner", "verify", "-v", "--print-certs", path)
    assert re.findall(r"certificate SHA-256 digest: (\w{64})", certs) == app.signed.certificates
    assert app.signed.verified is ("Verifies" in certs)
    with Archive(path) as archive:
        texts = list(mobile_app.texts(archive))
    assert len(texts) > 20
    assert not [word for text in texts for word in addresses(text.text)]
