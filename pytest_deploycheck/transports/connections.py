"""Connections: what a probe gets in order to speak to its systems, and nothing more.

`Wire` belongs to the run and is shared by all probes: secrets, ledger, clock, logins. `Connections`
belongs to one probe: it knows what the probe declared, when its time is up, and when it was given up.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from pytest_deploycheck.claims.signed import SignedFile
from pytest_deploycheck.limits import Limits
from pytest_deploycheck.observe import CannotLook, Dead, Probe
from pytest_deploycheck.redact import Redactor
from pytest_deploycheck.secret import SecretRef, SecretUnavailable
from pytest_deploycheck.target import Target
from pytest_deploycheck.transports.db_login import Login, login
from pytest_deploycheck.transports.endpoints import endpoint
from pytest_deploycheck.transports.git import Git
from pytest_deploycheck.transports.http import Http, Response
from pytest_deploycheck.transports.ledger import Ledger
from pytest_deploycheck.transports.login import find_token
from pytest_deploycheck.transports.resp import Place, Resp
from pytest_deploycheck.transports.rpc import Rpc
from pytest_deploycheck.transports.servers import Servers, no_host
from pytest_deploycheck.transports.shell import Done, Shell
from pytest_deploycheck.transports.sql import CONNECTIONS_MAX, Sql
from pytest_deploycheck.transports.ssh import Multiplexer
from pytest_deploycheck.verdict import Reason

LOGIN_WAIT_MAX_S = 5.0
"""Seconds that a login waits at most when it is told to come back later."""


class Wire:
    """What all probes of a run share; thread-safe."""

    def __init__(
        self,
        target: Target,
        *,
        run_id: str,
        allow: frozenset[str] = frozenset(),
        redactor: Redactor | None = None,
        as_of: datetime | None = None,
        signed: Callable[[], tuple[SignedFile, ...]] = tuple,
    ) -> None:
        self.target = target
        self.as_of = as_of
        self.signed = signed
        self.run_id = run_id
        self.allow = allow
        self.redactor = redactor or Redactor()
        self.ledger = Ledger(target.target.request_budget)
        self.sql_slots = threading.Semaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._secrets: dict[int, str] = {}
        self._tokens: dict[str, str | Dead | CannotLook] = {}
        self._logins: dict[str, threading.Lock] = {}
        self.login_answers: dict[str, Response] = {}
        host = target.host
        self._multiplexer = Multiplexer()
        self.servers = Servers((host.uri, *host.more), self._shell) if host is not None else None

    def secret(self, reference: SecretRef) -> str:
        """Return a secret's value, known to the redactor from then on."""
        with self._lock:
            if id(reference) not in self._secrets:
                try:
                    value = reference.resolve().get_secret_value()
                except SecretUnavailable as error:
                    raise CannotLook(Reason.NO_CONFIG, str(error)) from None
                self.redactor.add(value)
                self._secrets[id(reference)] = value
            return self._secrets[id(reference)]

    def token(self, account: str, login: Callable[[], str]) -> str:
        """Return an account's access token; the first caller logs in, the others wait for it."""
        with self._lock:
            waiting = self._logins.setdefault(account, threading.Lock())
        with waiting:
            known = self._tokens.get(account)
            if known is None:
                try:
                    known = login()
                    self.redactor.add(known)
                except (Dead, CannotLook) as refusal:
                    known = refusal
                self._tokens[account] = known
        if isinstance(known, str):
            return known
        raise known

    def _shell(self, uri: str) -> Shell:
        host = self.target.host
        assert host is not None
        config = str(self.target.file(host.ssh_config)) if host.ssh_config else ""
        return Shell(uri, multiplexer=self._multiplexer, ssh_config=config, sudo=host.sudo)

    def close(self) -> None:
        """End the connections that probes shared: no server is read afterwards."""
        if self.servers is not None:
            self.servers.close()
        self._multiplexer.close()

    def verify(self) -> str | bool:
        """Return the CA file of a private PKI, or True for the public ones."""
        return str(self.target.file(self.target.target.ca_file)) if self.target.target.ca_file else True


