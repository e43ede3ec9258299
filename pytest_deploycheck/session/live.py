"""Live clients for users' own tests: api, db, redis, rpc, contract; testinfra's `host` is fed, not replaced.

Each library is imported when its fixture is first used. They read only, like the probes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_deploycheck.observe import CannotLook, Dead, Probe
from pytest_deploycheck.session.evidence import NotSeen, trace_of
from pytest_deploycheck.session.fixtures import STATE
from pytest_deploycheck.verdict import Reason, Verdict

if TYPE_CHECKING:
    from pytest_deploycheck.session.state import State
    from pytest_deploycheck.transports import Connections
    from pytest_deploycheck.transports.clients import ApiSession

FIXTURES = Probe(
    name="fixtures",
    function=lambda: None,
    facts=object,
    deadline=3600.0,
    uses={
        "api": "GET HEAD OPTIONS",
        "login": "POST",
        "db": "read",
        "redis": "read",
        "rpc": "POST",
    },
    summary="the live clients of users' own tests",
)


def feed_testinfra(config: pytest.Config, state: State) -> None:
    """Let testinfra's own `host` fixture look at the target's server."""
    if state.run is None or state.run.target.host is None:
        return
    section = state.run.target.host
    if config.pluginmanager.hasplugin("pytest11.testinfra") and not config.getoption("hosts", None):
        config.option.hosts = section.uri
        if section.ssh_config and not config.getoption("ssh_config", None):
            config.option.ssh_config = str(state.run.target.file(section.ssh_config))


def _connections(request: pytest.FixtureRequest) -> Connections:
    state = request.config.stash[STATE]
    if state.run is None:
        _stop(request, CannotLook(Reason.NO_CONFIG, state.no_target))
    if state.run.replay is not None:
        _stop(request, CannotLook(Reason.NOT_ALLOWED, "a replay touches nothing; live clients are off"))
    from pytest_deploycheck.transports import Connections

    return Connections(state.run.wire, FIXTURES)


def _stop(request: pytest.FixtureRequest, why: CannotLook | Dead) -> NoReturn:
    reason = why.reason.value if isinstance(why, CannotLook) else Reason.NO_ACCESS.value
    trace_of(request.node).settle(Verdict.UNPROVEN, reason, why.message)
    raise NotSeen(f"unproven({reason}): {why.message}")


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[ApiSession]:
    """Return a requests session that knows the base URL and, when configured, the test account's token."""
    from pytest_deploycheck.transports import clients

    connect = _connections(request)
    try:
        session = clients.api(connect)
    except (CannotLook, Dead) as why:
        _stop(request, why)
    yield session
    session.close()


@pytest.fixture
def db(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a psycopg connection whose session only reads."""
    from pytest_deploycheck.transports import clients

    connect = _connections(request)
    try:
        connection = clients.db(connect)
    except (CannotLook, Dead) as why:
        _stop(request, why)
    yield connection
    connection.close()


@pytest.fixture
def redis(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a redis client that refuses every command but reads."""
    from pytest_deploycheck.transports import clients

    connect = _connections(request)
    try:
        client = clients.redis(connect)
    except (CannotLook, Dead) as why:
        _stop(request, why)
    yield client
    client.close()


@pytest.fixture
def rpc(request: pytest.FixtureRequest) -> Any:
    """Return a web3.Web3 whose provider refuses every method but reads."""
    from pytest_deploycheck.transports import clients

    connect = _connections(request)
    try:
        return clients.web3(connect)
    except (CannotLook, Dead) as why:
        _stop(request, why)


@pytest.fixture
def contract(request: pytest.FixtureRequest, rpc: Any) -> Any:
    """Return the target's contract as a web3 contract."""
    from pytest_deploycheck.transports import clients

    connect = _connections(request)
    try:
        return clients.contract(connect, rpc)
    except (CannotLook, Dead) as why:
        _stop(request, why)
