"""The db_server probe: which server this is, who is connected to it, and whom it would let in."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_deploycheck.observe import CannotLook, probe
from pytest_deploycheck.probes import db_server_queries as queries
from pytest_deploycheck.probes.db_activity_queries import APP_ROLE
from pytest_deploycheck.probes.db_admin import Admin
from pytest_deploycheck.rules.hba import Rule
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.target import Target
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.sql import Sql

_PAUSE_S = 0.5


@dataclass(frozen=True)
class Session:
    """Alike sessions, `n` of them; an empty address is a socket on the server itself.

    certificate: the client proved itself by one.
    """

    role: str
    database: str
    address: str
    tls: bool
    certificate: bool
    n: int


@dataclass(frozen=True)
class AppRole:
    """The application's role: its attributes, and `may_become`: stronger roles that it is a member of.

    connection_limit: its own, -1 without one.  owned_tables: how many it owns, for information.
    """

    name: str
    superuser: bool
    createrole: bool
    createdb: bool
    replication: bool
    bypassrls: bool
    connection_limit: int
    creates_in_public: bool
    owned_tables: int
    may_become: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Its attributes that a user of tables does not need."""
        names = ("superuser", "createrole", "createdb", "replication", "bypassrls")
        return tuple(name.upper() for name in names if getattr(self, name))


