"""The db_logins probe: whether the declared password opens the database, and nothing else does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.probes import env
from pytest_deploycheck.probes.db_activity_queries import APP_ROLE
from pytest_deploycheck.rules import scram
from pytest_deploycheck.transports.db_login import Login
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections

DEFAULT = "postgres"
_USERS = ("DB_USER", "DATABASE_USER", "POSTGRES_USER", "PGUSER", "DB_USERNAME", "DATABASE_USERNAME")
_NAMES = ("DB_NAME", "DATABASE_NAME", "POSTGRES_DB", "PGDATABASE")
_VERIFIER = "SELECT coalesce(rolpassword, '') AS verifier FROM pg_authid WHERE rolname = %s"


@dataclass(frozen=True)
class Try:
    """A login that must be refused: what was sent, for which role, and what came of it."""

    password: str
    role: str
    login: Login


@dataclass(frozen=True)
class DbLoginsFacts:
    """Logins at the database, at most three of them wrong.

    key, role: of the environment file's credentials.  passwordless: it holds no password; the application
    proves itself otherwise.  declared: what came of it.  scram: the server asked for it by SCRAM alone, None
    where that was not seen.  verifier: it is the one behind the stored verifier, None where that was not
    compared.
    """

    key: str
    role: str
    passwordless: bool
    declared: Login | None
    scram: bool | None
    verifier: bool | None
    tries: tuple[Try, ...]


@probe(
    facts=DbLoginsFacts,
    deadline=45,
    needs=("db_gate",),
    after=("ssh_gate",),
    uses={"db": "read login", "db_admin": "read", "host": "read"},
    safety="S2",
    reads=env.reads,
)
def db_logins(target: Target, connect: Connections) -> DbLoginsFacts:
    """Log in at PostgreSQL with the environment file's password, a wrong one, none, and a famous one."""
    key = target.env.db_password_key
    role, password, database = credentials(target, connect, env.values(target, connect))
    declared, uses_scram, verifier = None, None, None
    if password:
        declared = connect.db_login(role, password, database=database)
        if declared.accepted:
            uses_scram = _by_scram(connect, role, password, database)
        elif declared.outcome == "address":
            verifier = _verified(connect, role, password)
    tries = tuple(
        Try(says, who, connect.db_login(who, text, database=database))
        for says, who, text in (
            ("a wrong password", role, secrets.token_urlsafe(12)),
            ("no password", role, ""),
            (f"the password {DEFAULT!r}", DEFAULT, DEFAULT),
        )
    )
    return DbLoginsFacts(key, role, not password, declared, uses_scram, verifier, tries)


def credentials(target: Target, connect: Connections, values: Mapping[str, str]) -> tuple[str, str, str]:
    """Return role, password and database of the application, out of its environment file."""
    assert target.db is not None
    key = target.env.db_password_key
    if key not in values:
        raise CannotLook(
            Reason.NO_CONFIG, f"the environment file has no {key}; name its key in env.db_password_key"
        )
    value = values[key]
    role = next((values[name] for name in _USERS if values.get(name)), "")
    database = next((values[name] for name in _NAMES if values.get(name)), "")
    password = value
    if "://" in value:
        url = urlsplit(value)
        password = unquote(url.password or "")
        role = unquote(url.username or "") or role
        database = unquote(url.path.strip("/").partition("/")[0]) or database
    role = target.db.app_role or role or str(connect.sql().one(APP_ROLE).get("role", ""))
    if not role:
        raise CannotLook(
            Reason.NO_CONFIG, f"nothing names the application's role in {target.path.name}; add db.app_role"
        )
    return role, password, database


def _by_scram(connect: Connections, role: str, password: str, database: str) -> bool | None:
    try:
        return connect.db_login(role, password, database=database, method="scram-sha-256").accepted
    except CannotLook:
        return None


def _verified(connect: Connections, role: str, password: str) -> bool | None:
    """Compare with the stored verifier, where the rules let the role in from other places only."""
    try:
        stored = str(connect.sql("db_admin").one(_VERIFIER, (role,)).get("verifier", ""))
    except (CannotLook, Dead):
        return None
    connect.learn_secret(stored)
    return scram.matches(stored, role, password)
