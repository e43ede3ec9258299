"""Damaged and hostile archives: each is read, or refused in words, within bounds."""

from __future__ import annotations

import io
import plistlib
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_deploycheck.demo.mobile import apk, axml, ipa
from pytest_deploycheck.demo.mobile.apk import Manifest
from pytest_deploycheck.demo.mobile.keys import Signer
from pytest_deploycheck.probes import (
    mobile_app,
    mobile_apple,
    mobile_archive,
    mobile_axml,
    mobile_found,
    mobile_protobuf,
    mobile_text,
)
from pytest_deploycheck.probes.mobile_archive import AppError, Archive
from pytest_deploycheck.probes.mobile_hermes import of_hermes
from pytest_deploycheck.probes.mobile_text import HERMES, of_dex

SIGNER = Signer.make("CN=Shop")
MANIFEST = Manifest("shop.app", "1.0.0", 100, links=("shop.example",))
PACKAGE = apk.signed(apk.package(MANIFEST, {"assets/a.js": b'var a="https://shop.example"'}), SIGNER)
BUNDLE = ipa.package("shop.app", "TEAM.shop.app", "1.0.0", "100", {"main.jsbundle": b"var a"}, signer=SIGNER)
DOCUMENT = axml.document(MANIFEST.root())


def everything(data: bytes) -> mobile_found.App:
    """Read an archive as the probe does."""
    with tempfile.NamedTemporaryFile(suffix=".apk") as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        with Archive(path) as archive:
            app = mobile_app.read(path, archive, lambda: None)
            for text in mobile_app.texts(archive):
                assert isinstance(text.text, str)
            return app


def tolerated(action: Callable[[], object]) -> None:
    """Do something that may be refused as an app, and in no other way."""
    try:
        action()
    except (AppError, struct.error, OSError) as refusal:  # the last two the probe catches for every app
        assert str(refusal)


@settings(max_examples=60)
@given(data=st.data(), which=st.sampled_from([PACKAGE, BUNDLE]))
def test_damaged_archives(data: st.DataObject, which: bytes) -> None:
    """Bits that flipped, a cut anywhere and bytes in between never end in anything but words."""
    spoiled = bytearray(which)
    for _ in range(data.draw(st.integers(0, 8))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.booleans()):
        spoiled = spoiled[: data.draw(st.integers(0, len(spoiled)))]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(spoiled)))
        spoiled[at:at] = data.draw(st.binary(max_size=40))
    tolerated(lambda: everything(bytes(spoiled)))


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_manifests(data: st.DataObject) -> None:
    """Any four bytes of a manifest may say anything, huge sizes above all."""
    spoiled = bytearray(DOCUMENT)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoiled) - 4))
        value = data.draw(
            st.sampled_from([0, 1, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]) | st.integers(0, 2**32 - 1)
        )
        struct.pack_into("<L", spoiled, at, value)
    tolerated(lambda: mobile_axml.parse(bytes(spoiled)))


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_anything_is_no_manifest(data: bytes) -> None:
    """Bytes of any kind are refused in words by each parser."""
    head = struct.pack("<HHL", 0x0002, 12, len(data) + 12) + b"\1\0\0\0"
    for action in (
        lambda: mobile_axml.parse(data),
        lambda: mobile_axml.parse(DOCUMENT[:8] + data),
        lambda: mobile_axml.Table(head + data),
        lambda: mobile_axml.words(data),
        lambda: mobile_protobuf.parse(data),
        lambda: mobile_protobuf.BundleTable(data),
        lambda: of_dex(b"dex\n039\0" + data),
        lambda: of_hermes(HERMES + data),
    ):
        tolerated(action)


def test_a_bundle_that_is_nested_without_end() -> None:
    """An element in an element, a thousand times, is refused before Python's own limit."""
    element = b""
    for _ in range(1000):
        element = b"\x2a" + _number(len(element) + 1 + len(_number(len(element)))) + b"\x0a" + _number(len(element)) + element  # fmt: skip
    with pytest.raises(AppError, match="deeper"):
        mobile_protobuf.parse(b"\x0a" + _number(len(element)) + element)


