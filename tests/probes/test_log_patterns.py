"""What must never stand in a log is found in every form; what a token service logs all day is not."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_deploycheck.probes.log_patterns import Scanner, luhn
from pytest_deploycheck.probes.secret_values import entries, parts

SECRET = "s3cr3t/With+odd=chars&more"
KEY = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
SCANNER = Scanner([("JWT_SECRET", SECRET), ("PRIVATE_KEY", KEY), ("PIN", "1234")])


def rules(*lines: str) -> set[str]:
    """Return the rules that lines break."""
    return {rule for rule, _ in SCANNER.broken(lines)}


@pytest.mark.parametrize(
    "line",
    [
        f"started with {SECRET}",
        json.dumps({"body": json.dumps({"k": SECRET})}),
        f"GET /?k={quote(SECRET, safe='')}",
        f"Basic {base64.b64encode(f'user:{SECRET}'.encode()).decode()}",
        SECRET.encode().hex(),
        f"key {KEY}",
        f"key {KEY[2:].upper()}",
    ],
)
def test_a_known_secret_is_found_in_every_form(line: str) -> None:
    """Raw, escaped, encoded, with and without 0x; and the rule names the secret, not its value."""
    found = rules("innocent", line)
    assert found & {"value of JWT_SECRET", "value of PRIVATE_KEY"}
    assert not any(SECRET in rule or KEY in rule for rule in found)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "JSON Web Token"),
        ('{"authorization": "Bearer abcdef123456"}', "authorization header"),
        (r"{\"Authorization\": \"Basic dXNlcjpwYXNz\"}", "authorization header"),
        ("-----BEGIN EC PRIVATE KEY-----", "private key"),
        ("creds AKIAIOSFODNN7EXAMPLE", "AWS access key"),
        ('{"username": "ann", "password": "hunter22"}', "password field"),
        (r"body={\"password\": \"hunter22\"}", "password field"),
        ("login password=hunter22 ok", "password field"),
        ("ALTER ROLE app PASSWORD 'hunter22'", "password in SQL"),
        ("GET /reset?token=AbCdEf0123456789xyz HTTP/1.1", "credential in a URL's query"),
        ("GET /x?a=1&access_token=AbCdEf0123456789xyz", "credential in a URL's query"),
        ("connect postgresql://app:hunter22@db/shop", "URL with a password"),
        ("rpc https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef", "RPC URL with a key"),
        ("card 4111 1111 1111 1111", "payment card number"),
        ('{"card_number": "4111111111111111"}', "payment card number"),
        ("legal winner thank year wave sausage worth useful legal winner thank yellow", "wallet seed phrase"),
    ],
)
def test_the_shape_of_a_credential_is_found(line: str, rule: str) -> None:
    """Whoever it belongs to, and however deep it is quoted."""
    assert rules(line) == {rule}


@pytest.mark.parametrize(
    "line",
    [
        '{"tx_hash": "0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b"}',
        '{"value_wei": 4111111111111111, "gas": 5500000000000004}',
        '{"ts": 1795499606907000000, "block": 4111111111111111}',
        '{"password": "***", "authorization": "[redacted]"}',
        '{"password": null}',
        '{"password": "[FILTERED]"}',
        'FATAL:  password authentication failed for user "app"',
        "ALTER ROLE app PASSWORD $1",
        "INSERT INTO users (password_hash) VALUES ($1)",
        "PWD=/srv/app OLDPWD=/srv",
        "GET /tokens?token=0xdAC17F958D2ee523a2206206994597C13D831ec7 HTTP/1.1",
        "GET /token/quote?tokens=3 HTTP/1.1",
        "connect postgresql://db/shop as app, redis://cache:6379/0",
        "postgresql://app:***@db/shop",
        "the limit of the login was reached by one client and it was told to come back later",
        "request_id 943a708ffc3afbe5c4a5e7b555c9a5f8 for 1234",
        "Authorization header missing",
    ],
)
def test_what_a_token_service_logs_all_day_is_not(line: str) -> None:
    """Hashes, amounts, times, masks and prose are no findings: whoever gets those turns the scan off."""
    assert rules(line) == set()


@given(st.lists(st.sampled_from(["plain line", f"has {SECRET}", "-----BEGIN PRIVATE KEY-----"]), max_size=30))
def test_each_line_is_told_on_its_own(lines: list[str]) -> None:
    """A finding is of exactly the lines that have it, however many are scanned at once."""
    found = set(SCANNER.broken(lines))
    expected = {("value of JWT_SECRET", n) for n, line in enumerate(lines) if SECRET in line}
    expected |= {("private key", n) for n, line in enumerate(lines) if "PRIVATE" in line}
    assert found == expected


def test_short_secrets_are_not_looked_for() -> None:
    """Four digits stand everywhere; the count of known secrets does not claim them."""
    assert SCANNER.known == 2


@pytest.mark.parametrize(("digits", "valid"), [("4111111111111111", True), ("4111111111111112", False)])
def test_card_numbers_have_a_check_digit(digits: str, valid: bool) -> None:
    """The last digit follows from the others."""
    assert luhn(digits) is valid


def test_an_env_file_is_read_as_services_do() -> None:
    """Comments, export, quotes and trailing comments are no part of a value."""
    text = "# c\nexport A=1\nB=\"two words\"\nC='x'  \nD=v # why\nE=a=b\n\nnot a line\n"
    assert dict(entries(text)) == {"A": "1", "B": "two words", "C": "x", "D": "v", "E": "a=b"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain-secret", {"plain-secret"}),
        ("redis://cache:6379/0", set()),
        ("http://127.0.0.1:8545", set()),
        ("host=db user=app password='a b' dbname=x", {"a b"}),
        ("", set()),
    ],
)
def test_of_an_address_only_the_secret_parts_are_secret(value: str, expected: set[str]) -> None:
    """An address without credentials may stand in any log."""
    assert parts(value) == expected


def test_a_password_in_an_address_is_looked_for_alone() -> None:
    """Percent-encoded as it stands there, decoded, and the whole address."""
    found = parts("postgresql://app:p%40ss-w0rd@db/shop")
    assert {"p%40ss-w0rd", "p@ss-w0rd", "postgresql://app:p%40ss-w0rd@db/shop"} <= found
