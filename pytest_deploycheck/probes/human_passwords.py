"""The human_passwords probe: the rules for the passwords of people, and how those are stored."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, Dead, probe
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

ROWS_MAX = 20_000
_KEYS = {"min_length", "max_length", "mfa", "blocklist", "composition", "rotation_days"}
# Where services keep them: a column for the scheme alone first, then hashes.
_COLUMNS = """
SELECT quote_ident(c.table_schema) || '.' || quote_ident(c.table_name) AS table,
       quote_ident(c.column_name) AS column
  FROM information_schema.columns c
 WHERE c.table_schema !~ '^(pg_|information_schema)' AND c.data_type IN ('text', 'character varying')
   AND c.column_name ~* '^(encrypted_|hashed_|user_)?pass(word|wd)?_?(hash|digest|scheme|algorithm)?$'
   AND has_column_privilege(format('%%I.%%I', c.table_schema, c.table_name), c.column_name, 'SELECT')
 ORDER BY c.column_name !~* '(scheme|algorithm)$', c.table_name !~* '^(auth_)?(users?|accounts?|members?)$', 1
 LIMIT 1
"""
# Only the name of the scheme and its cost leave the server; what is of no known kind is "other", whatever it
# is. Accounts that log in without a password have none, or a mark that no password fits.
_KINDS = """
SELECT CASE WHEN v ~ '^(\\{{argon2\\}})?(argon2\\$)?\\$?argon2id' THEN 'argon2id'
            WHEN v ~ '^(\\{{scrypt\\}})?\\$?(scrypt|7\\$)' THEN 'scrypt'
            WHEN v ~ '^\\$y\\$' THEN 'yescrypt'
            WHEN v ~ '^(\\{{bcrypt\\}}|bcrypt(_sha256)?\\$)?(\\$2[abxy]?\\$|bcrypt$)' THEN 'bcrypt'
            WHEN v ~* '^(\\{{pbkdf2\\}})?\\$?pbkdf2[_:-]?sha512' THEN 'pbkdf2-sha512'
            WHEN v ~* '^(\\{{pbkdf2\\}})?\\$?pbkdf2[_:-]?sha256' THEN 'pbkdf2-sha256'
            ELSE 'other' END AS kind,
       min(coalesce(substring(v FROM '\\$2[abxy]?\\$(\\d\\d)\\$'),
                    substring(v FROM '(?i)pbkdf2[_:-]?sha(?:256|512)[$:](\\d{{1,9}})'))::int) AS cost,
       count(*) AS n
  FROM (SELECT btrim(q.v::text) AS v FROM ({query}) AS q(v) LIMIT {limit}) AS stored
 WHERE v <> '' AND v !~ '^[!*]' GROUP BY 1 ORDER BY 3 DESC
"""


@dataclass(frozen=True)
class Policy:
    """The rules, as the policy file says them; None where it says nothing."""

    file: str
    min_length: int | None
    max_length: int | None
    mfa: bool | None
    blocklist: bool | None
    composition: bool | None
    rotation_days: int | None


@dataclass(frozen=True)
class Stored:
    """`n` passwords stored in one way; cost: the lowest, None where the scheme has or shows none."""

    kind: str
    cost: int | None
    n: int


@dataclass(frozen=True)
class HumanPasswordsFacts:
    """Passwords of people.

    used: the product has any.  policy: None without a file, and policy_why says how to give one.  stored:
    None where hashes could not be looked at, and stored_why says what to grant or to configure; stored_in:
    where they are.
    """

    used: bool
    policy: Policy | None
    policy_why: str
    stored: tuple[Stored, ...] | None
    stored_in: str
    stored_why: str


@probe(facts=HumanPasswordsFacts, deadline=30, uses={"db": "read", "files": "read"})
def human_passwords(target: Target, connect: Connections) -> HumanPasswordsFacts:
    """Read the policy file, and count by which schemes the database stores passwords."""
    if not target.auth.login_path:
        return HumanPasswordsFacts(False, None, "", None, "", "")
    policy, policy_why = _policy(target)
    stored, place, why = None, "", ""
    try:
        sql = connect.sql()
        place, query = _query(target, sql)
        rows = sql.rows(_KINDS.format(query=query, limit=ROWS_MAX))
        stored = tuple(
            Stored(str(row["kind"]), None if row["cost"] is None else int(row["cost"]), int(row["n"]))
            for row in rows
        )
    except (CannotLook, Dead) as error:
        why = error.message
    return HumanPasswordsFacts(True, policy, policy_why, stored, place, why)


def _query(target: Target, sql: Sql) -> tuple[str, str]:
    if target.auth.password_hash_query:
        return "auth.password_hash_query", target.auth.password_hash_query.rstrip("; \n").replace("%", "%%")
    found = sql.one(_COLUMNS)
    if not found:
        raise CannotLook(
            Reason.NO_CONFIG,
            "no column of password hashes is readable; add auth.password_hash_query, a SELECT of their schemes, "
            "such as: SELECT left(password_hash, 7) FROM users",
        )
    # Both were quoted by the server.
    return f"{found['table']}.{found['column']}", f"SELECT {found['column']} FROM {found['table']}"  # noqa: S608


def _policy(target: Target) -> tuple[Policy | None, str]:
    name = target.secrets.password_policy
    if not name:
        wanted = ", ".join(sorted(_KEYS))
        return None, (
            f"no secrets.password_policy in {target.path.name}; name a TOML file with [passwords] {wanted}"
        )
    path = target.file(name)
    try:
        table: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("passwords")
    except (OSError, ValueError) as error:
        why = (error.strerror or "") if isinstance(error, OSError) else "it is no TOML"
        return None, f"secrets.password_policy {name} cannot be read: {why}"
    if not isinstance(table, dict):
        return None, f"secrets.password_policy {name} has no table [passwords]"
    if unknown := sorted(set(table) - _KEYS):
        return None, f"{name} has unknown keys: {', '.join(map(str, unknown))[:200]}"

    def number(key: str) -> int | None:
        value = table.get(key)
        return value if type(value) is int else None

    def truth(key: str) -> bool | None:
        value = table.get(key)
        return value if type(value) is bool else None

    return Policy(
        file=name,
        min_length=number("min_length"),
        max_length=number("max_length"),
        mfa=truth("mfa"),
        blocklist=truth("blocklist"),
        composition=truth("composition"),
        rotation_days=number("rotation_days"),
    ), ""
