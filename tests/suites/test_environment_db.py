"""The checks of item 9 against made-up facts, of which one at a time is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_deploycheck.check import Unproven
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.probes.db_logins import DbLoginsFacts, Try
from pytest_deploycheck.probes.passwords import PasswordsFacts, Secret, _strangers, service_of
from pytest_deploycheck.rules.hba import Rule
from pytest_deploycheck.transports.db_login import Login, _refusal
from pytest_deploycheck.verdict import Reason
from tests.suites.checks import suite
from tests.suites.test_deploy_database import SERVER

CHECKS = suite("pre_deploy/test_environment_db.py")
LIMITS = Limits()
SECRET = Secret("DATABASE_URL", "postgres:app", 190.0, 4, ())
PASSWORDS = PasswordsFacts("DATABASE_URL", "REDIS_PASSWORD", (SECRET,), (), (), 9, (), 120)
IN, NO = Login("accepted", True, ""), Login("password", True, "password authentication failed")
AWAY = Login("address", False, "no pg_hba.conf entry for host")
TRIES = (Try("a wrong password", "app", NO), Try("no password", "app", NO))
LOGINS = DbLoginsFacts("DATABASE_URL", "app", False, IN, True, None, TRIES)
HBA = (Rule(1, "hostssl", ("shop",), ("app",), "10.20.0.0", "255.255.255.0", "scram-sha-256", ""),)


def away(**changes: Any) -> DbLoginsFacts:
    """Return logins that the rules let nobody try from here."""
    tries = tuple(replace(one, login=AWAY) for one in TRIES)
    return replace(LOGINS, declared=AWAY, scram=None, verifier=True, tries=tries, **changes)


@pytest.mark.parametrize(
    "facts",
    [PASSWORDS, replace(PASSWORDS, secrets=(), keyless=("DATABASE_URL",))],
    ids=["password", "certificate"],
)
def test_strong_passwords_pass(facts: PasswordsFacts) -> None:
    """A random password does, and a role without one has none to guess."""
    CHECKS["test_db_password"](facts, LIMITS)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"secrets": (replace(SECRET, faults=("is a well-known default",)),)}, AssertionError, "well-known"),
        ({"secrets": (replace(SECRET, score=3),)}, AssertionError, "3 of 4"),
        ({"shared": (("env DATABASE_URL", "env JWT_SECRET"),)}, AssertionError, "for several services"),
        ({"shown": (("DATABASE_URL", "worker"),)}, AssertionError, "command line of worker"),
        ({"processes": None}, Unproven, "processes are hidden"),
        ({"secrets": ()}, Unproven, "has no DATABASE_URL; name its key"),
    ],
)
def test_weak_passwords_do_not_pass(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """Each fault is named by its key."""
    with pytest.raises(error, match=re.escape(words)):
        CHECKS["test_db_password"](replace(PASSWORDS, **changes), LIMITS)


@pytest.mark.parametrize(
    "facts", [LOGINS, away(), replace(LOGINS, declared=None, passwordless=True, scram=None)]
)
def test_live_passwords_pass(facts: DbLoginsFacts) -> None:
    """Tried from here, compared with the verifier where it cannot be, or not there at all."""
    CHECKS["test_db_password_opens"](facts, replace(SERVER, hba=HBA))


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (replace(LOGINS, declared=NO), AssertionError, "is not the live one"),
        (replace(LOGINS, declared=replace(IN, asked=False)), AssertionError, "without being asked"),
        (replace(LOGINS, tries=(replace(TRIES[0], login=IN),)), AssertionError, "a wrong password opens"),
        (replace(away(), verifier=False), AssertionError, "not the one that the server keeps a verifier of"),
        (replace(away(), verifier=None), Unproven, "may not log in from here"),
        (replace(LOGINS, declared=Login("other", True, "odd")), Unproven, "odd"),
        (
            replace(LOGINS, tries=(replace(TRIES[0], login=Login("other", True, "odd")),)),
            Unproven,
            "not for its password",
        ),
    ],
)
def test_passwords_that_are_not_proven_live(facts: DbLoginsFacts, error: type[Exception], words: str) -> None:
    """What opens to others fails; what could not be tried is unproven."""
    with pytest.raises(error, match=re.escape(words)):
        CHECKS["test_db_password_opens"](facts, replace(SERVER, hba=HBA))


def test_where_nobody_may_try_the_rules_must_ask() -> None:
    """Refused by address only, a role might still be trusted elsewhere: the rules tell, or nothing does."""
    trusting = replace(SERVER, hba=(replace(HBA[0], method="trust"),))
    with pytest.raises(AssertionError, match="a password may not count"):
        CHECKS["test_db_password_opens"](away(), trusting)
    with pytest.raises(Unproven, match="GRANT it"):
        CHECKS["test_db_password_opens"](away(), replace(SERVER, hba=None, hba_why="GRANT it"))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"password_kinds": (("old", "md5"),)}, AssertionError, "password of role old is stored as md5"),
        ({"password_kinds": (("odd", "other"),)}, AssertionError, "stored as other"),
        ({"settings": ()}, AssertionError, "password_encryption is unseen"),
        ({"password_kinds": ()}, AssertionError, "no role"),
        ({"password_kinds": None, "password_kinds_why": "GRANT it"}, Unproven, "GRANT it"),
    ],
)
def test_stored_passwords(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    """SCRAM or no password at all; anything else fails, and what is unseen is unproven."""
    CHECKS["test_db_password_storage"](SERVER)
    with pytest.raises(error, match=re.escape(words)) as why:
        CHECKS["test_db_password_storage"](replace(SERVER, **changes))
    if isinstance(why.value, Unproven):
        assert why.value.reason is Reason.NO_ACCESS


class Broken(Exception):
    """Stands for what the driver raises: its text, and whether the server asked for a password."""

    pgconn = None


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('FATAL:  password authentication failed for user "app"', "password"),
        ("FATAL:  SASL authentication failed", "password"),  # PgBouncer
        ("fe_sendauth: no password supplied", "password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "app"', "address"),
        ('FATAL:  pg_hba.conf rejects connection for host "10.0.0.1"', "address"),
        ("FATAL:  connection requires a valid client certificate", "certificate"),
        (
            'authentication method requirement "scram-sha-256" failed: server requested a hashed password',
            "method",
        ),
        # All of these are said to somebody who is inside already.
        ('FATAL:  database "shop" does not exist', "accepted"),
        ('FATAL:  role "app" does not exist', "accepted"),
        ('FATAL:  permission denied for database "shop"', "accepted"),
        ('FATAL:  too many connections for role "app"', "accepted"),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "other"),
    ],
)
def test_what_a_refusal_means(text: str, outcome: str) -> None:
    """The server's own words tell whether it asked for a password, for more, or let somebody in."""
    assert _refusal(Broken(f"connection failed: {text}")).outcome == outcome


