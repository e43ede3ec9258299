"""Redaction: no secret in any form, and a scanner that is shown to find one."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.redact import MASK, Redactor, bounded, forms

SECRET = "pä$$ \"w/rd<&>'9x"


def test_every_form_is_taken_out() -> None:
    """Raw, encoded, escaped and embedded forms all vanish."""
    redactor = Redactor()
    redactor.add(SECRET)
    basic = base64.b64encode(f"user:{SECRET}".encode()).decode()
    text = " ".join([*forms(SECRET), basic, json.dumps({"p": SECRET}), f"https://u:{quote(SECRET)}@h/"])
    cleaned = redactor.text(text)
    assert MASK in cleaned
    assert not [form for form in forms(SECRET) if form in cleaned]
    assert basic[8:-4] not in cleaned


@given(
    st.text(min_size=8, max_size=40).filter(lambda s: s.strip() == s),
    st.binary(max_size=20),
    st.binary(max_size=20),
)
def test_no_alignment_of_base64_hides_a_secret(secret: str, before: bytes, after: bytes) -> None:
    """Whatever stands around a secret before it is encoded, its core is found."""
    raw = secret.encode("utf-8", "surrogatepass")
    redactor = Redactor()
    redactor.add(secret)
    encoded = base64.b64encode(before + raw + after).decode()
    assert redactor.text(encoded) != encoded


values = st.recursive(
    st.text(max_size=9) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_clean_gives_json_without_surrogates(value: object) -> None:
    """Any JSON-able value stays JSON-able and encodable."""
    json.dumps(Redactor().clean(value), ensure_ascii=False).encode()


def test_credentials_of_strangers_are_taken_out_by_shape() -> None:
    """JWTs, bearer headers, URL passwords and private keys go, whoever owns them."""
    text = (
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.sig Bearer abcdefgh12345678 postgres://u:hunter2@db/x "
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----"
    )
    cleaned = Redactor().text(text)
    for part in ("eyJzdWIi", "abcdefgh", "hunter2", "MIIabc"):
        assert part not in cleaned


def test_short_secrets_go_as_whole_words_only() -> None:
    """A four-letter password does not eat the words that contain it."""
    redactor = Redactor()
    redactor.add("test")
    assert redactor.text("a test of testing") == f"a {MASK} of testing"


def test_long_text_is_cut_with_a_note() -> None:
    """Excerpts are bounded, and say so."""
    assert bounded("x" * 9000).endswith("[truncated, 9000 characters]")


def test_a_key_in_an_rpc_url_is_a_secret() -> None:
    """Providers put the key into the path; it must not be shown in an error message."""
    redactor = Redactor()
    redactor.add("https://mainnet.example/v3/0123456789abcdef0123456789abcdef")
    assert "0123456789abcdef0" not in redactor.text("POST /v3/0123456789abcdef0123456789abcdef failed")