class Connections:
    """One probe's way to the target."""

    def __init__(self, wire: Wire, probe: Probe) -> None:
        self._wire = wire
        self._probe = probe
        self._ends = time.monotonic() + probe.deadline
        self._given_up = threading.Event()
        self._open: list[Http | Sql | Resp] = []

    @property
    def run_id(self) -> str:
        """The run's id: a nonce to find our own requests by."""
        return self._wire.run_id

    @property
    def limits(self) -> Limits:
        """The target's limits, for sample counts and windows."""
        return self._wire.target.limits

    def now(self) -> datetime:
        """Return the time that this run looks at, in UTC: `--as-of`, or the runner's."""
        return self._wire.as_of or datetime.now(UTC)

    def signed_files(self) -> tuple[SignedFile, ...]:
        """Read and verify the target's signed files."""
        return self._wire.signed()

    def remaining(self) -> float:
        """Return the seconds left, or raise when the time is up."""
        left = self._ends - time.monotonic()
        if self._given_up.is_set() or left <= 0:
            raise CannotLook(Reason.TIMEOUT, f"{self._probe.name} was not done in {self._probe.deadline:g} s")
        return left

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        self._given_up.wait(min(seconds, self.remaining()))
        self.remaining()

    def allowed(self, word: str) -> bool:
        """Whether the run was started with `--allow WORD`, or the target file allows it."""
        return word in self._wire.allow

    def secret(self, reference: SecretRef) -> str:
        """Return a secret's value; it must not go into facts."""
        return self._wire.secret(reference)

    def learn_secret(self, value: str) -> None:
        """Tell the redactor of a secret that was made or received during the look."""
        self._wire.redactor.add(value)

    def _enter(self, name: str, where: str) -> Callable[[str], None]:
        def enter(action: str) -> None:
            self.remaining()
            self._wire.ledger.enter(self._probe, name, action, where)

        return enter

    def http(
        self,
        name: str = "api",
        *,
        bearer: str = "",
        headers: Mapping[str, str] | None = None,
        base: str = "",
        hidden: bool = False,
    ) -> Http:
        """Return a client for an endpoint; `base` overrides the address within the same endpoint.

        `hidden`: the path of `base` holds a key and is not shown.
        """
        found = endpoint(self._wire.target, name)
        address = base or found.url or (self.secret(found.reference) if found.reference else "")
        url = urlsplit(address)
        shown = (
            address
            if found.url or (base and not hidden)
            else f"{url.scheme}://{url.hostname}:{url.port or ''}".rstrip(":")
        )
        marks = {"User-Agent": f"deploycheck/{self.run_id}", "X-Deploycheck-Run": self.run_id}
        client = Http(
            address,
            gate=found.gate,
            enter=self._enter(name, shown),
            remaining=self.remaining,
            verify=self._wire.verify(),
            headers={**marks, **(headers or {})},
            bearer=bearer,
            shown=shown,
        )
        self._open.append(client)
        return client

    @property
    def target(self) -> Target:
        """The target file's content."""
        return self._wire.target

    def has_account(self, account: str) -> bool:
        """Whether `[auth]` names this account."""
        return getattr(self._wire.target.auth, account) is not None

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

    def api(self, account: str = "test_account") -> Http:
        """Return a client of the API that is logged in as an account of `[auth]`."""
        return self.http("api", bearer=self.token(account))

    def token(self, account: str = "test_account") -> str:
        """Return an account's access token; the login is a dead `acct` gate when refused."""
        return self._wire.token(account, lambda: self._login(account))

    def login(self, account: str, password: str | None = None) -> Response:
        """Send one login and return the answer; another password than the account's own may be given."""
        auth = self._wire.target.auth
        found = getattr(auth, account)
        if found is None:
            file = self._wire.target.path.name
            raise CannotLook(Reason.NO_CONFIG, f"no auth.{account} in {file}; add username and password")
        secret = self.secret(found.password) if password is None else password
        body = {auth.username_field: found.username, "password": secret}
        return self.http("login").post(auth.login_path, json=body, credentials=True)

    def login_answer(self, account: str = "test_account") -> Response | None:
        """Return the answer to the login that made `token`, for its headers and cookies; never for facts."""
        return self._wire.login_answers.get(account)

    def _login(self, account: str) -> str:
        answer = self.login(account)
        if answer.status == 429:
            # A limit is no refusal of the account: wait as long as it asks for, once (RFC 6585, RFC 9110 10.2.3).
            asked = (answer.header("retry-after") or "").strip()
            self.sleep(min(float(asked) if asked.isdigit() else 1.0, LOGIN_WAIT_MAX_S))
            answer = self.login(account)
        if answer.status >= 500:
            raise Dead("acct", f"login of {account} answers {answer.status}")
        token = find_token(answer) if 200 <= answer.status < 300 else None
        if token is None:
            raise Dead("acct", f"login of {account} answers {answer.status} and gives no token")
        self._wire.login_answers[account] = answer
        return token

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

    def collect(self) -> Servers:
        """Fetch from every server what the run's probes want to read there."""
        servers = self._servers()
        for uri in servers.uris:
            self._enter("host", uri)("run")
        servers.collect(self.remaining() - 1)
        return servers

    def read(self, command: str, server: str = "") -> Done:
        """Return what a reading command gave on a server, the main one unless another is named."""
        servers = self._servers()
        place = server or servers.uris[0]
        self._enter("host", place)("read")
        return servers.read(command, place, self.remaining())

    def fetch(self, wanted: dict[str, Sequence[str]]) -> None:
        """Read on several servers what only a first look could tell of; `read` gives it from then on."""
        servers = self._servers()
        for uri, commands in wanted.items():
            if commands and uri not in servers.dead:
                self._enter("host", uri)("read")
        servers.fetch(wanted, self.remaining() - 0.5)

    def dead_servers(self) -> dict[str, str]:
        """Return the servers that run no command, each with what it said."""
        return dict(self._servers().dead)

    def servers(self) -> tuple[str, ...]:
        """Return the addresses of the servers that run commands, the main one first."""
        servers = self._servers()
        return tuple(uri for uri in servers.uris if uri not in servers.dead)

    def _servers(self) -> Servers:
        if self._wire.servers is None:
            raise no_host(self._wire.target.path.name)
        return self._wire.servers

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

    def give_up(self) -> None:
        """Let every further step of the probe fail: its time is over."""
        self._given_up.set()

    def close(self) -> None:
        """Close what the probe left open."""
        for client in self._open:
            client.close()


def _dsn_place(dsn: str) -> str:
    """Return host, port and database of a DSN, without its credentials."""
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except Exception:
        return "PostgreSQL"
    return f"PostgreSQL {parts.get('host', '')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
