"""Live clients that only read, for users' own tests: requests, psycopg, redis and web3 as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests

from pytest_deploycheck import safe_json
from pytest_deploycheck.observe import CannotLook, Dead
from pytest_deploycheck.rules.artifact import parse
from pytest_deploycheck.transports import rpc as jsonrpc
from pytest_deploycheck.transports.sql import CONNECT_TIMEOUT_S, SESSION
from pytest_deploycheck.verdict import Reason

if TYPE_CHECKING:
    from pytest_deploycheck.transports.connections import Connections

REDIS_READS = frozenset(
    (
        "ACL AUTH CLIENT CONFIG DBSIZE EXISTS GET GETRANGE HELLO HEXISTS HGET HGETALL HKEYS HLEN "
        "HMGET HVALS INFO LATENCY LINDEX LLEN LRANGE MEMORY MGET PING PTTL SCAN SCARD SELECT "
        "SISMEMBER SLOWLOG SMEMBERS SSCAN STRLEN TIME TTL TYPE XLEN XRANGE ZCARD ZCOUNT ZRANGE "
        "ZSCORE "
    ).split()
)
_SUBREADS = {
    "ACL": {"LIST", "WHOAMI", "GETUSER", "USERS", "CAT"},
    "CONFIG": {"GET"},
    "CLIENT": {"SETINFO", "SETNAME", "INFO", "LIST", "ID"},
    "SLOWLOG": {"GET", "LEN"},
    "LATENCY": {"LATEST", "HISTORY"},
    "MEMORY": {"USAGE", "STATS"},
}


class ApiSession(requests.Session):
    """A requests session whose paths start at the base URL and whose methods are GET, HEAD and OPTIONS."""

    def __init__(self, base: str, enter: Any, verify: str | bool) -> None:
        super().__init__()
        self.base = base
        self._enter = enter
        self._checked = verify
        self.trust_env = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a read; other methods and hosts are refused before anything is sent."""
        name = (method.decode() if isinstance(method, bytes) else method).upper()
        full = urljoin(self.base + "/", str(url).lstrip("/")) if "://" not in str(url) else str(url)
        if name not in ("GET", "HEAD", "OPTIONS") or urlsplit(full)[:2] != urlsplit(self.base)[:2]:
            raise CannotLook(
                Reason.NOT_ALLOWED, f"{name} {full} is refused: this session only reads {self.base}"
            )
        self._enter(name)
        kwargs.setdefault("timeout", (3.05, 10))
        kwargs.setdefault("verify", self._checked)
        return super().request(name, full, *args, **kwargs)


def api(connect: Connections) -> ApiSession:
    """Return a session at the base URL, logged in when the target has a test account."""
    base, enter, verify = connect.raw_http("api")
    session = ApiSession(base, enter, verify)
    if connect.has_account("test_account"):
        session.headers["Authorization"] = f"Bearer {connect.token()}"
    return session


def db(connect: Connections) -> Any:
    """Return a psycopg connection in a read-only session."""
    import psycopg

    try:
        connection = psycopg.connect(
            connect.address("db", "read"), options=SESSION, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True
        )
    except psycopg.OperationalError as error:
        raise Dead("db", str(error).splitlines()[0]) from None
    connection.read_only = True
    return connection


def redis(connect: Connections) -> Any:
    """Return a redis client that refuses commands which are not reads."""
    import redis as library

    class ReadOnly(library.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            words = str(args[0]).upper().split() + [str(arg).upper() for arg in args[1:2]]
            allowed = _SUBREADS.get(words[0])
            if words[0] not in REDIS_READS or (allowed is not None and words[1] not in allowed):
                raise CannotLook(Reason.NOT_ALLOWED, f"Redis command {words[0]} is not a read")
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    return ReadOnly.from_url(connect.address("redis", "read"), socket_timeout=5, socket_connect_timeout=3)


def web3(connect: Connections) -> Any:
    """Return a Web3 over a provider that refuses methods which are not reads."""
    from web3 import HTTPProvider, Web3

    class ReadOnly(HTTPProvider):
        def make_request(self, method: Any, params: Any) -> Any:
            jsonrpc.refuse_writes(str(method))
            return super().make_request(method, params)

    return Web3(ReadOnly(connect.address("rpc", "POST"), request_kwargs={"timeout": 10}))


def contract(connect: Connections, rpc: Any) -> Any:
    """Return the target's contract with the ABI of `contract.artifact`, which may be a bare list as well."""
    section = connect.target.contract
    if not (section.address and section.artifact):
        raise CannotLook(
            Reason.NO_CONFIG,
            f"no contract.address or contract.artifact in {connect.target.path.name}; add both",
        )
    document = safe_json.loads(connect.target.file(section.artifact).read_text(encoding="utf-8"))
    abi = document if isinstance(document, list) else parse(document, section.name).abi
    return rpc.eth.contract(address=rpc.to_checksum_address(section.address), abi=abi)
