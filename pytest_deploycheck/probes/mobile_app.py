"""What one app's archive says of itself: Android's packages and bundles, and Apple's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_deploycheck.probes import mobile_apple, mobile_axml, mobile_protobuf, mobile_signer
from pytest_deploycheck.probes.mobile_archive import AppError, Archive
from pytest_deploycheck.probes.mobile_axml import Element, Reference, Table, Value
from pytest_deploycheck.probes.mobile_found import App
from pytest_deploycheck.probes.mobile_hermes import of_hermes
from pytest_deploycheck.probes.mobile_protobuf import BundleTable
from pytest_deploycheck.probes.mobile_text import HERMES, SEPARATOR, Text, of_dex, portions

_PICTURES = tuple(".png .jpg .jpeg .webp .gif .ttf .otf .mp3 .mp4 .ogg .wav .car .heic".split())


def read(path: Path, archive: Archive, check: Callable[[], object]) -> App:
    """Return what an archive says; AppError where it is no app that can be read."""
    if archive.has("AndroidManifest.xml"):
        app = _android("apk", mobile_axml.parse(archive.read("AndroidManifest.xml", 16 * 2**20)), archive, "")
    elif archive.has("base/manifest/AndroidManifest.xml"):
        root = mobile_protobuf.parse(archive.read("base/manifest/AndroidManifest.xml", 16 * 2**20))
        app = _android("aab", root, archive, "base/")
    elif plist := next(
        (one for one in archive.names if re.fullmatch(r"Payload/[^/]+\.app/Info\.plist", one)), ""
    ):
        return mobile_apple.read(plist, archive)
    else:
        raise AppError("neither an Android nor an Apple app: there is no manifest and no Info.plist in it")
    app.signed = mobile_signer.signed(path, archive, check)
    return app


def _android(kind: str, root: Element, archive: Archive, base: str) -> App:
    if root.tag != "manifest":
        raise AppError(f"its manifest begins with <{root.tag[:40]}>")
    table: Table | BundleTable | None = None
    if not base and archive.has("resources.arsc"):
        table = Table(archive.read("resources.arsc"))
    elif base and archive.has(f"{base}resources.pb"):
        table = BundleTable(archive.read(f"{base}resources.pb"))
    resolve = _Resolve(table)
    manifest, application = root.attributes, next(root.all("application"), Element("application"))
    sdk = next(root.all("uses-sdk"), Element("uses-sdk")).attributes
    target = resolve.number(sdk.get("targetSdkVersion")) or resolve.number(sdk.get("minSdkVersion"))
    app = App(
        kind=kind,
        id=str(manifest.get("package", "")),
        version=resolve.word(manifest.get("versionName")),
        build=resolve.word(manifest.get("versionCode")),
        min_os=resolve.word(sdk.get("minSdkVersion")),
        target_sdk=target,
        debuggable=resolve.any_true(application.attributes.get("debuggable")),
        test_only=resolve.any_true(application.attributes.get("testOnly")),
    )
    # https://developer.android.com/guide/topics/manifest/application-element#usesCleartextTraffic
    said = application.attributes.get("usesCleartextTraffic")
    app.cleartext = resolve.any_true(said) if said is not None else (target or 1) < 28
    config = application.attributes.get("networkSecurityConfig")
    if config is not None:
        _network(app, resolve, config, archive, base, target or 1)
    for intent in root.all("intent-filter"):
        if resolve.any_true(intent.attributes.get("autoVerify")):
            for data in intent.all("data"):
                app.links |= {word for one in resolve.all(data.attributes.get("host")) if (word := str(one))}
    return app


def _network(app: App, resolve: _Resolve, config: Value, archive: Archive, base: str, target: int) -> None:
    """Read the network security configuration, which beats the manifest's word."""
    names = [f"{base}{one}" for one in resolve.all(config)]
    found = [name for name in names if archive.has(name)]
    if not found:
        app.problems.append("its network security configuration cannot be found")
    for name in found:
        data = archive.read(name, 2**20)
        root = mobile_protobuf.parse(data) if base else mobile_axml.parse(data)
        default = next((one for one in root.children if one.tag == "base-config"), Element("base-config"))
        said = default.attributes.get("cleartextTrafficPermitted")
        app.cleartext = resolve.any_true(said) if said is not None else target < 28
        for one in root.all("domain-config"):
            hosts = [domain.text.strip().lower() for domain in one.children if domain.tag == "domain"]
            if resolve.any_true(one.attributes.get("cleartextTrafficPermitted")):
                app.cleartext_hosts += hosts
            for pins in (child for child in one.children if child.tag == "pin-set"):
                digests = tuple(pin.text.strip() for pin in pins.all("pin"))
                app.pins += [
                    (host, digests, resolve.word(pins.attributes.get("expiration"))) for host in hosts
                ]
        for scope in root.children:
            if scope.tag in ("base-config", "domain-config"):
                anchors = (resolve.word(one.attributes.get("src")) for one in scope.all("certificates"))
                app.own_certificates |= "user" in anchors


class _Resolve:
    """Values of attributes with the table of resources behind them."""

    def __init__(self, table: Table | BundleTable | None) -> None:
        self._table = table

    def all(self, value: Value) -> tuple[Value, ...]:
        if isinstance(value, Reference):
            return self._table.all(value) if self._table else ()
        return () if value is None else (value,)

    def word(self, value: Value) -> str:
        return next((str(one) for one in self.all(value)), "")

    def number(self, value: Value) -> int | None:
        word = self.word(value)
        return int(word) if word.isdigit() else None

    def any_true(self, value: Value) -> bool:
        """Whether a value is true in some configuration; one that cannot be found out is taken for true."""
        if isinstance(value, Reference) and not self.all(value):
            return True
        return any(
            one is True or str(one).lower() in ("true", "1", "-1", "4294967295") for one in self.all(value)
        )


def texts(archive: Archive) -> Iterator[Text]:
    """Yield the strings of every entry that can hold any; pictures, fonts and signatures are left out."""
    for name in archive.names:
        lower = name.lower()
        if name.endswith("/") or lower.endswith(_PICTURES) or lower.startswith("meta-inf/"):
            continue
        data = archive.read(name)
        if lower.endswith(".dex"):
            yield Text(name, of_dex(data))
        elif lower == "resources.arsc":
            yield Text(name, SEPARATOR.join(Table(data).strings))
        elif lower.endswith("/resources.pb"):
            yield Text(name, SEPARATOR.join(BundleTable(data).strings))
        elif data[:8] == HERMES:
            yield Text(name, of_hermes(data))
        elif data[:4] == b"\3\0\x08\0":
            yield Text(name, SEPARATOR.join(mobile_axml.words(data)))
        elif data[:6] == b"bplist":
            yield Text(name, SEPARATOR.join(mobile_apple.words(mobile_apple.plist(data, name))))
        else:
            yield from portions(name, data)
