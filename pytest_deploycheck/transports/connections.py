"""Connections: what a probe gets in order to speak to its systems, and nothing more.

`Wire` belongs to the run and is shared by all probes. `Connections` belongs to one probe: a conversation with
its clients of HTTP and accounts, of servers, and of databases, nodes, tools and Git.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_deploycheck.observe import CannotLook
from pytest_deploycheck.transports.accounts import Accounts
from pytest_deploycheck.transports.db_login import Login, login
from pytest_deploycheck.transports.endpoints import endpoint
from pytest_deploycheck.transports.git import Git
from pytest_deploycheck.transports.on_servers import OnServers
from pytest_deploycheck.transports.resp import Place, Resp
from pytest_deploycheck.transports.rpc import Rpc
from pytest_deploycheck.transports.sql import Sql
from pytest_deploycheck.verdict import Reason


class Connections(Accounts, OnServers):
    """One probe's way to the target."""

    def address(self, name: str, action: str) -> str:
        """Return the secret address of an endpoint for another library's client, and enter its use."""
        found = endpoint(self._wire.target, name)
        assert found.reference is not None
        self._enter(name, f"[{found.section}]")(action)
        return self.secret(found.reference)

    def raw_http(self, name: str) -> tuple[str, Callable[[str], None], str | bool]:
        """Return an endpoint's URL, how to enter requests to it, and what to verify its certificate with."""
        found = endpoint(self._wire.target, name)
        return found.url, self._enter(name, found.url), self._wire.verify()

    def sql(self, name: str = "db") -> Sql:
        """Return a read-only database connection: of `db`, or of `db_admin`, which may see more."""
        found = endpoint(self._wire.target, name)
        assert found.reference is not None
        dsn = self.secret(found.reference)
        shown = _dsn_place(dsn)
        client = Sql(
            dsn,
            enter=self._enter(name, shown),
            shown=shown,
            remaining=self.remaining,
            slots=self._wire.sql_slots,
        )
        self._open.append(client)
        return client

    def db_login(self, user: str, password: str, *, database: str = "", method: str = "") -> Login:
        """Log in at the database as somebody else and leave again; see `transports.db_login`."""
        found = endpoint(self._wire.target, "db")
        assert found.reference is not None
        dsn = self.secret(found.reference)
        return login(
            dsn,
            enter=self._enter("db", _dsn_place(dsn)),
            remaining=self.remaining,
            user=user,
            password=password,
            database=database,
            method=method,
        )

    def resp(self) -> Resp:
        """Return a connection to the cache at which nobody has logged in; its `place` says with what to."""
        found = endpoint(self._wire.target, "redis")
        assert found.reference is not None
        place = Place.of(self.secret(found.reference))
        client = Resp(
            place,
            enter=self._enter("redis", str(place)),
            remaining=self.remaining,
            verify=self._wire.verify(),
        )
        self._open.append(client)
        return client

    def rpc(self, name: str = "rpc", address: str = "") -> Rpc:
        """Return a JSON-RPC client of the reference node, or of another endpoint; URLs of nodes hold keys.

        `address`: the endpoint's URL where the target file does not know it.
        """
        if address:
            self.learn_secret(address)
        return Rpc(self.http(name, base=address, hidden=True))

    def tool(
        self, name: str, action: str, argv: Sequence[str], *, cwd: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a scanner or load generator until the deadline; judge its output, never its status."""
        self._enter(name, endpoint(self._wire.target, name).url)(action)
        try:
            return subprocess.run(
                argv, cwd=cwd, capture_output=True, text=True, errors="replace", timeout=self.remaining()
            )
        except FileNotFoundError:
            raise CannotLook(Reason.NO_ACCESS, f"{argv[0]} is not installed here") from None
        except subprocess.TimeoutExpired:
            raise CannotLook(
                Reason.TIMEOUT, f"{Path(argv[0]).name} was not done in {self._probe.deadline:g} s"
            ) from None

    def git(self) -> Git:
        """Return Git on this machine: the heads of `repo.remote`, and reads in the runner's clone."""
        target = self._wire.target
        token = target.repo.token
        return Git(
            enter=self._enter("repo", target.repo.remote),
            remaining=self.remaining,
            token=(lambda: self.secret(token)) if token is not None else None,
            local_remotes=target.target.environment in ("demo", "dev"),
        )

    def socket_allowed(self, name: str, action: str, where: str) -> None:
        """Enter a conversation that a probe holds over its own socket."""
        self._enter(name, where)(action)


def _dsn_place(dsn: str) -> str:
    """Return host, port and database of a DSN, without its credentials."""
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except Exception:
        return "PostgreSQL"
    return f"PostgreSQL {parts.get('host', '')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