@dataclass(frozen=True)
class DbServerFacts:
    """One PostgreSQL server, as a role sees it that can only read.

    identifier: of the cluster, None when the role may not see it; expected: the target file's.  pings_s:
    seconds of each SELECT 1.  client_address: ours as the server sees it, empty over its own socket.
    app_role: the application's, empty when none is configured and no other role that may write is
    connected; app: what that role may, None when there is no such role.  sessions: None when the role may
    not see those of others.  connections_max: for ordinary roles.  loaded_at, hba_changed_at: Unix times of
    the configuration in force and of the newest file of access rules.  password_kinds: (role, kind of its
    stored password) of every role that may log in.  Where hba, hba_changed_at or password_kinds is None,
    the field `…_why` says what to grant.  pending_restart: settings changed but not in force.
    """

    database: str
    role: str
    version: str
    major: int
    in_recovery: bool
    identifier: str | None
    expected: str
    client_address: str
    tls: bool
    pings_s: tuple[float, ...]
    app_role: str
    app: AppRole | None
    sessions: tuple[Session, ...] | None
    connections: int | None
    connections_max: int
    settings: tuple[tuple[str, str], ...]
    pending_restart: tuple[str, ...]
    loaded_at: float
    hba: tuple[Rule, ...] | None
    hba_why: str
    hba_changed_at: float | None
    hba_changed_why: str
    password_kinds: tuple[tuple[str, str], ...] | None
    password_kinds_why: str
    allowed_cidrs: tuple[str, ...]
    local_cidrs: tuple[str, ...]

    def setting(self, name: str) -> str:
        """Return a setting, empty when the role does not see it."""
        return dict(self.settings).get(name, "")

    @property
    def ping_p95_s(self) -> float:
        """The 95th percentile of the pings, in seconds."""
        times = sorted(self.pings_s)
        return times[max(0, -(-len(times) * 95 // 100) - 1)]

    def of_app(self, database: str = "") -> tuple[Session, ...]:
        """Return the application's sessions, of one database or of all."""
        return tuple(
            one for one in self.sessions or () if one.role == self.app_role and database in ("", one.database)
        )


@probe(facts=DbServerFacts, deadline=60, needs=("db_gate",), uses={"db": "read", "db_admin": "read"})
def db_server(target: Target, connect: Connections) -> DbServerFacts:
    """Ask PostgreSQL who it is, who is connected, and by which rules and passwords it lets anybody in."""
    assert target.db is not None  # the gate saw it
    sql = connect.sql()
    server = sql.one(queries.SERVER)
    pings = tuple(_ping(sql) for _ in range(int(target.limits.db_pings)))
    sessions, app_role = _sessions(target, connect, sql, bool(server["may_read_sessions"]))
    app = sql.one(queries.APP, (list(queries.POWERFUL), app_role))
    settings = {str(row["name"]): str(row["value"]) for row in sql.rows(queries.SETTINGS)}
    admin = Admin(target, connect, sql, str(server["role"]))
    version, major = int(server["version_num"]), int(server["version_num"]) // 10000
    hba, hba_why = admin.ask(queries.hba(version), (), admin.grant_hba)
    files = sorted({str(row["file"]) for row in hba or () if row["file"]})
    changed_at, changed_why = admin.changed(files or list(filter(None, [settings.get("hba_file")])))
    kinds, kinds_why = admin.kinds()
    return DbServerFacts(
        database=str(server["database"]),
        role=str(server["role"]),
        version=str(server["version"]),
        major=major,
        in_recovery=bool(server["in_recovery"]),
        identifier=_optional(sql, queries.IDENTIFIER),
        expected=target.db.system_identifier,
        client_address=str(server["client_address"]),
        tls=bool(server["tls"]),
        pings_s=pings,
        app_role=app_role,
        app=_app(app) if app else None,
        sessions=sessions,
        connections=None if sessions is None else sum(one.n for one in sessions),
        connections_max=int(server["connections_max"]),
        settings=tuple(sorted(settings.items())),
        pending_restart=tuple(str(row["name"]) for row in sql.rows(queries.PENDING)),
        loaded_at=float(server["loaded_at"]),
        hba=None if hba is None else tuple(_rule(row) for row in hba),
        hba_why=hba_why,
        hba_changed_at=changed_at,
        hba_changed_why=changed_why,
        password_kinds=None if kinds is None else tuple((str(r["role"]), str(r["kind"])) for r in kinds),
        password_kinds_why=kinds_why,
        allowed_cidrs=tuple(target.db.allowed_cidrs),
        local_cidrs=tuple(target.db.local_cidrs),
    )


def _ping(sql: Sql) -> float:
    began = time.monotonic()
    sql.one("SELECT 1")
    return round(time.monotonic() - began, 6)


def _sessions(
    target: Target, connect: Connections, sql: Sql, may_read: bool
) -> tuple[tuple[Session, ...] | None, str]:
    """Return all sessions and the application's role; a pool at rest is given a moment to show itself."""
    assert target.db is not None
    database = sql.one("SELECT current_database() AS name")["name"]
    until = time.monotonic() + target.limits.db_session_wait_s
    while True:
        role = target.db.app_role or str(sql.one(APP_ROLE).get("role", ""))
        if not may_read:
            return None, role
        found = tuple(_session(row) for row in sql.rows(queries.SESSIONS))
        seen = any(one.role == role and one.database == database for one in found)
        if seen or time.monotonic() > until:
            return found, role
        connect.sleep(_PAUSE_S)


def _session(row: dict[str, Any]) -> Session:
    return Session(
        role=str(row["role"]),
        database=str(row["database"] or ""),
        address=str(row["address"]),
        tls=bool(row["tls"]),
        certificate=bool(row["certificate"]),
        n=int(row["n"]),
    )


def _rule(row: dict[str, Any]) -> Rule:
    def words(values: Iterable[Any]) -> tuple[str, ...]:
        return tuple(str(value) for value in values)

    texts = {name: str(row[name] or "") for name in ("type", "address", "netmask", "method", "error")}
    return Rule(line=int(row["line"]), databases=words(row["databases"]), users=words(row["users"]), **texts)


def _app(row: dict[str, Any]) -> AppRole:
    return AppRole(**{**row, "may_become": tuple(str(name) for name in row["may_become"])})


def _optional(sql: Sql, query: str) -> str | None:
    try:
        return str(sql.one(query)["value"])
    except CannotLook as why:
        if why.reason is Reason.NO_ACCESS:
            return None
        raise
