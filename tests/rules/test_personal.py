"""Personal data in reports: what is found, what is no such thing, and what cannot be looked into."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pytest_deploycheck.rules.personal import found, text_of

WALLET = "0x" + "aB" * 20


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jane.doe+x@mail.example.com,3", "e-mail addresses"),
        ("<a href='mailto:jane&#64;example.com'>", "e-mail addresses"),
        ("?user=jane%40example.com", "e-mail addresses"),
        (f"{WALLET},12", "wallet addresses"),
        (f'"{WALLET}"', "wallet addresses"),
        ("+49 30 2312 5101", "telephone numbers"),
        ("10.1.2.3 - GET", "IP addresses"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "tokens"),
    ],
)
def test_personal_data_is_found(text: str, kind: str) -> None:
    """Each kind, as reports and exports write it."""
    assert found(text) == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "step,total\nsignups,1204\nwallets,1100\n",
        "up 12.5 % since 2026-11-17T12:00:00+00:00, 3.1.4 deployed",
        "0x" + "ab" * 32,  # a transaction, which everybody can see
        "price +1234567 wei, 20 users @ 3 tokens",
        "",
    ],
)
def test_totals_are_no_personal_data(text: str) -> None:
    """Numbers, times, versions and transactions name nobody."""
    assert found(text) == {}


def test_what_is_allowed_does_not_count() -> None:
    """The contract's own address and those who sign are no users; one piece is counted once."""
    text = f"{WALLET} {WALLET.lower()} ada@corp.example jane@example.com jane@example.com"
    assert found(text, {WALLET.lower(), "ada@corp.example"}) == {"e-mail addresses": 1}


def test_spreadsheets_can_be_read(tmp_path: Path) -> None:
    """An archive of XML is read member by member; one with a picture in it cannot be."""
    sheet = tmp_path / "report.xlsx"
    with zipfile.ZipFile(sheet, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", "<si><t>jane@example.com</t></si>")
    assert found(text_of(sheet) or "") == {"e-mail addresses": 1}
    with zipfile.ZipFile(sheet, "a") as archive:
        archive.writestr("xl/media/1.png", b"\x89PNG\0\0")
    assert text_of(sheet) is None


@pytest.mark.parametrize(
    ("content", "readable"),
    [
        (b"%PDF-1.7\n...", False),
        (b"\x89PNG\r\n\x1a\n\0\0", False),
        (b"PK\x03\x04broken", True),
        ("größe,3".encode("latin-1"), True),
        ("jane@example.com".encode("utf-16"), True),
        (b"", True),
    ],
)
def test_what_can_be_read(tmp_path: Path, content: bytes, readable: bool) -> None:
    """Texts in usual encodings can, pictures and PDF cannot."""
    path = tmp_path / "report"
    path.write_bytes(content)
    assert (text_of(path) is not None) is readable
