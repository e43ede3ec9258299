"""The demo's wall: a namespace behind a packet filter, and nothing of it left when its process ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_deploycheck.demo import wall
from pytest_deploycheck.demo.deployment import Deployment

pytestmark = pytest.mark.skipif(wall.available() is not None, reason=str(wall.available()))


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return a deployment that is a server behind a wall."""
    with Deployment.only(tmp_path_factory.mktemp("wall"), "wall") as deployment:
        yield deployment


def reached(address: str, port: int) -> bool:
    """Whether a connection is accepted within a second."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except TimeoutError:
        return False
    return True


def test_the_public_reaches_three_ports(walled: Deployment) -> None:
    """SSH and HTTPS are open by both families; the database listens, and is hidden."""
    for address in wall.addresses(walled.world):
        assert reached(address, 22) and reached(address, 443)
        assert not reached(address, 5432)
    with socket.create_connection((wall.addresses(walled.world)[0], 22), timeout=5) as ssh:
        assert ssh.recv(64).startswith(b"SSH-2.0-")


def test_the_servers_own_tools_look_behind_the_wall(walled: Deployment) -> None:
    """`nft` and `ip` on the demo's server show the namespace's rules and address."""
    folder = walled.world.path("server", "bin")
    rules = subprocess.run(
        [folder / "nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True
    )
    assert '"policy": "drop"' in rules.stdout
    shown = subprocess.run([folder / "ip", "-br", "addr"], capture_output=True, text=True, check=True)
    assert wall.addresses(walled.world)[0] in shown.stdout


def test_a_killed_warden_leaves_nothing(walled: Deployment) -> None:
    """Killed without warning it takes namespace and link with it, and can be started again at once."""
    link = Path(f"/sys/class/net/dcw{walled.world.block}")
    assert link.exists()
    pid = walled.service("wall").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while link.exists():
        assert time.monotonic() < deadline, f"{link.name} is still there"
        time.sleep(0.02)
    walled.restart("wall")
    assert reached(wall.addresses(walled.world)[0], 443)