@pytest.mark.parametrize(
    ("key", "value", "service"),
    [
        ("DATABASE_URL", "postgresql+psycopg://app:x@db/shop", "postgres:app"),
        ("DB_PASSWORD", "x", "postgres"),
        ("POSTGRES_PASSWORD", "x", "postgres"),
        ("PGPASSWORD", "x", "postgres"),
        ("REDIS_URL", "redis://:x@cache", "redis"),
        ("VALKEY_PASSWORD", "x", "redis"),
        ("JWT_SECRET", "x", "jwt"),
        ("GF_SECURITY_ADMIN_PASSWORD", "x", "grafana"),
        ("GRAFANA_TOKEN", "x", "grafana token"),
        ("SESSION_SECRET", "x", "SESSION_SECRET"),
    ],
)
def test_which_service_a_key_opens(key: str, value: str, service: str) -> None:
    """Known names of one service's password are one service; any other key is one of its own."""
    assert service_of(key, value) == service


@pytest.mark.parametrize(
    ("services", "strangers"),
    [
        (("postgres", "postgres:app"), False),
        (("postgres:app", "postgres:reader"), True),
        (("postgres:app", "redis"), True),
        (("redis", "redis"), False),
        (("jwt", "SESSION_SECRET"), True),
    ],
)
def test_what_sharing_is(services: tuple[str, str], strangers: bool) -> None:
    """Two names of one password are none; two services, or two roles, are."""
    assert _strangers(("a", "b"), dict(zip(("a", "b"), services, strict=True))) is strangers