def _number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def test_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that grows beyond its bound is given up where it does, whatever its header says of its size."""
    monkeypatch.setattr(mobile_archive, "TOTAL_MAX_BYTES", 8 * 2**20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", bytes(32 * 2**20))
    path = tmp_path / "bomb.apk"
    path.write_bytes(out.getvalue())
    with Archive(path) as archive_, pytest.raises(AppError, match="larger"):
        archive_.read("bomb.txt")
    with Archive(path) as archive_, pytest.raises(AppError, match="larger"):
        archive_.read("bomb.txt", 2**20)
    # Only so much was read as tells that it is too much.
    assert 6 * 2**20 <= archive_.left <= 8 * 2**20


def test_packings_that_no_app_has(tmp_path: Path) -> None:
    """LZMA, which may ask for gigabytes of memory, and encrypted entries are refused."""
    path = tmp_path / "a.apk"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("AndroidManifest.xml", DOCUMENT)
    with Archive(path) as read, pytest.raises(AppError, match="encrypted or packed"):
        read.read("AndroidManifest.xml")


def test_names_that_lead_away(tmp_path: Path) -> None:
    """Nothing is ever written, and a name that leads out of the archive is told."""
    path = tmp_path / "a.apk"
    for name in ("../../etc/cron.d/x", "/etc/passwd", "a\\..\\..\\b"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
        with Archive(path) as read:
            assert "leads out" in read.problems[0]
    assert [one.name for one in tmp_path.iterdir()] == ["a.apk"]


def test_property_lists_of_every_kind() -> None:
    """Both formats are read; entities are refused, and so is a list that holds itself."""
    for style in (plistlib.FMT_XML, plistlib.FMT_BINARY):
        assert mobile_apple.plist(plistlib.dumps({"a": 1}, fmt=style), "Info.plist") == {"a": 1}
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "ha">]><plist><dict><key>a</key></dict></plist>'
    )
    for data in (laughs, b"bplist00" + bytes(range(64)), b"[]", plistlib.dumps(["a"])):
        with pytest.raises(AppError):
            mobile_apple.plist(data, "Info.plist")


def test_strings_that_share_their_bytes() -> None:
    """A few bytes that claim to be a million strings cost no more than they are."""
    long, count = b"\x7f\xff\x7f\xff" + b"a" * 0x7FFF + b"\0", 200_000
    for data in (
        b"".join((struct.pack("<HHL", 1, 28, 28 + 4 * count + 2**15 + 8), struct.pack("<5L", count, 0, 256, 28 + 4 * count, 0), bytes(4 * count), b"\xff\xff\xff\xff", long)),
    ):  # fmt: skip
        with pytest.raises(AppError, match="overlap"):
            mobile_axml.pool(data, 0, len(data))
    head = b"dex\n039\0".ljust(0x38, b"\0") + struct.pack("<LL", count, 0x70)
    data = head.ljust(0x70, b"\0") + struct.pack("<L", 0x70 + 4 * count) * count + b"\x7f" + b"a" * 4000
    with pytest.raises(AppError, match="overlap"):
        of_dex(data)


def test_a_property_list_that_holds_itself() -> None:
    """A binary list may name itself as its member; its words are read once."""
    data = (
        b"bplist00"
        + b"\xa2\x00\x01"
        + b"\x53abc"
        + b"\x08\x0b"
        + bytes(6)
        + b"\1\1"
        + struct.pack(">QQQ", 2, 0, 15)
    )
    assert list(mobile_apple.words(plistlib.loads(data))) == ["abc"]


def test_large_files_are_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies across the border of two portions is found all the same."""
    monkeypatch.setattr(mobile_text, "PORTION_BYTES", 8192)
    for fill in (b" ", b"\0"):
        for at in (4096 + 8192 - 10, 8180, 0):
            data = bytearray(fill * 40_000)
            data[at : at + 24] = b"https://api.shop.example"
            found = {
                host for text in mobile_text.portions("a", bytes(data)) for host, _ in mobile_text.urls(text)
            }
            assert "api.shop.example" in found


def test_whole_archives_are_read() -> None:
    """The same reader takes what was not damaged."""
    app = everything(PACKAGE)
    assert (app.kind, app.id, app.signed.verified, app.links) == ("apk", "shop.app", True, {"shop.example"})
    app = everything(BUNDLE)
    assert (app.kind, app.id, app.team_app_id) == ("ipa", "shop.app", "TEAM.shop.app")
