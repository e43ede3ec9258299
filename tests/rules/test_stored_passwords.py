"""Passwords in stored form: PostgreSQL's verifiers, and the configuration files of the cache."""

from __future__ import annotations

from datetime import date
from hashlib import md5, sha256

import pytest

from pytest_deploycheck.rules import redis_conf
from pytest_deploycheck.rules.postgres_versions import end_of_life
from pytest_deploycheck.rules.scram import matches

HASH = sha256(b"pencil").hexdigest()


def made(password: str) -> str:
    """Return the verifier that libpq makes, which is what the server stores."""
    import psycopg

    connection = psycopg.pq.PGconn.connect_start(b"host=127.0.0.1 port=1")
    return connection.encrypt_password(password.encode(), b"app", b"scram-sha-256").decode()


@pytest.mark.parametrize(
    ("password", "good"), [("pencil-and-paper", True), ("pencil-and-papes", False), ("", False)]
)
def test_scram_verifiers(password: str, good: bool) -> None:
    """Only the password that a verifier was made of matches it."""
    assert matches(made("pencil-and-paper"), "app", password) is good


def test_md5_verifiers() -> None:
    """MD5 is over password and role."""
    stored = f"md5{md5(b'pencilapp', usedforsecurity=False).hexdigest()}"
    assert matches(stored, "app", "pencil") is True
    assert matches(stored, "other", "pencil") is False


@pytest.mark.parametrize("stored", ["", "plain", "SCRAM-SHA-256$4096:!!$a:b", "SCRAM-SHA-256$x:a$b:c"])
def test_what_is_no_verifier_is_no_answer(stored: str) -> None:
    """Neither yes nor no is said of what cannot be read."""
    assert matches(stored, "app", "pencil") is None


@pytest.mark.parametrize(
    ("text", "user", "kept"),
    [
        ("requirepass pencil", "default", True),
        ('REQUIREPASS "pencil"', "default", True),
        ("requirepass pencil\nrequirepass paper", "default", False),
        ("# requirepass pencil", "default", False),
        ("requirepass pencil", "app", False),
        (f"user app on #{HASH} ~* +@all", "app", True),
        ("user app on >pencil ~* +@all", "app", True),
        (f"user app on #{HASH}", "default", False),
        ("user app on nopass", "app", False),
        ("requirepass 'pencil", "default", False),  # the server refuses such a line as well
        ("", "default", False),
    ],
)
def test_what_a_file_keeps(text: str, user: str, kept: bool) -> None:
    """The last requirepass is the default user's; other users have lines of their own."""
    assert redis_conf.keeps(text, user, "pencil") is kept


def test_files_that_include_others() -> None:
    """What was not read is known to be there."""
    assert redis_conf.includes("bind 127.0.0.1\ninclude /etc/redis/local.conf")
    assert not redis_conf.includes("# include /etc/redis/local.conf")


@pytest.mark.parametrize(
    ("major", "ends"), [(9, date.min), (14, date(2026, 11, 12)), (17, date(2029, 11, 8)), (99, None)]
)
def test_versions(major: int, ends: date | None) -> None:
    """Old versions ended long ago; of those yet to come nothing is known, and nothing is held against them."""
    assert end_of_life(major) == ends
