"""A deployment starts as one, stops as one, and leaves nothing behind however it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pytest_deploycheck.demo import postgres
from pytest_deploycheck.demo.contract import deploy
from pytest_deploycheck.demo.deployment import Deployment
from pytest_deploycheck.demo.ether.rpc import Rpc
from pytest_deploycheck.demo.process import StartError, answers
from pytest_deploycheck.demo.units import UNITS, with_needs
from pytest_deploycheck.demo.world import World, is_free

from .conftest import BACKEND, gone, processes_of

HOLD = """
import sys, time
from pathlib import Path
from pytest_deploycheck.demo.deployment import Deployment
Deployment.only(Path(sys.argv[1]), *sys.argv[2:]).start()
print("started", flush=True)
time.sleep(600)
"""


def held(directory: Path, *units: str) -> subprocess.Popen[str]:
    """Run a part of a deployment in another process; it is up when this returns."""
    command = [sys.executable, "-c", HOLD, str(directory), *units]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    return parent


def kill(parent: subprocess.Popen[str]) -> None:
    """Kill it outright."""
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()


def users(world: World) -> int:
    """Count the rows of the users table."""
    with psycopg.connect(postgres.dsn(world, "token_app")) as session:
        row = session.execute("SELECT count(*) FROM users").fetchone()
        assert row is not None
        return int(row[0])


def test_stops_cleanly_and_starts_again_with_its_data(tmp_path: Path) -> None:
    """After a stop no process and no port is left; the next start has the same ports and rows."""
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        ports = deployment.world.ports()
        assert answers(ports["edge"])
        with psycopg.connect(postgres.dsn(deployment.world, "token_app")) as session:
            session.execute("INSERT INTO users (username, password_hash) VALUES ('later', 'scrypt$')")
        count = users(deployment.world)
        assert processes_of(tmp_path)
    assert gone(tmp_path) == {}
    assert all(is_free(port) for port in ports.values())
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        assert deployment.world.ports() == ports
        assert users(deployment.world) == count


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    """After SIGKILL of the parent every server ends, and the folder can be used again at once."""
    parent = held(tmp_path, *BACKEND)
    assert len(processes_of(tmp_path)) > 4
    kill(parent)
    # At once: the new start itself waits until the old servers are gone.
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        assert users(deployment.world) > 0
    assert gone(tmp_path) == {}


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second deployment in the same folder is refused and told which process runs the first."""
    parent = held(tmp_path, "certs")
    try:
        with pytest.raises(StartError, match=rf"is run by process {parent.pid}; stop that or choose another"):
            Deployment.only(tmp_path, "certs").start()
    finally:
        kill(parent)


def test_deployments_run_side_by_side(tmp_path: Path) -> None:
    """Two folders are two deployments that do not meet."""
    with Deployment.only(tmp_path / "a", "nginx") as one, Deployment.only(tmp_path / "b", "nginx") as two:
        assert not set(one.world.ports().values()) & set(two.world.ports().values())
        assert answers(one.world.port("edge"))
        assert answers(two.world.port("edge"))


def test_a_failing_unit_stops_the_rest(tmp_path: Path) -> None:
    """When PostgreSQL cannot start, its error is raised and no other server goes on."""
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        version = deployment.world.path("postgres", "data", "PG_VERSION")
    version.write_text("not a number\n")
    with pytest.raises(StartError, match=r"postgres ended with status 1 before it was ready"):
        Deployment.only(tmp_path, *BACKEND).start()
    assert gone(tmp_path) == {}


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port of the folder that somebody else took is refused before anything starts."""
    deployment = Deployment.only(tmp_path, "valkey")
    port = deployment.world.port("valkey")
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(StartError, match=rf"{port} \(valkey\)"):
            deployment.start()
    assert processes_of(tmp_path) == {}


def test_starting_again_mends_what_was_broken(tmp_path: Path) -> None:
    """Configuration files and roles come out right whatever was done to them."""
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        deployment.world.path("nginx", "nginx.conf").write_text("broken")
        with psycopg.connect(postgres.dsn(deployment.world, "postgres"), autocommit=True) as session:
            session.execute("ALTER ROLE token_app PASSWORD 'postgres'")
            session.execute("ALTER ROLE token_app SUPERUSER")
        with pytest.raises(psycopg.OperationalError):
            users(deployment.world)
    with Deployment.only(tmp_path, *BACKEND) as deployment:
        assert users(deployment.world) > 0
        with psycopg.connect(postgres.dsn(deployment.world, "token_app")) as session:
            row = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)


def test_a_server_is_restarted_alone(backend: Deployment) -> None:
    """Restart replaces one process and leaves the others."""
    before = {name: backend.service(name).pid for name in backend.services}
    backend.restart("valkey")
    after = {name: backend.service(name).pid for name in backend.services}
    assert {name for name in before if before[name] != after[name]} == {"valkey"}


def test_an_unknown_service_is_named_with_those_there_are(backend: Deployment) -> None:
    """A misspelt name is answered with the right ones."""
    with pytest.raises(KeyError, match=r"no service 'nginxx'; running are: .*nginx"):
        backend.service("nginxx")


def test_needs_are_complete_and_without_circles() -> None:
    """Every need is a unit that stands before it in the table; an unknown unit is named."""
    seen: set[str] = set()
    for unit in UNITS:
        assert set(unit.needs) <= seen, f"{unit.name} needs {set(unit.needs) - seen}"
        seen.add(unit.name)
    assert {unit.name for unit in with_needs(("schema",))} == {"certs", "postgres", "schema"}
    with pytest.raises(KeyError, match=r"no unit 'postgre'; there are: certs, postgres"):
        with_needs(("postgre",))


def test_a_chain_that_forgot_gets_its_contract_back(tmp_path: Path) -> None:
    """The chain lives in memory; restarting it deploys the token again and empties the tables about it."""
    with Deployment.only(tmp_path, "mirror") as deployment:
        rpc = Rpc(deployment.world.url("rpc"))
        token = deploy.token_address(deployment.world)
        with psycopg.connect(postgres.dsn(deployment.world, "token_app"), autocommit=True) as session:
            session.execute("INSERT INTO chain_events VALUES ('0xaa', 0, 'purchase', '0xbb', 1, 1, 1)")
            deployment.restart("rpc")
            assert rpc.call("eth_getCode", token, "latest") != "0x"
            assert session.execute("SELECT count(*) FROM chain_events").fetchone() == (0,)
