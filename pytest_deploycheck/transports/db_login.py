"""Logins at PostgreSQL that are there to be refused: one connection each, closed at once, nothing asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.verdict import Reason

CONNECT_TIMEOUT_S = 5
# What PostgreSQL says once it has let somebody in, and only then sees that the visit leads nowhere.
_INSIDE = re.compile(
    r'FATAL:\s+(?:database ".*" does not exist|role ".*" does not exist|permission denied for database'
    r"|too many connections for|remaining connection slots"
    r'|role ".*" is not permitted to log in|database ".*" is not currently accepting)'
)
_NO_FILE = "/dev/null/none"  # of passwords: the user's own must not help
_NOT_UP = ("refused", "No such file", "could not translate", "starting up", "shutting down")


@dataclass(frozen=True)
class Login:
    """What came of one login.

    outcome: "accepted"; "password" (it was asked for, and refused); "certificate" (that of a client was asked
    for); "address" (the rules let nobody in from here); "method" (the server wanted another way than the one
    that was asked for); "other".
    asked: the server asked for a password, None where that cannot be told.  says: the server's own words.
    """

    outcome: str
    asked: bool | None
    says: str

    @property
    def accepted(self) -> bool:
        """Whether somebody got in."""
        return self.outcome == "accepted"


def login(
    dsn: str,
    *,
    enter: Callable[[str], None],
    remaining: Callable[[], float],
    user: str,
    password: str,
    database: str = "",
    method: str = "",
) -> Login:
    """Log in at the server of a DSN as somebody else; no client certificate and no password file helps.

    method: the only way in which the server may ask for the password, such as "scram-sha-256".
    Raises Dead when the server is not there, CannotLook when it does not answer in time.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    enter("login")
    parts: dict[str, Any] = {
        name: value
        for name, value in conninfo_to_dict(dsn).items()
        if name not in ("sslcert", "sslkey", "sslpassword", "options", "service", "require_auth")
    }
    parts |= {"user": user, "password": password, "passfile": _NO_FILE, "gssencmode": "disable"}
    parts |= {"dbname": database} if database else {}
    if psycopg.pq.version() >= 160000:
        parts |= {"sslcertmode": "disable"} | ({"require_auth": method} if method else {})
    elif method:
        raise CannotLook(Reason.NO_ACCESS, "the libpq here is older than 16 and cannot choose the method")
    wait = int(max(2, min(CONNECT_TIMEOUT_S, remaining())))
    try:
        connection = psycopg.connect(**parts | {"connect_timeout": wait, "application_name": "deploycheck"})
    except psycopg.OperationalError as error:
        return _refusal(error)
    asked = bool(connection.pgconn.used_password)
    connection.close()
    return Login("accepted", asked, "")


def _refusal(error: Any) -> Login:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    says = (lines[0] if lines else type(error).__name__)[:200]
    text = str(error)
    asked = error.pgconn.used_password if error.pgconn is not None else None
    if "timeout" in text:
        raise CannotLook(Reason.TIMEOUT, says)
    if any(word in text for word in _NOT_UP):
        raise Dead("db", says)
    if _INSIDE.search(text):
        return Login("accepted", asked, says)
    if "no pg_hba.conf entry" in text or "pg_hba.conf rejects" in text:
        return Login("address", False, says)
    if "requires a valid client certificate" in text or "certificate authentication failed" in text:
        return Login("certificate", False, says)
    if "method requirement" in text:
        return Login("method", asked, says)
    if "authentication failed" in text or "no password supplied" in text:
        return Login("password", True, says)
    return Login("other", asked, says)
